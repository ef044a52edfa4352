"""Recognise the files that heed-align has written; no other files are replaced.

NAME               Pharaoh lines
NAME.report.json   identifies them: their digest, and their scores if there was a gold alignment
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from heed.errors import UserError
from heed.files import check_writable
from heed.runs.json_files import read_object

Proof = Callable[[Path], bool]

DIGEST, SCORES = "sha256", {"precision", "recall", "f1", "aer"}

SPLITS = ("train", "valid", "test")


def digest(content: bytes) -> dict[str, str]:
    """The entry of a report that identifies the content of its alignment."""
    return {DIGEST: hashlib.sha256(content).hexdigest()}


def is_alignment(path: Path) -> bool:
    """Whether a file is exactly what heed-align wrote; if it was corrected by hand, it is not."""
    return digest(path.read_bytes()).items() <= read_object(report_path(path)).items()


def is_alignment_report(path: Path) -> bool:
    """Whether a file is the report of an alignment."""
    keys = read_object(path).keys()
    return keys in ({DIGEST}, SCORES, {DIGEST, *SCORES})  # an earlier release wrote no digest


def report_path(alignment: Path) -> Path:
    """The path of the scores of an alignment."""
    return Path(f"{alignment}.report.json")


def refuse_strangers(alignment: Path, weights: Path | None, given: bool) -> None:
    """Raise UserError if writing an alignment would replace a file that heed has not written, or that the user named.

    Only the alignment in its usual place in a run folder is replaced, and reports of alignments. A path that was
    `given` by the user is never replaced, nor are weights, whose path is always given.
    """
    refuse_alignment(alignment, given)
    refuse_report(report_path(alignment))
    if weights:
        refuse_weights(weights)


def refuse_alignment(path: Path, given: bool) -> None:
    """`refuse_strangers` for the alignment alone."""
    if given:
        _refuse_existing(path, "output")
    else:
        _refuse_others(path, is_alignment)


def refuse_report(path: Path) -> None:
    """`refuse_strangers` for the report alone."""
    _refuse_others(path, is_alignment_report)


def refuse_weights(path: Path) -> None:
    """`refuse_strangers` for the weights alone."""
    _refuse_existing(path, "weights")


def _refuse_existing(path: Path, key: str) -> None:
    if not _may_be_written(path, lambda path: False):
        raise UserError(f"{key}={path} already exists; remove it, or choose another {key}=FILE")


def _refuse_others(path: Path, is_own: Proof) -> None:
    if not _may_be_written(path, is_own):
        raise UserError(
            f"{path} exists and was not written by heed-align, or was changed since; choose another output=FILE"
        )


def check_places(alignment: Path, weights: Path | None) -> None:
    """UserError if the alignment or the weights cannot be written where they are to be."""
    for key, path in (("output", alignment), ("weights", weights)):
        try:
            if path and not path.exists():
                check_writable(path.parent)
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error.strerror}); choose another with {key}=FILE") from error


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
