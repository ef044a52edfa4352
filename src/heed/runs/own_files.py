"""Recognise the files of a run folder that heed has written; no other files are ever removed or replaced.

A file is heed's if it has one of the names that heed writes, is a regular file (not a symlink, nor below one), and has
the content that heed writes. A folder is a run if its environment.json is heed's.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from heed.bundle import FILES, is_model_file
from heed.files import remove_parts
from heed.runs import alignment_files, evaluation_folder
from heed.runs.json_files import read_object
from heed.text.subwords import is_subword_model
from heed.training.event_files import own_event_files

CONFIG, ENVIRONMENT, REPORT, TRACE = "config.yaml", "environment.json", "report.json", "trace.json"
LAST, BEST, PREVIOUS = (f"checkpoints/{name}.ckpt" for name in ("last", "best", "previous"))
SUBWORDS = ("subwords/source.model", "subwords/target.model")
MODEL = "model"

CONFIG_KEYS = {"seed", "corpus", "model", "subwords", "label_smoothing"}
ENVIRONMENT_KEYS = {"command", "started", "seed", "packages", "python", "machine"}
REPORT_KEYS = {"best", "steps", "history", "tokens_per_second"}
"""Keys that identify a file: no file of another program has all of them."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def is_run(folder: Path) -> bool:
    """Whether this folder is a run of heed."""
    return is_environment(folder / ENVIRONMENT)


def is_config(path: Path) -> bool:
    """Whether this is the config.yaml of a run."""
    return read_config(path) is not None


def read_config(path: Path) -> dict[str, Any] | None:
    """The settings of a run; None if the file is missing or damaged, or heed has not written it."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None
    return content if isinstance(content, dict) and content.keys() >= CONFIG_KEYS else None


def is_environment(path: Path) -> bool:
    """Whether this is the environment.json of a run."""
    content = read_object(path)
    packages = content.get("packages")
    return content.keys() >= ENVIRONMENT_KEYS and isinstance(packages, dict) and isinstance(packages.get("heed"), str)


def is_report(path: Path) -> bool:
    """Whether this is the report.json of a finished run."""
    return read_object(path).keys() >= REPORT_KEYS


def _is_checkpoint(path: Path) -> bool:
    """Whether this is a checkpoint of heed, even if its end is missing or damaged; the format key is near its start."""
    with path.open("rb") as file:
        start = file.read(CHECKPOINT_START)
    return start.startswith(b"PK") and b"heed_format" in start


CHECKPOINT_START = 2**22  # bytes; the key was found at 13 KiB and at 17 KiB


def _is_trace(path: Path) -> bool:
    """Whether this is a trace with heed's mark."""
    with path.open("rb") as file:
        return file.read(len(TRACE_MARK)) == TRACE_MARK


TRACE_MARK = b'{"written_by": "heed",'


PROOFS: Mapping[str, Callable[[Path], bool]] = {
    TRACE: _is_trace,
    **dict.fromkeys((LAST, BEST, PREVIOUS), _is_checkpoint),
    **dict.fromkeys(SUBWORDS, is_subword_model),
    **{f"{MODEL}/{name}": is_model_file for name in FILES if name != "config.json"},
    f"{MODEL}/config.json": is_model_file,
    REPORT: is_report,
    CONFIG: is_config,
    ENVIRONMENT: is_environment,
}
"""Name of a file that training writes -> a function that recognises it; files that prove others come last."""


def own_files(folder: Path) -> list[Path]:
    """All files of the run in this folder that heed has written, in the order in which they can be removed."""
    proved = [folder / name for name, proof in PROOFS.items() if _is_own(folder, folder / name, proof)]
    others = [*own_event_files(folder), *evaluation_folder.own_files_below(folder / "evaluate", is_run)]
    others += alignment_files.own_files(folder / "align")
    return [path for path in others if _is_direct(folder, path)] + proved


def conflicts(folder: Path) -> list[Path]:
    """Files that a new run would overwrite and that heed has not written."""
    places = {folder / name for name in PROOFS} | {(folder / name).parent for name in PROOFS} | {folder / "tensorboard"}
    own = {*own_files(folder)}
    return sorted(path for path in places - {folder} - own if os.path.lexists(path) and not _is_folder(path))


def conflicts_on_resuming(folder: Path) -> list[Path]:
    """Files that a resumed run would overwrite and that are not its own; symlinks are followed."""
    names = [REPORT, TRACE, *(f"{MODEL}/{name}" for name in FILES)]
    if not os.path.lexists(folder / LAST) or _holds(folder / LAST, _is_checkpoint):
        names += [BEST, PREVIOUS]  # a damaged last checkpoint is handled when checkpoints are read
    paths = [folder / name for name in names]
    folders = sorted({(folder / name).parent for name in PROOFS} - {folder} | {folder / "tensorboard"})
    return [path for path in folders if os.path.lexists(path) and not path.is_dir()] + [
        path
        for path, name in zip(paths, names, strict=True)
        if os.path.lexists(path) and not _holds(path, PROOFS[name])
    ]


def has_checkpoint(folder: Path) -> bool:
    """Whether there is a checkpoint to resume from."""
    return any((folder / name).is_file() for name in (LAST, PREVIOUS))


def remove_half_written(folder: Path) -> None:
    """Remove temporary files of killed processes; call it while the folder is locked."""
    for name in PROOFS:
        if _is_folder((folder / name).parent):
            remove_parts(folder / name)


def remove(folder: Path, files: list[Path]) -> None:
    """Remove these files, and the folders below `folder` that become empty."""
    for path in files:
        path.unlink(missing_ok=True)
    remove_empty(folder, files)


def remove_empty(folder: Path, files: list[Path]) -> None:
    """Remove the folders below `folder` that contained these files, if they are empty."""
    for parent in sorted({parent for path in files for parent in _parents(folder, path)}, reverse=True):
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()


def _parents(folder: Path, path: Path) -> Iterator[Path]:
    yield from (parent for parent in path.parents if folder in parent.parents)


def _is_own(folder: Path, path: Path, proof: Callable[[Path], bool]) -> bool:
    return _is_direct(folder, path) and _holds(path, proof)


def _holds(path: Path, proof: Callable[[Path], bool]) -> bool:
    try:
        return path.is_file() and proof(path)
    except OSError:
        return False


def _is_direct(folder: Path, path: Path) -> bool:
    """Whether there is no symlink between the folder and the file."""
    return path.is_file() and not any(part.is_symlink() for part in (path, *_parents(folder, path)))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
