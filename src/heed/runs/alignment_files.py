"""Which files heed-align has written: no other is replaced.

NAME               Pharaoh lines
NAME.report.json   by which these are known: their digest, and their scores if there was a gold alignment
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from heed.errors import UserError
from heed.files import check_writable
from heed.runs.json_files import read_object

NPZ = re.compile(rb"PK\x03\x04.{26}0\.npy", re.DOTALL)

Proof = Callable[[Path], bool]

DIGEST, SCORES = "sha256", {"precision", "recall", "f1", "aer"}

SPLITS = ("train", "valid", "test")


def digest(content: bytes) -> dict[str, str]:
    """What a report says of the content of its alignment."""
    return {DIGEST: hashlib.sha256(content).hexdigest()}


def is_alignment(path: Path) -> bool:
    """Whether a file is what heed-align wrote, byte for byte: corrected by hand, it is not."""
    return digest(path.read_bytes()).items() <= read_object(report_path(path)).items()


def is_alignment_report(path: Path) -> bool:
    """Whether a file is a report on an alignment."""
    keys = read_object(path).keys()
    return keys in ({DIGEST}, SCORES, {DIGEST, *SCORES})  # without a digest: of an earlier release


def is_weights(path: Path) -> bool:
    """Whether a file holds soft alignments, as numpy writes them."""
    with path.open("rb") as file:
        return bool(NPZ.match(file.read(64)))


def report_path(alignment: Path) -> Path:
    """Where the scores of an alignment are."""
    return Path(f"{alignment}.report.json")


def refuse_strangers(alignment: Path, weights: Path | None, given: bool) -> None:
    """UserError if what would be written over is anything but a former alignment of heed's, its scores or weights.

    One whose place was `given` is not replaced in any case.
    """
    if given and not _may_be_written(alignment, lambda path: False):
        raise UserError(f"output={alignment} is there already; remove it, or choose another output=FILE")
    written: list[tuple[str, Path, Proof]] = [("output", alignment, is_alignment)]
    written += [("output", report_path(alignment), is_alignment_report)]
    written += [("weights", weights, is_weights)] if weights else []
    for key, path, is_own in written:
        if not _may_be_written(path, is_own):
            raise UserError(f"{path} is there, and heed-align has not written it; choose another {key}=FILE")


def check_places(alignment: Path, weights: Path | None) -> None:
    """UserError if the alignment or the weights cannot be written where they are to be."""
    for key, path in (("output", alignment), ("weights", weights)):
        try:
            if path and not path.exists():
                check_writable(path.parent)
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error.strerror}); choose another with {key}=FILE") from error


def own_files(folder: Path) -> list[Path]:
    """The alignments that heed-align has written into the folder of a run that it makes for them."""
    alignments = [folder / f"{split}.align" for split in SPLITS]
    written = [path for path in alignments if _is_own(path, is_alignment)]
    return written + [report_path(path) for path in alignments if _is_own(report_path(path), is_alignment_report)]


def _may_be_written(path: Path, is_own: Proof) -> bool:
    """A file that does not exist, is empty, cannot be replaced (a FIFO), or is heed's own."""
    try:
        return not path.is_file() or path.stat().st_size == 0 or is_own(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); choose another place for the output") from error


def _is_own(path: Path, is_own: Proof) -> bool:
    return path.is_file() and not path.is_symlink() and is_own(path)
