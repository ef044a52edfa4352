"""The run folder: its files decide whether a command begins a run, resumes it, or has nothing to do.

config.yaml        all settings, resolved; written first, and compared at every later start
environment.json   the text, the machine and the command with which the run began
report.json        written last: a run with this file is finished
sweep.md           the results of a sweep, whose run folders are below this one
.lock              locked while a process trains in the folder; the lock ends with the process
.replaced          the files of an old run, until the run that replaces it has a checkpoint

A caller locks the folder, asks for its state, reads the text, and only then begins:

    with locked(folder):
        if state(folder, config, overwrite) == "new":
            ...                                    # read the text, train the vocabularies
            with begin(folder, config, text) as begun:
                ...                                # train; call begun.settle() at the first checkpoint
                finish(folder, report)
"""

import errno
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from heed.bundle import FILES
from heed.errors import UserError
from heed.files import AlreadyLocked, finish_replacing, write_whole
from heed.files import locked as locked_file
from heed.runs import own_files
from heed.runs.added_settings import completed
from heed.runs.environment import environment
from heed.runs.json_files import read_object
from heed.runs.own_files import CONFIG, ENVIRONMENT, MODEL, REPORT, is_config, is_environment, is_report, is_run
from heed.runs.replacement import is_unsettled, put_aside, settle

SWEEP = "sweep.md"
LOCK = ".lock"

WITHOUT_EFFECT = ("run", "runs", "overwrite", "progress_bar")
"""Top-level settings that do not affect the result; two runs that differ only in them count as the same."""

DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)

DEBUG: Literal["debug"] = "debug"

State = Literal["new", "unfinished", "finished", "longer"]
"""`longer`: a finished run that will be continued, because only its length was increased."""

LENGTH = ("trainer.max_epochs", "trainer.max_steps")

Overwrite = bool | Literal["debug"]
"""Whether an existing run is replaced; `debug`: only if it was also begun with `debug`."""


@dataclass(frozen=True)
class Begun:
    """A run that has begun, and the folder with the files of the run that it replaces, if there is one."""

    folder: Path
    replaced: Path | None

    def settle(self) -> None:
        """Remove the old run's files if this run has a checkpoint; call it after the first checkpoint."""
        if self.replaced and own_files.has_checkpoint(self.folder):
            settle(self.folder)


def run_path(runs: str, name: str) -> Path:
    """The folder of a run. Raise UserError for a name that leads out of `runs`. Jobs of sweeps have nested names."""
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or any(part.startswith(".") for part in parts):
        raise UserError(f"run={name}: expected a name for a folder below {runs}, such as run=first-try")
    return Path(runs, name)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a run folder for this process, create it if needed, and finish what a killed process had begun.

    A folder that was created here is removed again if it is empty afterwards.

    Raises:
        UserError: another process trains in the folder, it cannot be written, or it has files of other programs.
    """
    _check_place(folder)
    made = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked_file(folder / LOCK))
        except AlreadyLocked:
            raise UserError(f"another process trains in {folder}; wait for it, or choose another run=NAME") from None
        except OSError as error:
            raise _unwritable(folder, error) from error
        with _nothing_left(folder, made), _disk_faults(folder):
            settle(folder)
            own_files.remove_half_written(folder)
            finish_replacing(folder / MODEL, FILES)
            yield


def _check_place(folder: Path) -> None:
    """Raise UserError if the folder cannot be read, or is not empty and not a run."""
    try:
        if os.path.lexists(folder) and not (is_run(folder) or is_unsettled(folder)):
            _refuse_strangers(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error


@contextmanager
def _nothing_left(folder: Path, made: Sequence[Path]) -> Iterator[None]:
    """Remove the folders that were `made`, innermost first, if they contain nothing except the lock."""
    try:
        yield
    finally:
        if made and folder.is_dir() and [path.name for path in folder.iterdir()] == [LOCK]:
            with suppress(OSError):  # another run was created beside it
                (folder / LOCK).unlink()
                for path in made:
                    path.rmdir()


def _removed(folder: Path) -> UserError:
    return UserError(
        f"{folder} or its {ENVIRONMENT} was removed while a run trained in it; its remaining files belong to no run: "
        "remove them, and start again"
    )


def _unwritable(folder: Path, error: OSError) -> UserError:
    if os.path.islink(folder / LOCK):  # noqa: PTH114 - Path.is_symlink raises for a name that is too long
        return UserError(
            f"{folder / LOCK} is a symlink, so heed has not created it; move it away, or choose another run=NAME"
        )
    return UserError(f"{folder} cannot be written ({error.strerror}); choose another folder with runs=DIR")


@contextmanager
def _disk_faults(folder: Path) -> Iterator[None]:
    """Raise UserError for a full disk and similar errors; files in a run folder are always written atomically."""
    try:
        yield
    except OSError as error:
        if error.errno in GONE and not is_run(folder):
            raise _removed(folder) from error
        if error.errno not in DISK_FAULTS:
            raise
        raise UserError(
            f"{error.filename or folder}: {error.strerror}; what was saved before is intact. Fix the disk, then "
            "the same command resumes from there"
        ) from error


def state(folder: Path, config: Mapping[str, Any], overwrite: Overwrite = False) -> State:
    """What a command with `config`, plain and resolved, has to do in the folder; nothing is changed.

    Returns:
        `new`: begin a run, in an empty folder or, with `overwrite`, instead of the existing run.
        `unfinished`: resume the existing run.
        `finished`: there is nothing to do.
        `longer`: continue the existing, finished run, because only its length was increased.

    Raises:
        UserError: the folder contains a run with other settings, or files that heed has not written.
    """
    if not is_run(folder):
        _refuse_strangers(folder)
        return "new"
    before = _read_config(folder)
    if overwrite is True or (overwrite == DEBUG and before.get("overwrite") == DEBUG) or not before:
        _refuse_incomplete(folder, before, overwrite)
        _refuse(own_files.conflicts(folder))
        return "new"
    _refuse_former_settings(folder, before)
    different = differences(before, config)
    if different and (folder / REPORT).exists() and _is_longer(before, config):
        _refuse_stopped_early(folder)
        _refuse(own_files.conflicts_on_resuming(folder))
        return "longer"
    if different:
        raise UserError(
            f"{folder} contains a run with other settings ({', '.join(different)}); give another name, such as "
            f"run={_free_name(folder, config, before)}, or start over with overwrite=true"
        )
    _refuse(own_files.conflicts_on_resuming(folder))
    return "finished" if (folder / REPORT).exists() else "unfinished"


def lengthen(folder: Path, config: Mapping[str, Any]) -> None:
    """Turn a finished run whose `state` is `longer` into an unfinished one with this config."""
    (folder / REPORT).unlink()  # first, because with the new config and this report the run would look finished
    write_whole(folder / CONFIG, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))


def former_config(folder: Path) -> dict[str, Any]:
    """The settings with which the run in this folder was begun or last lengthened."""
    return _read_config(folder)


def check_text(folder: Path, text: Mapping[str, str]) -> None:
    """Raise UserError if the run in this folder was begun with another text; `text` has a digest of each split."""
    before = read_object(folder / ENVIRONMENT).get("text")
    if not isinstance(before, dict):  # begun by a version of heed that did not record it
        return
    changed = [split for split, digest in text.items() if before.get(split) != digest]
    if changed:
        raise UserError(
            f"{folder}: the text has changed since this run was begun (split {' and '.join(changed)}, or the links or "
            "references that belong to it); restore the old text, give another run=NAME, or start over with "
            "overwrite=true"
        )


@contextmanager
def begin(folder: Path, config: Mapping[str, Any], text: Mapping[str, str]) -> Iterator[Begun]:
    """Begin a run in a locked folder whose `state` is `new`: write its config and environment.

    An existing run is moved aside. Its files are removed when this run has a checkpoint; if this run ends before, they
    are moved back, at its end or at the next start. `text` has a digest of each split that the run reads. If a
    UserError ends the run before it has logged anything, all its files are removed.

    Raises:
        UserError: a file would be overwritten that heed has not written.
    """
    _refuse(own_files.conflicts(folder))
    begun = Begun(folder, put_aside(folder))
    try:
        write_whole(folder / ENVIRONMENT, json.dumps(environment(config) | {"text": dict(text)}, indent=2) + "\n")
        write_whole(folder / CONFIG, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))
        yield begun
    except UserError:
        if not (begun.replaced or own_files.has_checkpoint(folder) or (folder / "tensorboard").exists()):
            own_files.remove(folder, own_files.own_files(folder))
        raise
    finally:
        settle(folder)


def finish(folder: Path, report: Mapping[str, Any]) -> None:
    """Write the report, which marks the run as finished.

    Raises:
        UserError: there is such a file that heed has not written, or the folder is not a run any more.
    """
    if not is_run(folder):
        raise _removed(folder)
    if os.path.lexists(folder / REPORT) and not is_report(folder / REPORT):
        _refuse([folder / REPORT])
    write_whole(folder / REPORT, json.dumps(dict(report), indent=2, ensure_ascii=False) + "\n")


def differences(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The settings that differ, as `key old -> new`, without those that do not affect the result.

    A setting that only one of the runs has counts as what the other did without it (`heed.runs.added_settings`).
    """
    old, new = _both(kept, wanted)
    keys = [key for key in old | new if _effective(key)]
    pairs = [(key, _shown(old, key), _shown(new, key)) for key in keys]
    return [f"{key} {before} -> {after}" for key, before, after in pairs if before != after]


def _is_longer(before: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether only the length of the run was increased."""
    old, new = _both(before, config)
    others = [
        key for key in old | new if _effective(key) and key not in LENGTH and _shown(old, key) != _shown(new, key)
    ]
    lengths = [(old.get(key), new.get(key)) for key in LENGTH]
    return not others and all(one == other or _is_more(one, other) for one, other in lengths)


def _is_more(one: object, other: object) -> bool:
    """Whether a limit was raised or, with None, removed."""
    if not isinstance(one, int | float):
        return False
    return other is None or (isinstance(other, int | float) and other > one)


def _refuse_stopped_early(folder: Path) -> None:
    """Raise UserError for a longer run that would stop early again."""
    if read_object(folder / REPORT).get("stopped_early"):
        raise UserError(
            f"{folder} was stopped early and would stop at the same step again; to train its model further, give "
            f"init_from={folder / MODEL} and another run=NAME"
        )


def _refuse_former_settings(folder: Path, config: Mapping[str, Any]) -> None:
    """Raise UserError for a run with the settings of heed 0.1.0, in which configs named functions to call."""
    corpus = config.get("corpus")
    if isinstance(corpus, Mapping) and "_target_" in corpus:
        raise UserError(
            f"{folder} contains a run of heed 0.1.0, whose settings have other names; finish it with that version, "
            f"give another run=NAME, or start over with overwrite=true ({folder}/model can be used as before)"
        )


def _refuse(strange: Sequence[Path]) -> None:
    if strange:
        raise UserError(
            f"{strange[0]} is damaged, or was not written by heed, so it is not changed; move it away, or choose "
            "another run=NAME"
        )


def _refuse_strangers(folder: Path) -> None:
    """Raise UserError if a folder that is not a run contains more than hidden files and the runs of a sweep."""
    if not folder.is_dir():
        if os.path.lexists(folder):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        return
    visible = sorted(child for child in folder.iterdir() if not child.name.startswith(".") and child.name != SWEEP)
    strange = [child for child in visible if not is_environment(child / ENVIRONMENT)]
    if strange:
        raise UserError(
            f"{folder} contains {strange[0].name} and is not a run of heed, so nothing in it is changed; choose "
            "another run=NAME, or move it away"
        )


def _read_config(folder: Path) -> dict[str, Any]:
    """The settings of a run; empty if a process was killed while it began or was being removed."""
    path = folder / CONFIG
    if os.path.lexists(path) and not is_config(path):
        _refuse([path])
    return own_files.read_config(path) or {}


def _refuse_incomplete(folder: Path, config: Mapping[str, Any], overwrite: Overwrite) -> None:
    """Raise UserError for a run without settings, unless it has no other files or is to be replaced."""
    rest = [path for path in own_files.own_files(folder) if path.name != ENVIRONMENT]
    if rest and not config and overwrite is not True:
        raise UserError(
            f"{folder} contains a run without its {CONFIG}; restore it, choose another run=NAME, or start over with "
            "overwrite=true"
        )


def _free_name(folder: Path, config: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """An unused name for a run with other settings than the one in `folder`, made of the settings that differ."""
    old, new = _both(before, config)
    changed = {key: value for key, value in new.items() if _effective(key) and _shown(old, key) != _shown(new, key)}
    words = [value for value in changed.values() if isinstance(value, str) and re.fullmatch(r"[\w-]{1,24}", value)]
    pairs = [f"{key.rpartition('.')[2]}-{_plain(value)}" for key, value in changed.items()]
    name = "-".join([str(config.get("run") or folder.name), *(words or pairs or ["2"])[:1]])
    numbered = (f"{name}-{number}" for number in range(2, 10**6))
    root = Path(str(config.get("runs") or folder.parent))
    return next(one for one in (name, *numbered) if not os.path.lexists(root / one))


def _plain(value: object) -> str:
    """A value in characters that need no quotes in a shell, a file name or an override."""
    return re.sub(r"[^\w.]+", "-", json.dumps(value, ensure_ascii=False)).strip("-.")[:24] or "none"


def _effective(key: str) -> bool:
    return key.partition(".")[0] not in WITHOUT_EFFECT


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of two runs by dotted key, both with those that either of them knows."""
    return _flat(completed(one, other)), _flat(completed(other, one))


def _flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{above}{key}.")
        else:
            flat[f"{above}{key}"] = value
    return flat


def _shown(settings: Mapping[str, Any], key: str) -> str:
    """A value as text; a whole number has the same text whether `1` or `1.0` was given."""
    return json.dumps(settings[key], ensure_ascii=False).removesuffix(".0") if key in settings else "(none)"
