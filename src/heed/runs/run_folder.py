"""A run is its folder: what is in it decides whether the same command begins, goes on, or has nothing to do.

config.yaml        every setting, resolved; written first, compared ever after
environment.json   with what, on what and by which command the run was begun
report.json        written last: a folder that holds it is finished
sweep.md           what came of the jobs of a sweep, whose run folders are below this one
.lock              held while a process trains in the folder; it goes with the process, however that ends
.emptying          the former config of a run that is being removed
"""

import errno
import fcntl
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
import yaml

from heed.errors import UserError
from heed.files import write_whole

CONFIG, ENVIRONMENT, REPORT = "config.yaml", "environment.json", "report.json"
SWEEP = "sweep.md"
LOCK, EMPTYING = ".lock", ".emptying"

WITHOUT_EFFECT = ("run", "runs", "overwrite", "progress_bar")
"""Top-level settings that change nothing in the result, so that two runs may differ in them and be the same."""

PACKAGES = ("heed", "torch", "lightning", "sentencepiece", "sacrebleu", "numpy", "hydra-core")

DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)

Found = Literal["new", "unfinished", "finished"]


def run_path(runs: str, name: str) -> Path:
    """The folder of a run. UserError for a name that leads out of `runs`; a nested one is a job of a sweep."""
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or any(part.startswith(".") for part in parts):
        raise UserError(f"run={name}: expected a name for a folder below {runs}, such as run=first-try")
    return Path(runs, name)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a run folder for this process, made if need be; UserError where another process trains in it.

    A folder that was made here goes again with a UserError that ends its run before there is anything to go on with.
    """
    made = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a")
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); choose another place with runs=…") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another process trains in {folder}; wait for it, or choose another run=…") from None
        with _nothing_left(folder, made), _disk_faults_told(folder):
            yield


@contextmanager
def _nothing_left(folder: Path, made: Sequence[Path]) -> Iterator[None]:
    """Take away what was `made` for a run, innermost first, where a UserError ends it before its first curve."""
    try:
        yield
    except UserError:
        if made and not (_holds_work(folder) or (folder / "tensorboard").exists()):
            shutil.rmtree(folder, ignore_errors=True)
            for parent in made[1:]:
                with suppress(OSError):  # another run is in it by now
                    parent.rmdir()
        raise


@contextmanager
def _disk_faults_told(folder: Path) -> Iterator[None]:
    """UserError for a full disk and the like; everything in a run folder is written whole or not at all."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        raise UserError(
            f"{error.filename or folder}: {error.strerror}; what was saved before is whole, and once this is mended "
            "the same command goes on from there"
        ) from error


def begin(folder: Path, config: Mapping[str, Any], overwrite: bool = False) -> Found:
    """What the folder was found to be, after which it holds `config` and the environment of its beginning.

    `config` is plain and resolved. UserError, and nothing touched, where the folder holds a run with other settings or
    what is no run. A run that ended before its first checkpoint, as one with a misspelt path does, gives way to other
    settings. `overwrite` empties a run folder first. Call it while the folder is `held`.
    """
    if overwrite or (folder / EMPTYING).exists():
        _empty(folder)
    if not (folder / CONFIG).exists():
        _refuse_strangers(folder)
        write_whole(folder / ENVIRONMENT, json.dumps(environment(config), indent=2) + "\n")
        write_whole(folder / CONFIG, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))
        return "new"
    different = differences(_kept_config(folder / CONFIG), config)
    if different and not _holds_work(folder):
        _empty(folder)
        return begin(folder, config)
    if different:
        raise UserError(
            f"{folder} holds a run with other settings ({', '.join(different)}); "
            "give this one its own run=NAME, or start over with overwrite=true"
        )
    return "finished" if (folder / REPORT).exists() else "unfinished"


def finish(folder: Path, report: Mapping[str, Any]) -> None:
    """Write the report, by which the run is finished."""
    write_whole(folder / REPORT, json.dumps(dict(report), indent=2, ensure_ascii=False) + "\n")


def differences(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Each setting with another value, as `key old -> new`; those without effect on the result are left out."""
    old, new = _flat(kept), _flat(wanted)
    keys = [key for key in old | new if key.split(".")[0] not in WITHOUT_EFFECT]
    pairs = [(key, _shown(old, key), _shown(new, key)) for key in keys]
    return [f"{key} {before} -> {after}" for key, before, after in pairs if before != after]


def environment(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a result depends on beside the settings, and when it was begun (UTC)."""
    return {
        "command": shlex.join(_typed()),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": config.get("seed"),
        "git": _git(),
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "machine": {
            "platform": platform.platform(),
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        },
    }


def _typed() -> list[str]:
    """The command line; a process that a launcher made for a job of a sweep has it from its parent, in `sys.argv`."""
    own = sys.orig_argv[len(sys.orig_argv) - len(sys.argv) + 1 :]
    return sys.orig_argv if own == sys.argv[1:] else [sys.executable, *sys.argv]


def _contents(folder: Path) -> list[Path]:
    """What stands in a folder, except for hidden files and for runs of their own: a sweep's table and its jobs."""
    visible = (child for child in folder.iterdir() if not child.name.startswith(".") and child.name != SWEEP)
    return [child for child in visible if not (child / ENVIRONMENT).is_file()]


def _holds_work(folder: Path) -> bool:
    """Whether anything is there that took longer to make than the vocabularies."""
    return (folder / REPORT).exists() or any((folder / "checkpoints").glob("*.ckpt"))


def _refuse_strangers(folder: Path) -> None:
    strange = sorted(child.name for child in _contents(folder) if child.name != ENVIRONMENT)
    if strange:
        raise UserError(
            f"{folder} holds {strange[0]} but no {CONFIG}, so it is no run and nothing in it is touched; "
            "choose another run=NAME, or move it away"
        )


def _empty(folder: Path) -> None:
    """Remove a run. The mark makes the next start go on with it, should this one be killed half-way."""
    mark = folder / EMPTYING
    if (folder / CONFIG).exists():
        (folder / CONFIG).replace(mark)
    elif not mark.exists():
        return
    for child in _contents(folder):
        shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
    mark.unlink()


def _kept_config(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged; choose another run=NAME, or start over with overwrite=true")
    return content


def _flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{above}{key}.")
        else:
            flat[f"{above}{key}"] = value
    return flat


def _shown(settings: Mapping[str, Any], key: str) -> str:
    return json.dumps(settings[key], ensure_ascii=False) if key in settings else "(none)"


def _git() -> dict[str, Any] | None:
    """Commit of the checkout that heed runs from, and whether it was changed since; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        answer = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    commit, _, dirty = answer.strip().partition("-")
    return {"commit": commit, "dirty": bool(dirty)}


def _cpu_name() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())
