"""What an evaluation leaves in its folder, and how another finds it there.

hypotheses.txt   the translations, a line each; written first
references.txt   the split's own
report.json      written after them; of several seeds it is alone in its folder
gallery.html  heatmaps/
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heed.errors import UserError
from heed.files import beside, write_whole

HYPOTHESES, REFERENCES, REPORT = "hypotheses.txt", "references.txt", "report.json"
HEATMAPS, GALLERY = "heatmaps", "gallery.html"

SCORES = {
    "bleu": ("BLEU", ".2f"),
    "bleu_tokenised": ("tokenised BLEU", ".2f"),
    "chrf": ("chrF", ".2f"),
    "ter": ("TER", ".2f"),
    "perplexity": ("perplexity", ".4g"),
    "aer": ("AER", ".3f"),
}
"""Key in report.json -> its name in tables, and how many digits are worth showing."""


def evaluation_path(model: Path, split: str, corpus: str | None) -> Path:
    """Beside the model folder; a corpus that is not the model's own has a folder by its name.

    UserError where that name leads elsewhere.
    """
    if corpus is not None and (corpus.startswith(".") or Path(corpus).name != corpus):
        raise UserError(f"corpus.name={corpus}: expected a name that a folder can have; or give output=DIR")
    return beside(model, "evaluate") / (corpus or "") / split


def refuse_strangers(folder: Path) -> None:
    """UserError where what would be written over is no former evaluation."""
    try:
        strange = [name for name in (REPORT, REFERENCES, HEATMAPS, GALLERY) if (folder / name).exists()]
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); choose another place with output=DIR") from error
    if strange and not (folder / HYPOTHESES).exists():
        raise UserError(f"{folder} holds {strange[0]}, which no evaluation wrote; choose another place with output=DIR")


def refuse_strangers_to_several(folder: Path) -> None:
    """UserError where what would be written over is no report on several seeds."""
    try:
        held = (folder / REPORT).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); choose another place with output=DIR") from error
    if '"seeds": [' not in held:
        raise UserError(
            f"{folder} holds {REPORT}, which no evaluation of several seeds wrote; choose another place with output=DIR"
        )


def write_scores(
    folder: Path, hypotheses: Sequence[str], references: Sequence[str], report: Mapping[str, Any]
) -> None:
    """Write an evaluation but for its pictures, in the place of a former one, whose report and pictures go first."""
    refuse_strangers(folder)
    pictures = [path for ending in ("png", "svg") for path in (folder / HEATMAPS).glob(f"[0-9]*.{ending}")]
    for former in (folder / REPORT, folder / GALLERY, *pictures):
        former.unlink(missing_ok=True)
    write_whole(folder / HYPOTHESES, "".join(f"{line}\n" for line in hypotheses))
    write_whole(folder / REFERENCES, "".join(f"{line}\n" for line in references))
    write_report(folder, report)


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """By which the evaluation is finished."""
    write_whole(folder / REPORT, json.dumps(dict(report), indent=2, ensure_ascii=False) + "\n")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """UserError for a place that cannot be written."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); choose another with output=DIR") from error


def translations_in(folder: Path, references: Sequence[str], named: str) -> list[str]:
    """What another system made of the same sentences; `named` is how the user named it, for the errors.

    UserError where nothing is there, or the translations are of other sentences.
    """
    try:
        others, theirs = (_lines(folder / name) for name in (HYPOTHESES, REFERENCES))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{named}: {folder} does not hold {HYPOTHESES} and {REFERENCES} of an evaluation; evaluate that model on "
            "this split first, or give the folder that its evaluation wrote"
        ) from error
    if len(others) != len(theirs) or theirs != list(references):
        same = sum(one == other for one, other in zip(theirs, references, strict=False))
        raise UserError(
            f"{named}: {len(others)} translations and {len(theirs)} references, {same} of which are those of this "
            f"split, line for line; expected all {len(references)}, as only translations of the same text compare"
        )
    return others


def search_in(folder: Path) -> str | None:
    """How the translations there were searched for, where the report beside them says so."""
    try:
        search = json.loads((folder / REPORT).read_text(encoding="utf-8"))["search"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return search if isinstance(search, str) else None


def _lines(path: Path) -> list[str]:
    """As they were written: some signs inside a sentence end a line to Python."""
    return path.read_bytes().decode().split("\n")[:-1]
