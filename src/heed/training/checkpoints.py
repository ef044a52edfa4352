"""Checkpoints: what is saved and when, so that a kill never leaves half a file; and early stopping."""

import logging
import os
import signal
import zipfile
from collections.abc import Callable, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from pydantic import Field

from heed.errors import UserError
from heed.files import put_in_place, remove_parts, write_part
from heed.metrics.scores import Metric, rank
from heed.signals import Deferral
from heed.training.module import TranslationModule
from heed.training.reporting import Reporter, StoppedEarly

Record = dict[str, int | float]
"""A validation: its step and its scores by name; plain values, so that loading a checkpoint executes no code."""

FORMAT = 2
"""The format number of checkpoints; it changes when checkpoints of earlier versions cannot be resumed any more."""

LAST, BEST, PREVIOUS = (f"checkpoints/{name}.ckpt" for name in ("last", "best", "previous"))

log = logging.getLogger(__name__)


class WholeFiles(TorchCheckpointIO):
    """Writes checkpoints atomically, even if the machine loses power.

    Lightning's own writer also renames, but without fsync: a crash of the machine can leave a file without its content.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write a temporary file, force it to the disk, then rename it; the last checkpoint becomes the previous one.

        If `path` is a symlink, it is replaced; the file that it names, such as a copy, is not changed.
        """

        def write(temporary: Path) -> None:
            # given a path, torch.save would replace the disk's error by one of its own
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)

        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        part = write_part(place, write)
        if place.name == Path(LAST).name and place.exists():
            place.replace(place.with_name(Path(PREVIOUS).name))
        put_in_place(part, place)


def resumable(folder: Path) -> Path | None:
    """The newest complete checkpoint of a run, or None if there is no checkpoint yet.

    A damaged checkpoint is renamed with a warning; otherwise it would replace the complete one at the next rotation.

    Raises:
        UserError: no checkpoint is complete, or it was written by a version of heed with another format.
    """
    for name in (LAST, BEST, PREVIOUS):
        remove_parts(folder / name)  # left by a process that was killed while writing
    paths = [folder / name for name in (LAST, PREVIOUS) if (folder / name).exists()]
    whole = next((path for path in paths if is_whole(path)), None)
    if paths and not whole:
        names = " and ".join(map(str, paths))
        raise UserError(f"{names} cannot be read; restore a copy, or start over with overwrite=true")
    if whole:
        _refuse_other_formats(whole)
    if whole and whole != paths[0]:
        aside = paths[0].rename(_free(paths[0].with_suffix(".damaged")))
        log.warning("%s cannot be read; renamed to %s, continuing from %s", paths[0], aside.name, whole.name)
    return whole


def _free(path: Path) -> Path:
    """The path, or a similar one if it exists."""
    others = (path.with_suffix(f".{number}{path.suffix}") for number in count(2))
    return next(one for one in chain([path], others) if not os.path.lexists(one))


def _refuse_other_formats(path: Path) -> None:
    """Raise UserError for a checkpoint of another format."""
    if torch.load(path, weights_only=True, map_location="cpu", mmap=True).get("heed_format") != FORMAT:
        raise UserError(
            f"{path} was written by another version of heed; finish the run with that version, or start over with "
            "overwrite=true"
        )


def is_whole(path: Path) -> bool:
    """Whether a checkpoint is undamaged and loads without executing code.

    torch.load notices a missing end but not altered weights, because it does not check the checksums that torch.save
    writes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sound = archive.testzip() is None
        content = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
        return sound and "global_step" in content
    except Exception:  # altered bytes can raise anything
        return False


class EarlyStop(Callback):
    """Stops after `patience` validations in a row that did not exceed the best one by more than `min_delta`.

    Validations are compared by `metric` and, if it is equal, by chrF, because a score such as BLEU can be 0 while
    translations improve. The loss is not compared, because it can fall forever while no translation changes.
    Lightning's own early stopping forgets on resume that it had stopped.
    """

    def __init__(
        self,
        metric: Metric,
        reporter: Reporter | None = None,
        patience: Annotated[int, Field(ge=1)] = 5,
        min_delta: float = 0.0,
    ) -> None:
        self.metric, self.patience, self.min_delta = metric, patience, min_delta
        self.reporter = reporter or Reporter()
        self.best: dict[str, float] = {}
        """The best scores so far."""
        self.waited = 0
        """Validations since the best one."""
        self.stopped: StoppedEarly | None = None
        """When and why the run was stopped, or None."""

    def state_dict(self) -> dict[str, Any]:
        """The state as plain values."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state."""
        self.best, self.waited = state_dict["best"], state_dict["waited"]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop at once if the checkpoint was written after early stopping."""
        self._stop_if_due(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare the scores with the best ones."""
        scores = cast(TranslationModule, pl_module).scores
        if not self.best or self._is_better(scores):
            self.best, self.waited = dict(scores), 0
        else:
            self.waited += 1
        self._stop_if_due(trainer)

    def _is_better(self, scores: Mapping[str, float]) -> bool:
        (new, *new_ties), (best, *best_ties) = (rank(self.metric, each)[:2] for each in (scores, self.best))
        return new - self.min_delta > best or (new == best and new_ties > best_ties)

    def _stop_if_due(self, trainer: Trainer) -> None:
        if self.waited >= self.patience:
            trainer.should_stop = True
            if trainer.global_step < trainer.max_steps:
                steps = int(trainer.max_steps)
                self.stopped = StoppedEarly(trainer.global_step, steps, self.metric.name, self.patience)
                if trainer.is_global_zero:
                    self.reporter.stopped_early(self.stopped)


class Stopped(BaseException):
    """A signal has stopped the run between two updates; the last checkpoint was written then.

    It is not a KeyboardInterrupt, because Lightning would turn that into SystemExit.
    """

    def __init__(self, number: signal.Signals, step: int) -> None:
        super().__init__(number, step)
        self.number, self.step = number, step


class Checkpoints(Checkpoint):
    """Saves the last checkpoint after every validation and every `every_steps` updates, and the best model by `metric`.

    If models are equal by `metric`, chrF decides, then the loss, then the earlier step.

    Ctrl-C and SIGTERM are deferred until the update, and a validation after it, is finished and saved. A second signal
    is not deferred.

    If a validation follows a step, the checkpoint is written after it. Lightning would treat an earlier checkpoint as
    one whose validation is finished, and a kill in between would lose a point of every validation curve.
    """

    def __init__(self, metric: Metric, every_steps: Annotated[int, Field(ge=1)] = 500) -> None:
        self.metric, self.every_steps = metric, every_steps
        self.history: list[Record] = []
        self.on_best: Callable[[Record], None] = lambda scores: None
        """Called with the scores of a validation if it is the best so far, before checkpoints are written."""
        self.on_saved: Callable[[], None] = lambda: None
        """Called after the last checkpoint is written, in the first process."""
        self.signals = Deferral()
        """Defers signals; entered by `fit`."""

    @property
    def best(self) -> Record:
        """The scores of the best validation."""
        return max(self.history, key=lambda scores: rank(self.metric, scores))

    def is_best(self, scores: Mapping[str, int | float]) -> bool:
        """Whether scores are better than those of all validations so far."""
        return not self.history or rank(self.metric, scores) > rank(self.metric, self.best)

    def state_dict(self) -> dict[str, Any]:
        """The validation history, from which the best is chosen and the report is made."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the history of the run that is resumed."""
        self.history = state_dict["history"]

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Store the format number, which `resumable` checks."""
        checkpoint["heed_format"] = FORMAT

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Defer signals from now on, replacing the handlers that Lightning has set."""
        self.signals.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save between validations; request a validation after the last step."""
        step = trainer.global_step
        if step == trainer.max_steps:
            trainer.should_stop = True  # Lightning validates when a run stops early, but not at its end
        elif step % int(trainer.val_check_interval) and (step % self.every_steps == 0 or self._asked_to_stop(trainer)):
            self._save_last(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the scores; save the best model and the last checkpoint."""
        self.history.append({"step": trainer.global_step} | cast(TranslationModule, pl_module).scores)
        if self.best is self.history[-1]:
            if trainer.is_global_zero:
                self.on_best(self.best)
            trainer.save_checkpoint(_path(trainer, BEST), weights_only=False)
        self._save_last(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Warn if the metric was 0 at all validations."""
        if trainer.is_global_zero and self.metric.name == "bleu" and self.history and not self.best["bleu"]:
            log.warning(
                "BLEU was 0.00 at every validation, so chrF has chosen the model; if the target is written without "
                "spaces, give its language as a code such as zh, otherwise give metric=chrf"
            )

    def _save_last(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(_path(trainer, LAST), weights_only=False)
        if trainer.is_global_zero:
            self.on_saved()
        if self._asked_to_stop(trainer):
            raise Stopped(self.signals.asked or signal.SIGTERM, trainer.global_step)

    def _asked_to_stop(self, trainer: Trainer) -> bool:
        """Whether any process has received a signal."""
        return trainer.strategy.reduce_boolean_decision(self.signals.asked is not None, all=False)


def _path(trainer: Trainer, name: str) -> Path:
    return Path(trainer.default_root_dir) / name
