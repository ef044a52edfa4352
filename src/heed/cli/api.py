"""`heed.train`: training as a function, with the same configs as the command."""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from heed.cli.config import compose, plain
from heed.cli.keys import known_keys, suggestion
from heed.cli.options import option_names, user_folders
from heed.cli.overrides import parsed, quoted
from heed.cli.progress import TerminalReporter
from heed.errors import UserError
from heed.experiment import Run, Settings
from heed.experiment import train as train_settings
from heed.settings import dotted, parse, shown
from heed.training.reporting import Reporter


def train(
    experiment: str | None = None,
    /,
    *,
    overrides: Mapping[str, Any] | Sequence[str] = (),
    progress: bool | Reporter = True,
    **settings: Any,
) -> Run:
    """Train a model, or resume a run that was stopped, as `heed-train` does.

    Args:
        experiment: A recipe, such as "multi30k_en_de"; None for the default, English to French on the embedded corpus.
        overrides: Settings by dotted key, such as {"model.hid_dim": 64}, or as they are typed after `heed-train`.
        progress: True prints a line for every validation, and a bar at a terminal; False prints nothing; or a Reporter.
        settings: Settings and groups by name: seed=2, run="mine", attention="dot", model={"hid_dim": 64}.

    Returns:
        The run: its folder, its report, and its translator.

    Raises:
        UserError: A setting does not exist or has a wrong value, a text cannot be read, or the run folder
            belongs to another run.
        KeyboardInterrupt: After Ctrl-C, once the run is saved. The same call resumes it.

    Example:
        >>> import heed
        >>> sizes = {"corpus.train": 200, "corpus.valid": 20, "model.hid_dim": 32, "trainer.max_steps": 2}
        >>> run = heed.train(run="first", corpus="reverse", subwords="word", overrides=sizes, progress=False)
        >>> str(run.folder), run.report["steps"]
        ('runs/first', 2)
        >>> run.translator.translate("1 2 3").source_words
        ['1', '2', '3']
    """
    _check(experiment, overrides, progress)
    listed = isinstance(overrides, Mapping)
    values = {**(overrides if isinstance(overrides, Mapping) else {}), **settings}
    folders = user_folders(None)
    groups = option_names(folders)
    chosen = {key: value for key, value in values.items() if key in groups and not isinstance(value, Mapping)}
    if experiment is not None:
        chosen["experiment"] = experiment
    lines = [f"{group}={'null' if option is None else quoted(str(option))}" for group, option in chosen.items()]
    cfg = compose("train", [*lines, *([] if listed else overrides)], folders)
    for key, value in values.items():
        if key not in chosen:
            _update(cfg, key, value, lines, folders)
    reporter = progress if isinstance(progress, Reporter) else TerminalReporter() if progress else Reporter()
    return train_settings(parse(Settings, plain(cfg)), reporter=reporter)


def _check(experiment: object, overrides: object, progress: object) -> None:
    """Raise UserError for an argument of a wrong type."""
    if not isinstance(experiment, str | None):
        raise UserError(f"experiment={experiment!r}: expected the name of a recipe, such as multi30k_en_de")
    listed = isinstance(overrides, Mapping | Sequence) and not isinstance(overrides, str | bytes)
    if not listed or not all(isinstance(line, str) for line in cast(Iterable[object], overrides)):
        raise UserError(f"overrides={overrides!r}: expected settings by dotted key, or strings such as seed=2")
    if not isinstance(progress, bool | Reporter):
        raise UserError(f"progress={progress!r}: expected True, False, or a Reporter")


def _update(cfg: DictConfig, key: str, value: Any, chosen: Sequence[str], folders: Sequence[Path]) -> None:
    """Set a value, or the values of a dict. Raise UserError if the options `chosen` have no such key."""
    given = str(value) if isinstance(value, PathLike) else value
    try:
        OmegaConf.update(cfg, key, given)
    except OmegaConfBaseException as error:
        keys = known_keys("train", [parsed(line) for line in chosen], folders)
        known = keys.known if keys else {key}
        wrong = next((below for below in dotted({key: given}) if below not in known), key)
        near = suggestion(wrong, keys) if keys else ""
        raise UserError(f"{key}={shown(value)}: there is no key {wrong}{near}") from error
