"""The files of an alignment: what is read, what is written, and what may not be written over."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from heed.data.lines import read_lines
from heed.data.named import own_corpus
from heed.errors import UserError
from heed.files import replace_whole, write_whole
from heed.maps import Map
from heed.metrics.alignment import write_weights
from heed.runs.alignment_files import refuse_strangers, report_path
from heed.translator import Translator

if TYPE_CHECKING:
    from heed.cli.align import Settings


class Text(NamedTuple):
    """What is aligned: lines that belong together, the Pharaoh lines of their gold alignment, and a name for that."""

    sources: Sequence[str]
    targets: Sequence[str]
    gold: Sequence[str] | None
    gold_name: str


def check_files(settings: "Settings", output: Path) -> None:
    """UserError for keys that do not go together, and for one file named twice."""
    files = {name: getattr(settings, name) for name in ("source", "target", "output")}
    if settings.source or settings.target:
        missing = [f"{name}=FILE" for name, path in files.items() if not path]
        if missing:
            raise UserError(
                f"{' and '.join(missing)} missing; give source, target and output, or none of the first two"
            )
    elif settings.gold:
        raise UserError(
            f"gold={settings.gold}, but the text of its own corpus has its own; give source=FILE and target=FILE"
        )
    taken = {
        Path(getattr(settings, name)).resolve() for name in ("source", "target", "gold") if getattr(settings, name)
    }
    written = {f"output={output}": output, f"output={output}, with its report beside it,": report_path(output)}
    if settings.weights:
        written[f"weights={settings.weights}"] = Path(settings.weights)
    for name, path in written.items():
        if path.resolve() in taken:
            raise UserError(f"{name} would be written over another of the files that are named; choose another place")
        taken.add(path.resolve())
    refuse_strangers(output, Path(settings.weights) if settings.weights else None, given=settings.output is not None)
    if settings.level == "piece" and settings.gold:
        raise UserError(f"gold={settings.gold} counts words and level=piece does not; use level=word")


def given_text(source: str, target: str, gold: str | None) -> Text:
    """The files that were named."""
    sources, targets = read_lines(Path(source)), read_lines(Path(target))
    _check_same_length(source, sources, target, targets)
    links = read_lines(Path(gold)) if gold else None
    if gold and links is not None:
        _check_same_length(source, sources, gold, links)
    return Text(sources, targets, links, str(gold))


def own_text(settings: "Settings", translator: Translator) -> Text:
    """A split of the corpus that the model was trained on."""
    corpus = own_corpus(translator.about, translator.folders[0])
    pairs = corpus.read(settings.split)
    gold = pairs.gold if settings.level == "word" else None
    return Text(pairs.src, pairs.tgt, gold, f"gold alignment of {corpus.name}, {settings.split}")


def write_file(path: Path, content: str) -> None:
    """Write the output or its report; UserError if that is not possible."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another with output=FILE") from error


def write_weights_file(path: Path, maps: Sequence[Map]) -> None:
    """Write the weights between words; UserError if that is not possible."""
    try:
        replace_whole(path, lambda new: write_weights(new, (one.between_words for one in maps)))
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another with weights=FILE") from error


def _check_same_length(path: str, lines: Sequence[str], other_path: str, others: Sequence[str]) -> None:
    if len(lines) != len(others):
        raise UserError(f"{path} has {len(lines)} lines and {other_path} has {len(others)}; expected as many in both")
