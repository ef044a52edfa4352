"""Lightning's Trainer with some of its features disabled, and training with it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from pydantic import Field

from heed.data.module import Bitext
from heed.errors import UserError
from heed.models.fast.replay import forget
from heed.search.memory import is_out_of_memory
from heed.signals import Interrupted, Terminated, stopped_by
from heed.training.checkpoints import Checkpoints, Stopped, WholeFiles, resumable
from heed.training.devices import LIGHTNING, Precision, lightning_devices, resolve_precision
from heed.training.module import TranslationModule
from heed.training.processes import decided_by_first, started_processes
from heed.training.switches import MatmulPrecision, quiet, switched


class RunTrainer(Trainer):
    """Lightning's Trainer, and the process-wide settings that `fit` applies."""

    matmul_precision: MatmulPrecision = "high"


def build_trainer(
    folder: Path,
    callbacks: Sequence[Callback],
    batches_per_epoch: int,
    max_epochs: Annotated[int | float, Field(gt=0)] | None = None,
    max_steps: Annotated[int, Field(ge=1)] | None = None,
    validate_epochs: Annotated[int | float, Field(gt=0)] = 1.0,
    validate_steps: Annotated[int, Field(ge=1)] | None = None,
    device: str = "auto",
    distributed: bool = False,
    precision: Precision = "auto",
    matmul_precision: MatmulPrecision = "high",
) -> RunTrainer:
    """A Trainer for a run of `max_epochs` or `max_steps`, whichever is less, that validates at intervals.

    For Lightning, lengths are in steps and the whole run is one epoch, so nothing that it does at the beginning or end
    of an epoch (counters, loaders, resuming) affects the run.

    Args:
        device: auto, cpu, cuda, cuda:N or mps.
        precision: the precision of the model's matrix products.
        matmul_precision: the precision that torch may use inside float32 products.
        validate_steps, validate_epochs: the interval of validations; if both are given, steps are used.

    Raises:
        UserError: the device does not exist, torchrun did not start the processes, or the run has no steps.
    """
    processes = started_processes(distributed)
    accelerator, devices = lightning_devices(device, processes.here)
    steps = run_steps(batches_per_epoch, max_epochs, max_steps)
    every = validate_steps or max(1, round(validate_epochs * batches_per_epoch))
    with quiet():
        trainer = RunTrainer(
            default_root_dir=folder,
            callbacks=list(callbacks),
            plugins=[WholeFiles()],
            accelerator=accelerator,
            devices=devices,
            num_nodes=processes.world // processes.here,
            strategy="ddp" if distributed else "auto",
            precision=LIGHTNING[resolve_precision(precision, device)],
            max_steps=steps,
            val_check_interval=min(every, steps),
            check_val_every_n_epoch=None,
            logger=False,
            enable_checkpointing=True,
            enable_model_summary=False,
            enable_progress_bar=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
    trainer.matmul_precision = matmul_precision
    return trainer


def fit(trainer: RunTrainer, task: TranslationModule, bitext: Bitext) -> None:
    """Train to the end, starting from the last checkpoint in the run folder if there is one.

    All process-wide settings, including signal handlers, are restored.

    Raises:
        UserError: checkpoints cannot be resumed, a batch is too large for the memory, or the loss is NaN or infinite.
        Interrupted, Terminated: after Ctrl-C and SIGTERM, with the last step that is saved.
    """
    checkpoint = decided_by_first(lambda: resumable(Path(trainer.default_root_dir)))
    with switched(trainer.matmul_precision), _signals_with_step(trainer), enough_memory(bitext):
        try:
            trainer.fit(task, datamodule=bitext, ckpt_path=checkpoint, weights_only=True)
        finally:
            forget()


@contextmanager
def _signals_with_step(trainer: RunTrainer) -> Iterator[None]:
    """Convert what Lightning and `Checkpoints` raise after a signal to Interrupted and Terminated."""
    (signals,) = [callback.signals for callback in trainer.checkpoint_callbacks if isinstance(callback, Checkpoints)]
    try:
        with signals:
            yield
    except Stopped as stopped:
        raise stopped_by(stopped.number, stopped.step) from None
    except SIGTERMException as ended:  # before the first update
        raise Terminated from ended
    except SystemExit as ended:
        if ended.code == 1:  # raised by Lightning for a Ctrl-C before the first update, or for a second one
            raise Interrupted from ended
        raise
    if signals.asked:  # after the last checkpoint, which is that of the last update
        raise stopped_by(signals.asked, trainer.global_step)


@contextmanager
def enough_memory(bitext: Bitext) -> Iterator[None]:
    """Raise UserError, which names the setting to lower, if a batch does not fit into memory."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        sentences, tokens = bitext.train.sentences, bitext.train.tokens
        budget = f"batches.sentences, now {sentences:,}" if sentences else f"batches.tokens, now {tokens:,}"
        raise UserError(
            f"a batch does not fit into memory; lower {budget}, or raise batches.accumulate, with run=NAME"
        ) from error


def run_steps(batches_per_epoch: int, max_epochs: int | float | None, max_steps: int | None) -> int:
    """The number of updates of the run. Raise UserError if it is 0 or unlimited."""
    if max_epochs is None and max_steps is None:
        raise UserError("trainer.max_epochs and trainer.max_steps are null, so training has no end; set one of them")
    limits = [round(max_epochs * batches_per_epoch)] if max_epochs is not None else []
    limits += [max_steps] if max_steps is not None else []
    if min(limits) < 1:
        given = f"trainer.max_epochs={json.dumps(max_epochs)} and trainer.max_steps={json.dumps(max_steps)}"
        raise UserError(f"{given} allow no update; an epoch has {batches_per_epoch}: set them to 1 or more, or to null")
    return min(limits)
