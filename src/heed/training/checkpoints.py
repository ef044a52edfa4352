"""What is saved of a run and when, so that no kill can leave half a file; and when a run is stopped early."""

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
"""A validation: its step, and its scores by name; plain, so that a checkpoint loads without executing anything."""

FORMAT = 2
"""Of the checkpoints; it changes when one of an earlier heed cannot be continued any more."""

LAST, BEST, PREVIOUS = (f"checkpoints/{name}.ckpt" for name in ("last", "best", "previous"))

log = logging.getLogger(__name__)


class WholeFiles(TorchCheckpointIO):
    """Checkpoints that appear whole or not at all, also when the machine loses power.

    Lightning's own writer renames too, but without fsync: a crash of the machine can leave a name without its bytes.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write beside `path`, force the bytes to the disk, then rename; what was the last becomes the previous one.

        A symlink in its place is replaced, and the file that it names, such as a copy put back, stays as it is.
        """

        def write(temporary: Path) -> None:
            # Given a path, torch.save would hide the error of the disk behind one of its own.
            with temporary.open("wb") as file:
                try:
                    torch.save(checkpoint, file)
                except RuntimeError as error:  # a second one, of the end of a file that a full disk has cut short
                    if isinstance(error.__context__, OSError):
                        raise error.__context__ from error
                    raise

        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        part = write_part(place, write)
        if place.name == Path(LAST).name and place.exists():
            place.replace(place.with_name(Path(PREVIOUS).name))
        put_in_place(part, place)


def resumable(folder: Path) -> Path | None:
    """The newest whole checkpoint of a run, None if there is no checkpoint yet.

    A damaged one is reported by a warning and renamed, or it would take the place of the whole one at the next
    rotation. UserError if none is whole, or if an earlier heed wrote it.
    """
    for name in (LAST, BEST, PREVIOUS):
        remove_parts(folder / name)  # left by a kill in the middle of writing
    paths = [folder / name for name in (LAST, PREVIOUS) if (folder / name).exists()]
    whole = next((path for path in paths if is_whole(path)), None)
    if paths and not whole:
        names = " and ".join(map(str, paths))
        raise UserError(f"{names} cannot be read; put back a copy, or start over with overwrite=true")
    if whole:
        _refuse_other_formats(whole)
    if whole and whole != paths[0]:
        aside = paths[0].rename(_free(paths[0].with_suffix(".damaged")))
        log.warning("%s cannot be read; renamed to %s, continuing from %s", paths[0], aside.name, whole.name)
    return whole


def _free(path: Path) -> Path:
    """This path, or one like it if something is there."""
    others = (path.with_suffix(f".{number}{path.suffix}") for number in count(2))
    return next(one for one in chain([path], others) if not os.path.lexists(one))


def _refuse_other_formats(path: Path) -> None:
    """UserError for a checkpoint in which this heed would not find what it needs."""
    if torch.load(path, weights_only=True, map_location="cpu", mmap=True).get("heed_format") != FORMAT:
        raise UserError(
            f"{path} was written by another version of heed; finish the run with that version, or start over with "
            "overwrite=true"
        )


def is_whole(path: Path) -> bool:
    """Whether a checkpoint is as it was written, and loads without executing anything.

    torch.load alone notices a missing end, but takes altered weights as they are: it does not look at the checksums
    that torch.save has put beside them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sound = archive.testzip() is None
        content = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
        return sound and "global_step" in content
    except Exception:  # whatever altered bytes make of a reader
        return False


class EarlyStop(Callback):
    """Stops when `patience` validations in a row were not better than the best by more than `min_delta`.

    `metric` says what is better, and if it is equal, chrF: a score such as BLEU can be 0 while translations improve.
    The loss does not count, as it may fall for ever while no translation changes. Lightning's own early stopping
    forgets on resume that it had stopped.
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
        """The scores that have to be surpassed."""
        self.waited = 0
        """Validations since."""
        self.stopped: StoppedEarly | None = None
        """When and why the run was stopped, if it was."""

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from there."""
        self.best, self.waited = state_dict["best"], state_dict["waited"]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask for no further update if the checkpoint was written after the patience had ended."""
        self._stop_if_due(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare the scores with the best."""
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
    """A signal has ended the run between two updates; its last checkpoint is of this moment.

    Not a KeyboardInterrupt: Lightning would make SystemExit of that.
    """

    def __init__(self, number: signal.Signals, step: int) -> None:
        super().__init__(number, step)
        self.number, self.step = number, step


class Checkpoints(Checkpoint):
    """Saves the last checkpoint after every validation and every `every_steps` updates, and the best by `metric`.

    Between equals chrF decides, then the loss, then which came first.

    Ctrl-C and SIGTERM are deferred: the update, and the validation that follows it, is finished and saved first. A
    second one is not deferred.

    A step that a validation follows is saved after it, never before: Lightning takes such a checkpoint for one whose
    validation is done, so that a kill in between would lose a point of every validation curve.
    """

    def __init__(self, metric: Metric, every_steps: Annotated[int, Field(ge=1)] = 500) -> None:
        self.metric, self.every_steps = metric, every_steps
        self.history: list[Record] = []
        self.on_best: Callable[[Record], None] = lambda scores: None
        """Called with a validation's scores when it is the best so far, before the checkpoints are written."""
        self.on_saved: Callable[[], None] = lambda: None
        """Called when the last checkpoint is written, in the first process."""
        self.signals = Deferral()
        """Entered by whoever trains."""

    @property
    def best(self) -> Record:
        """The scores of the best validation."""
        return max(self.history, key=lambda scores: rank(self.metric, scores))

    def is_best(self, scores: Mapping[str, int | float]) -> bool:
        """Whether scores are better than those of all validations so far."""
        return not self.history or rank(self.metric, scores) > rank(self.metric, self.best)

    def state_dict(self) -> dict[str, Any]:
        """The validation history: it decides what is best, and a report shows all of it."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the history of the run that is resumed."""
        self.history = state_dict["history"]

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Name the format, which `resumable` looks for."""
        checkpoint["heed_format"] = FORMAT

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Defer signals from now on, in the place of the handlers that Lightning has set."""
        self.signals.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save in the middle between validations; ask for a validation after the last step."""
        step = trainer.global_step
        if step == trainer.max_steps:
            trainer.should_stop = True  # Lightning validates where a run stops early, not where it ends
        elif step % int(trainer.val_check_interval) and (step % self.every_steps == 0 or self._asked_to_stop(trainer)):
            self._save_last(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the scores, save the best and the last."""
        self.history.append({"step": trainer.global_step} | cast(TranslationModule, pl_module).scores)
        if self.best is self.history[-1]:
            if trainer.is_global_zero:
                self.on_best(self.best)
            trainer.save_checkpoint(_path(trainer, BEST), weights_only=False)
        self._save_last(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Warn if the metric has said nothing."""
        if trainer.is_global_zero and self.metric.name == "bleu" and self.history and not self.best["bleu"]:
            log.warning(
                "BLEU was 0.00 at every validation, so chrF has chosen the model; train longer, or give metric=chrf; "
                "if the target is written without spaces, the code of its language must be known for that, as zh is"
            )

    def _save_last(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(_path(trainer, LAST), weights_only=False)
        if trainer.is_global_zero:
            self.on_saved()
        if self._asked_to_stop(trainer):
            raise Stopped(self.signals.asked or signal.SIGTERM, trainer.global_step)

    def _asked_to_stop(self, trainer: Trainer) -> bool:
        """Whether a signal has come, to whichever process."""
        return trainer.strategy.reduce_boolean_decision(self.signals.asked is not None, all=False)


def _path(trainer: Trainer, name: str) -> Path:
    return Path(trainer.default_root_dir) / name
