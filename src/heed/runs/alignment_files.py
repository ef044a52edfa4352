"""Recognise the files that heed-align has written; no other files are replaced."""

import re
from collections.abc import Callable
from pathlib import Path

from heed.errors import UserError
from heed.runs.json_files import read_object

LINE = re.compile(rb"(?:\d+[-?]\d+(?: \d+[-?]\d+)*)?\n")
NPZ = re.compile(rb"PK\x03\x04.{26}0\.npy", re.DOTALL)

Proof = Callable[[Path], bool]

SPLITS = ("train", "valid", "test")


def is_alignment(path: Path) -> bool:
    """Whether every line of a file is an alignment in Pharaoh format."""
    with path.open("rb") as file:
        return all(LINE.fullmatch(line) for line in file)


def is_alignment_report(path: Path) -> bool:
    """Whether a file contains the scores of an alignment."""
    return {"precision", "recall", "aer"} <= read_object(path).keys()


def is_weights(path: Path) -> bool:
    """Whether a file contains soft alignments in numpy's format."""
    with path.open("rb") as file:
        return bool(NPZ.match(file.read(64)))


def report_path(alignment: Path) -> Path:
    """The path of the scores of an alignment."""
    return Path(f"{alignment}.report.json")


def refuse_strangers(alignment: Path, weights: Path | None, given: bool) -> None:
    """Raise UserError if a file would be overwritten that is not an alignment, scores or weights written by heed.

    An alignment is recognised by its place in a run folder. One whose path was `given` by the user may come from
    another program, or be made by hand, so it is never replaced.
    """
    if given and not _may_be_written(alignment, lambda path: False):
        raise UserError(f"output={alignment} already exists; remove it, or choose another output=FILE")
    written: list[tuple[str, Path, Proof]] = [("output", alignment, is_alignment)]
    written += [("output", report_path(alignment), is_alignment_report)]
    written += [("weights", weights, is_weights)] if weights else []
    for key, path, is_own in written:
        if not _may_be_written(path, is_own):
            raise UserError(f"{path} exists and was not written by heed-align; choose another {key}=FILE")


def own_files(folder: Path) -> list[Path]:
    """The alignments that heed-align has written into its own folder inside a run folder."""
    alignments = [folder / f"{split}.align" for split in SPLITS]
    written = [path for path in alignments if _is_own(path, is_alignment)]
    return written + [report_path(path) for path in alignments if _is_own(report_path(path), is_alignment_report)]


def _may_be_written(path: Path, is_own: Proof) -> bool:
    """Whether a path may be written: it does not exist, is empty, is not a regular file (a FIFO), or is heed's own."""
    try:
        return not path.is_file() or path.stat().st_size == 0 or is_own(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); choose another path for the output") from error


def _is_own(path: Path, is_own: Proof) -> bool:
    return path.is_file() and not path.is_symlink() and is_own(path)
