"""What the four doors share: from a command line to a checked config, and from any outcome to an exit code.

Exit codes: 0; 2 for what the user can mend, with one line on stderr; 1 for a fault of ours, with its traceback; 130
after Ctrl-C; 143 after SIGTERM; 141 when the reader of the output has gone, as for any program in a pipe.
"""

import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, cast

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from heed.cli.sweep import Ended, Job, Left, remove_record, returns, tell
from heed.errors import UserError
from heed.settings import MISSING, dotted, faults, nearest, shown, without_value
from heed.shipped import shipped
from heed.training.processes import await_turn, process_rank

CONFIGS = shipped("configs")

HYDRA_ERRORS = (HydraException, OmegaConfBaseException, ValueError)

Schema = Callable[..., object]


class Terminated(SystemExit):
    """SIGTERM has come."""


Leaves = Callable[[DictConfig, Any], Iterable[Left]]


def door(
    task: Callable[[DictConfig], object], schema: Schema, resumes: bool = False, leaves: Leaves | None = None
) -> Callable[[], None]:
    """The `main()` of a door: `task` gets its config composed from configs/<name of task>.yaml, resolved and checked.

    `schema` takes the top-level keys: its signature says which there are and of what type. Where the same command
    `resumes` what was stopped, it says so. Where it is known what a job of a sweep `leaves`, from its config and what
    `task` returned, the sweep ends with a table; of several answers the last stands that came before a fault.
    """

    def main() -> None:
        # Hydra would print its own errors, several lines of them, and exit with 1.
        os.environ["HYDRA_FULL_ERROR"] = "1"
        # Python's own form names a file of some library and a line of its code, which tells a user nothing.
        warnings.formatwarning = lambda message, *_: f"heed-{task.__name__}: {message}\n"
        with _heard_signals():
            sys.exit(_enter(task, schema, resumes, leaves))

    return main


@contextmanager
def _heard_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM unwind, so that what is half done is cleared away; where a parent ignores them, so do we.

    SIGTERM ends the second of several processes at once: it may be waiting for the first, deaf in a library.
    """
    heard: dict[int, Callable[[int, FrameType | None], Any]] = {signal.SIGINT: signal.default_int_handler}
    if process_rank() == 0:
        heard[signal.SIGTERM] = _terminate
    before = {number: signal.getsignal(number) for number in heard}
    for number, handler in heard.items():
        if before[number] != signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated(128 + number)


def compose(name: str, overrides: Sequence[str] = ()) -> DictConfig:
    """The config that the door `name` would get with these overrides, not yet checked."""
    with hydra.initialize_config_dir(config_dir=str(CONFIGS), version_base="1.3"):
        return hydra.compose(name, overrides=list(overrides))


def check(cfg: DictConfig, schema: Schema) -> None:
    """UserError with every fault of the config in one line: keys, missing values, types, in all `_target_` nodes."""
    found = faults(_plain(cfg), schema)
    if found:
        raise UserError("; ".join(found))


def build(node: DictConfig, **given: Any) -> Any:
    """What a `_target_` node describes, built from its keys and from what only the program knows (`given`).

    A `_partial_` node is built at once where something is given, else it is a function that waits for the rest.
    UserError where the target refuses a value. Lists and dicts arrive as plain ones: OmegaConf's would end up in
    checkpoints, which then could not be loaded without executing code.
    """
    waits = bool(node.get("_partial_")) and not given
    try:
        made = hydra.utils.instantiate(node, _convert_="all", _partial_=waits, **given)
    except InstantiationException as error:
        if not isinstance(error.__cause__, ValueError):
            raise
        raise UserError(f"{node._get_full_key(None)}: {error.__cause__}") from error
    return partial(_completed, made, node._get_full_key(None)) if waits else made


def _completed(made: Callable[..., Any], key: str, *arguments: Any, **keywords: Any) -> Any:
    try:
        return made(*arguments, **keywords)
    except ValueError as error:
        raise UserError(f"{key}: {error}") from error


def sweep_name() -> str | None:
    """What tells a job from the others of its `--multirun`, such as `seed-2+optim.lr-0.1`; None for a job alone.

    It names a folder, and is made of signs that need no quotes when that folder is given to another door.
    """
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    name = "+".join(f"{key}-{value}" for key, value in _swept(HydraConfig.get().overrides.task).items())
    return re.sub(r"[^\w.+-]", "_", name) or str(HydraConfig.get().job.num)


def _swept(overrides: Sequence[str]) -> dict[str, str]:
    """Those of a job's overrides in which the jobs of its sweep differ."""
    swept = {override.key_or_group for override in map(_read, _overrides()) if override.is_sweep_override()}
    return {key: value for key, _, value in (line.partition("=") for line in overrides) if key in swept}


def _plain(cfg: DictConfig) -> dict[str, Any]:
    try:
        return cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    except OmegaConfBaseException as error:
        # another key's value may be made of one that is missing: then that is the one to give
        missing = [without_value(key) for key, value in _dotted(cfg).items() if value == MISSING]
        raise UserError("; ".join(missing) or f"{error.full_key}: {str(error).splitlines()[0]}") from error


def _dotted(cfg: DictConfig) -> dict[str, Any]:
    return dotted(cast(dict[str, Any], OmegaConf.to_container(cfg)))


def _enter(task: Callable[[DictConfig], object], schema: Schema, resumes: bool, leaves: Leaves | None) -> int:
    name, codes, main = task.__name__, list[int](), os.getpid()

    def job(cfg: DictConfig) -> Ended:
        """Runs in a process of its own where a launcher gives it one, with a copy of all that stands around it."""
        if sweep_name():
            remove_record(Path(HydraConfig.get().sweep.dir), emptied=os.getpid() == main)
        codes.append(0)
        left: list[Left] = []

        def whole() -> None:
            made = task(_ready(cfg, schema))
            left.extend(leaves(cfg, made) if leaves and sweep_name() else ())

        ended = _ended(name, whole)
        codes[-1] = ended.code
        return replace(ended, left=left[-1]) if left else ended

    try:
        with returns() as returned:
            code = _ended(name, lambda: _hydra(name, job)).code
        jobs = [Job(_swept(one.overrides or []), one.return_value) for one in returned]
        for one in returned:
            remove_record(Path(OmegaConf.merge(one.hydra_cfg, one.cfg).hydra.sweep.dir))
        if jobs and leaves and process_rank() == 0:
            code = max(code, _ended(name, lambda: tell(jobs)).code)
        return max(code, *codes, *(one.ended.code for one in jobs), 0)
    except KeyboardInterrupt as stopped:
        return _stopped(task.__name__, 130, resumes and not stopped.args)
    except Terminated:
        return _stopped(task.__name__, 143, resumes)
    except SystemExit as leaving:
        if not codes:  # before any job: 1 is what Hydra says of a flag that it does not like
            return 2 if leaving.code == 1 else cast(int, leaving.code or 0)
        return cast(int, 143 if leaving.code is None else leaving.code)  # Lightning names no code after SIGTERM


def _stopped(name: str, code: int, untold: bool) -> int:
    """What else stops a run, once its first update is done, says at which; of several processes the first speaks."""
    if untold and process_rank() == 0:
        print(f"heed-{name}: stopped; the same command goes on from what is saved, or begins again", file=sys.stderr)
    return code


def _ready(cfg: DictConfig, schema: Schema) -> DictConfig:
    check(cfg, schema)
    OmegaConf.resolve(cfg)
    return cfg


def _ended(name: str, action: Callable[[], object]) -> Ended:
    try:
        action()
        sys.stdout.flush()
    except UserError as error:
        await_turn()
        print(f"heed-{name}: {_line(str(error))}", file=sys.stderr)
        return Ended(2, _line(str(error)))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains when it leaves
        return Ended(141, "the reader of the output has gone")
    except Exception as error:
        traceback.print_exc()
        return Ended(1, _line(f"a fault of heed: {error!r}"))
    return Ended(0)


def _line(message: str) -> str:
    """One line; what a file from a stranger put into it cannot move the cursor or colour the terminal."""
    return "".join(sign if sign.isprintable() else "�" for sign in " ".join(message.split()))


def _hydra(name: str, job: Callable[[DictConfig], Ended]) -> None:
    """Hydra's own main, with its complaints made UserErrors. Faults inside a job do not come this way."""
    if not CONFIGS.is_dir():
        raise UserError(f"no configs at {CONFIGS}; install heed again: pip install --force-reinstall --no-deps heed")
    overrides = _overrides()
    try:
        hydra.main(config_path=str(CONFIGS), config_name=name, version_base="1.3")(job)()
    except HYDRA_ERRORS as error:
        raise UserError(_explained(error, name, overrides)) from error


def _overrides() -> list[str]:
    """The overrides on the command line; UserError for a flag that does not exist."""

    def refuse(message: str) -> None:
        raise UserError(
            f"{message}; settings are written key=value, without dashes, and all of them before or after the flags "
            "(see --help)"
        )

    parser = get_args_parser()
    vars(parser)["error"] = refuse  # argparse would print its whole usage
    return cast(list[str], parser.parse_args().overrides)


def _explained(error: Exception, name: str, overrides: Sequence[str]) -> str:
    """One line for what Hydra refused: the first override at fault, with the nearest that is right."""
    found = [_reading_fault(line) or _option_fault(_read(line)) for line in overrides]
    if not any(found):
        known = _known_keys(name, [_read(line) for line in overrides])
        found = [_key_fault(_read(line), known) for line in overrides] if known else []
    return next(filter(None, found), str(error))


def _read(line: str) -> Override:
    return OverridesParser.create().parse_override(line)


def _groups() -> dict[str, list[str]]:
    folders = (folder for folder in CONFIGS.iterdir() if folder.is_dir() and folder.name != "hydra")
    return {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in folders}


def _known_keys(name: str, overrides: Sequence[Override]) -> set[str]:
    """Every key and group that the door has, with the options that were chosen; nothing where they do not compose."""
    try:
        groups = _with_hydra(name, []).hydra.runtime.choices
        cfg = _with_hydra(name, [str(chosen.input_line) for chosen in overrides if chosen.key_or_group in groups])
    except HYDRA_ERRORS:
        return set()
    return {*_dotted(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])), *groups}


def _with_hydra(name: str, overrides: list[str]) -> DictConfig:
    with hydra.initialize_config_dir(config_dir=str(CONFIGS), version_base="1.3"):
        return hydra.compose(name, overrides=overrides, return_hydra_config=True)


def _reading_fault(line: str) -> str | None:
    try:
        _read(line)
    except HydraException:
        return f"{line}: cannot be read; write key=value, with quotes around a value that holds special characters"
    return None


def _option_fault(override: Override) -> str | None:
    """What is wrong with an override that picks an option that its group does not have."""
    options = _groups().get(override.key_or_group)
    if options is None or override.is_delete() or isinstance(override.value(), dict):
        return None
    for choice in override.sweep_string_iterator() if override.is_sweep_override() else [override.value()]:
        if choice not in options:
            expected = f"{override.key_or_group} is one of {', '.join(options)}{nearest(shown(choice), options)}"
            return f"{override.input_line}: {expected}"
    return None


def _key_fault(override: Override, known: set[str]) -> str | None:
    key = override.key_or_group
    if key in known or key.startswith("hydra") or override.is_add() or override.is_force_add():
        return None
    return f"{override.input_line}: there is no key {key}{nearest(key, known)} (--cfg job shows them all)"
