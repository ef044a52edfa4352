"""The files in the folder of an evaluation.

hypotheses.txt   the translations, one per line
references.txt   the references of the split
report.json      the scores, and the digests of these two files and of itself; for several seeds it is the only file
heatmaps/  gallery.html

These files always belong to one evaluation. Files of an earlier one are removed before the first new file gets its
name, and only if a report proves that heed has written them and, except for heatmaps, that they were not changed. Other
files in the folder are not touched.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from heed.errors import UserError
from heed.files import beside, check_writable, has_digest, parts, put_in_place, with_digest, write_part, write_whole
from heed.runs.json_files import read_object

HYPOTHESES, REFERENCES, REPORT = "hypotheses.txt", "references.txt", "report.json"
HEATMAPS, GALLERY = "heatmaps", "gallery.html"

FILES = "files"
"""The key of the report with the digests of the texts beside it, and of the report without its own digest."""

GALLERY_MARK = b'<meta name="generator" content="heed gallery">'
DRAWN_MARKS = (b"Software\0heed", b"<dc:title>heed</dc:title>")

PICTURE = re.compile(r"\d{4,}\.(?:png|svg)")
"""The file names of heatmaps: the number of the line."""


def evaluation_path(model: Path, split: str, corpus: str | None) -> Path:
    """The folder for an evaluation, beside the model folder; a corpus other than the model's own has a subfolder.

    Raises:
        UserError: the name of the corpus cannot be the name of a folder.
    """
    if corpus is not None and (corpus.startswith(".") or Path(corpus).name != corpus):
        raise UserError(f"corpus.name={corpus}: expected a name that can be a folder name; or give output=DIR")
    return beside(model, "evaluate") / (corpus or "") / split


def check_place(folder: Path) -> None:
    """UserError if nothing can be written there, or a file would be replaced that no evaluation by heed has written."""
    refuse_strangers(folder)
    with writing(folder):
        check_writable(folder)


def refuse_strangers(folder: Path) -> None:
    """Raise UserError if a file would be overwritten that no evaluation has written."""
    try:
        strange = _strangers(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); choose another folder with output=DIR") from error
    if strange:
        raise UserError(
            f"{strange[0]} exists and was not written by an evaluation, or was changed since; choose another folder "
            "with output=DIR"
        )


def _strangers(folder: Path) -> list[Path]:
    own = {*own_files(folder)}
    pictures = folder / HEATMAPS
    places = [folder / name for name in (REPORT, HYPOTHESES, REFERENCES, GALLERY)]
    places += [path for path in _listed(pictures) if PICTURE.fullmatch(path.name)]
    places += [pictures] if pictures.is_symlink() or not pictures.is_dir() else []
    return [path for path in places if os.path.lexists(path) and path not in own]


def refuse_strangers_to_several(folder: Path) -> None:
    """Raise UserError if a file would be overwritten that is not a report on several seeds."""
    report = folder / REPORT
    try:
        strange = os.path.lexists(report) and (report.is_symlink() or not _is_report_on_several(report))
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); choose another folder with output=DIR") from error
    if strange:
        raise UserError(
            f"{folder} contains a {REPORT} that is not of several seeds, or was changed since it was written; choose "
            "another folder with output=DIR"
        )


def own_files(folder: Path) -> list[Path]:
    """The files of the evaluation in this folder, in the order in which they can be removed, with the report last."""
    reports = [path for path in (*parts(folder / REPORT), folder / REPORT) if _is_file(path) and _is_report(path)]
    if not reports:
        return []
    listed = [each for path in reports if isinstance(each := read_object(path).get(FILES), dict)]
    marked = len(listed) == len(reports)  # reports of earlier releases have fewer keys
    drawn = [path for path in _listed(folder / HEATMAPS) if PICTURE.fullmatch(path.name) and _is_drawn(path, marked)]
    texts = [path for path in (folder / HYPOTHESES, folder / REFERENCES) if _is_file(path)]
    if marked:
        texts = [path for path in texts if any(each.get(path.name) == _digest(path.read_bytes()) for each in listed)]
    digested = any(REPORT in each for each in listed)  # before, neither reports nor galleries had a digest of their own
    galleries = [path for path in [folder / GALLERY] if _is_file(path) and _is_gallery(path, marked, digested)]
    return drawn + texts + galleries + reports


def own_files_below(folder: Path, is_run: Callable[[Path], bool]) -> list[Path]:
    """The files of all evaluations in this folder and below, except those of a run below it.

    Symlinks are not followed.
    """
    folders = list(_below(folder, is_run))
    several = [place / REPORT for place in folders if _is_report_on_several(place / REPORT)]
    return [path for place in folders for path in own_files(place)] + [path for path in several if _is_file(path)]


def _below(folder: Path, is_run: Callable[[Path], bool]) -> Iterator[Path]:
    for place, names, _ in os.walk(folder):
        if is_run(Path(place)):
            names.clear()  # os.walk skips this folder
        else:
            yield Path(place)


def _is_report(path: Path) -> bool:
    report = read_object(path)
    return {"corpus", "split", "sentences", "search"} <= report.keys() and "seeds" not in report and _unchanged(report)


def _is_report_on_several(path: Path) -> bool:
    report = read_object(path)
    return {"corpus", "split", "seeds", "runs"} <= report.keys() and _unchanged(report)


def _unchanged(report: Mapping[str, Any]) -> bool:
    """Whether a report has its own digest, or none, as in earlier releases."""
    files = report.get(FILES)
    if not isinstance(files, dict) or REPORT not in files:
        return True
    return _with_digests(report, {name: digest for name, digest in files.items() if name != REPORT}) == report


def _with_digests(report: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """The report with the digests of the files beside it and with its own."""
    content = {**report, FILES: dict(digests)}
    return content | {FILES: {**digests, REPORT: _digest(_json(content).encode("utf-8", "surrogatepass"))}}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_gallery(path: Path, marked: bool, digested: bool) -> bool:
    with path.open("rb") as file:
        start = file.read(4096)
        return not marked or (GALLERY_MARK in start and (not digested or has_digest(start + file.read())))


def _is_drawn(path: Path, marked: bool) -> bool:
    """Whether the metadata of an image name heed or, if it is unmarked, the library that heed draws with."""
    if not _is_file(path):
        return False
    with path.open("rb") as file:
        start = file.read(4096)
    return any(mark in start for mark in (DRAWN_MARKS if marked else [b"Matplotlib"]))


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []


def write_scores(folder: Path, hypotheses: Sequence[str], references: Sequence[str], report: Mapping[str, Any]) -> None:
    """Write an evaluation, except heatmaps and gallery; all files of an earlier evaluation are removed.

    If the process is killed, the folder has the earlier evaluation, this one, or a part of this one without a report.

    Raises:
        UserError: a file would be overwritten that no evaluation has written.
    """
    refuse_strangers(folder)
    folder.mkdir(parents=True, exist_ok=True)
    former = own_files(folder)
    _remove_half_written(folder, former)
    texts = {HYPOTHESES: _text(hypotheses).encode(), REFERENCES: _text(references).encode()}
    digests = {name: _digest(content) for name, content in texts.items()}
    contents = {REPORT: _json(_with_digests(report, digests)).encode(), **texts}
    written: dict[str, Path] = {}
    try:
        for name, content in contents.items():
            written[name] = write_part(folder / name, partial(_write_bytes, content))
        if folder / REPORT in former:  # renamed first; until the end it proves that heed has written the other files
            former += [write_part(folder / REPORT, (folder / REPORT).replace)]
        for path in former:
            path.unlink(missing_ok=True)
    except BaseException:
        for part in written.values():
            part.unlink(missing_ok=True)
        raise
    for name in reversed(contents):  # the report last, because it proves that heed has written the others
        put_in_place(written[name], folder / name)


def _remove_half_written(folder: Path, former: Sequence[Path]) -> None:
    """Remove temporary files of killed evaluations, except a report that proves that heed has written the others."""
    for name in (REPORT, HYPOTHESES, REFERENCES, GALLERY):
        for part in parts(folder / name):
            if part.is_file() and part not in former:
                part.unlink(missing_ok=True)


def _write_bytes(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def write_gallery(folder: Path, html: str) -> None:
    """Write the gallery of an evaluation whose scores were written."""
    write_whole(folder / GALLERY, with_digest(html))


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write the report of an evaluation of several seeds."""
    refuse_strangers_to_several(folder)
    write_whole(folder / REPORT, _json(_with_digests(report, {})))


def _json(report: Mapping[str, Any]) -> str:
    return json.dumps(dict(report), indent=2, ensure_ascii=False) + "\n"


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raise UserError if the folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); choose another with output=DIR") from error


def translations_in(folder: Path, references: Sequence[str], named: str) -> list[str]:
    """Another system's translations of the same sentences; `named` is the setting that the user gave, for messages.

    Raises:
        UserError: there are no translations, or they are of other sentences.
    """
    try:
        others, theirs = (_lines(folder / name) for name in (HYPOTHESES, REFERENCES))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{named}: {folder} does not contain {HYPOTHESES} and {REFERENCES} of an evaluation; evaluate that model "
            "on this split first, or give the folder of its evaluation"
        ) from error
    if len(others) != len(theirs) or theirs != list(references):
        same = sum(one == other for one, other in zip(theirs, references, strict=False))
        raise UserError(
            f"{named}: {len(others)} translations and {len(theirs)} references, of which {same} are equal to this "
            f"split's; expected the same {len(references)} references; evaluate it on the same text"
        )
    return others


def search_in(folder: Path) -> str | None:
    """The search of the translations in a folder, if its report names it."""
    try:
        search = json.loads((folder / REPORT).read_text(encoding="utf-8"))["search"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return search if isinstance(search, str) else None


def _lines(path: Path) -> list[str]:
    """The lines as written; Python's `splitlines` would also split at other characters."""
    return path.read_bytes().decode().split("\n")[:-1]
