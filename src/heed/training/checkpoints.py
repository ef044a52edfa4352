"""What is kept of a run, when, and so that no kill can leave half a file."""

import os
import signal
import sys
import zipfile
from collections.abc import Callable
from itertools import chain, count
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from lightning.pytorch.plugins.io import TorchCheckpointIO
from pydantic import Field

from heed.errors import UserError
from heed.files import remove_parts, replace_whole
from heed.training.module import Translation

Record = dict[str, int | float]
"""A validation: its step, and its scores by name; plain, so that a checkpoint loads without executing anything."""

LAST, BEST, PREVIOUS = (f"checkpoints/{name}.ckpt" for name in ("last", "best", "previous"))


class WholeFiles(TorchCheckpointIO):
    """Checkpoints that appear whole or not at all, also when the machine loses power.

    Lightning's own writer renames too, but without fsync: a crash of the machine can leave a name without its bytes.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write beside `path`, force the bytes to the disk, then rename; what was the last becomes the previous one."""

        def write(temporary: Path) -> None:
            # Given a path, torch.save would hide what the disk says behind an error of its own.
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            if Path(path).name == Path(LAST).name and Path(path).exists():
                Path(path).replace(Path(path).with_name(Path(PREVIOUS).name))

        replace_whole(Path(path), write)


def resumable(folder: Path) -> Path | None:
    """The newest whole checkpoint of a run, None where it has not got to one yet.

    A damaged one is said and put aside, lest it take the place of the whole one at the next rotation. UserError where
    none is whole.
    """
    for name in (LAST, BEST, PREVIOUS):
        remove_parts(folder / name)
    paths = [folder / name for name in (LAST, PREVIOUS) if (folder / name).exists()]
    whole = next((path for path in paths if is_whole(path)), None)
    if paths and not whole:
        names = " and ".join(map(str, paths))
        raise UserError(f"{names} cannot be read; put back a copy, or start over with overwrite=true")
    if whole and whole != paths[0]:
        aside = paths[0].rename(_free(paths[0].with_suffix(".damaged")))
        print(f"warning: {paths[0]} cannot be read; kept as {aside.name}, going on from {whole.name}", file=sys.stderr)
    return whole


def _free(path: Path) -> Path:
    """This path, or one like it where nothing is yet."""
    others = (path.with_suffix(f".{number}{path.suffix}") for number in count(2))
    return next(one for one in chain([path], others) if not os.path.lexists(one))


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


class EarlyStop(EarlyStopping):
    """Stop when validation BLEU has not risen for `patience` validations, and stay stopped.

    Lightning's own forgets on resume that it had stopped: a run killed between its last validation and its report
    would go on training.
    """

    def __init__(self, patience: Annotated[int, Field(ge=1)], min_delta: float = 0.0) -> None:
        super().__init__("valid/bleu", min_delta=min_delta, patience=patience, mode="max")

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask for no further step where the checkpoint was written after the patience had ended."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


class Stopped(BaseException):
    """A signal has ended the run between two updates; its last checkpoint is of this moment."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__(number, step)
        self.number, self.step = number, step


class Checkpoints(Checkpoint):
    """The last checkpoint after every validation and every `every_steps` updates, the best by validation BLEU.

    Ctrl-C and SIGTERM are waited out: the update, and the validation that follows it, is finished and saved first. A
    second one is not.

    A step that a validation follows is saved after it, never before: Lightning takes such a checkpoint for one whose
    validation is done, so that a kill in between would lose a point of every validation curve.
    """

    def __init__(self, every_steps: Annotated[int, Field(ge=1)] = 500) -> None:
        self.every_steps = every_steps
        self.history: list[Record] = []
        self.on_best: Callable[[Record], None] = lambda scores: None
        """Called with a validation's scores when it is the best so far, before the checkpoints are written."""
        self.on_saved: Callable[[], None] = lambda: None
        """Called when the last checkpoint is written, in the first process."""
        self._signal: int | None = None

    @property
    def best(self) -> Record:
        """The scores of the best validation; the earliest of equals."""
        return max(self.history, key=lambda scores: scores["bleu"])

    def state_dict(self) -> dict[str, Any]:
        """The validation history: it decides what is best, and a report shows all of it."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the history of the run that is resumed."""
        self.history = state_dict["history"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen for signals. Lightning puts back what it found once training is over."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

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
        """Record the scores, keep the best, save the last."""
        self.history.append({"step": trainer.global_step} | cast(Translation, pl_module).scores.known())
        if self.best is self.history[-1]:
            if trainer.is_global_zero:
                self.on_best(self.best)
            trainer.save_checkpoint(_path(trainer, BEST), weights_only=False)
        self._save_last(trainer)

    def _save_last(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(_path(trainer, LAST), weights_only=False)
        if trainer.is_global_zero:
            self.on_saved()
        if self._asked_to_stop(trainer):
            raise Stopped(self._signal or signal.SIGTERM, trainer.global_step)

    def _asked_to_stop(self, trainer: Trainer) -> bool:
        """Whether a signal has come, to whichever process."""
        return trainer.strategy.reduce_boolean_decision(self._signal is not None, all=False)


def _path(trainer: Trainer, name: str) -> Path:
    return Path(trainer.default_root_dir) / name
