"""Lightning's Trainer, told what it must not do by itself."""

import json
import logging
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import torch
from lightning.pytorch import Callback, Trainer
from pydantic import Field
from torch.utils import deterministic

from heed.data.module import Bitext
from heed.errors import UserError
from heed.models.fast.product import multiplies_bfloat16
from heed.models.fast.replay import forget
from heed.training.checkpoints import Stopped, WholeFiles, resumable
from heed.training.memory import keep_freed
from heed.training.module import Translation
from heed.training.processes import first_says, started_processes

Precision = Literal["auto", "32-true", "bf16-mixed"]


def build_trainer(
    folder: Path,
    callbacks: Sequence[Callback],
    batches_per_epoch: int,
    max_epochs: Annotated[int | float, Field(gt=0)] | None = None,
    max_steps: Annotated[int, Field(ge=1)] | None = None,
    validate_epochs: Annotated[int | float, Field(gt=0)] = 1.0,
    validate_steps: Annotated[int, Field(ge=1)] | None = None,
    accelerator: Literal["cpu", "gpu"] = "cpu",
    distributed: bool = False,
    precision: Precision = "auto",
    matmul_precision: Literal["highest", "high", "medium"] = "high",
) -> Trainer:
    """A Trainer for a run of `max_epochs` or `max_steps`, whichever is less, that validates every so many.

    Lengths are counted in steps from here on, and Lightning is shown the whole run as one epoch: what it does where an
    epoch begins or ends (its counters, its loaders, what it believes on resume) then has no part in a run.
    """
    quieten()
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise UserError("accelerator=gpu, but torch finds no GPU here; use trainer=cpu")
    processes = started_processes(distributed)
    torch.set_float32_matmul_precision(matmul_precision)
    # Its other half fills every new tensor with NaN, which finds bugs and costs time.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    steps = run_steps(batches_per_epoch, max_epochs, max_steps)
    every = validate_steps or max(1, round(validate_epochs * batches_per_epoch))
    return Trainer(
        default_root_dir=folder,
        callbacks=list(callbacks),
        plugins=[WholeFiles()],
        accelerator=accelerator,
        devices=processes.here,
        num_nodes=processes.world // processes.here,
        strategy="ddp" if distributed else "auto",
        precision=resolve_precision(precision, accelerator),
        max_steps=steps,
        val_check_interval=min(every, steps),
        check_val_every_n_epoch=None,
        deterministic=True,
        logger=False,
        enable_checkpointing=True,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def fit(trainer: Trainer, task: Translation, bitext: Bitext) -> None:
    """Train to the end, from the last checkpoint in the run folder where there is one.

    Ctrl-C and SIGTERM leave with KeyboardInterrupt and SystemExit, the run saved; what has happened is said on stderr.
    """
    keep_freed()
    checkpoint = first_says(lambda: resumable(Path(trainer.default_root_dir)))
    try:
        with enough_memory(bitext):
            trainer.fit(task, datamodule=bitext, ckpt_path=checkpoint, weights_only=True)
    except Stopped as stopped:
        if trainer.is_global_zero:
            print(f"stopped after step {stopped.step:,}; the same command goes on from there", file=sys.stderr)
        if stopped.number == signal.SIGINT:
            raise KeyboardInterrupt(stopped.step) from None
        sys.exit(128 + stopped.number)
    except SystemExit as leaving:
        if leaving.code == 1:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from leaving
        raise
    finally:
        forget()


@contextmanager
def enough_memory(bitext: Bitext) -> Iterator[None]:
    """UserError, with the setting to lower, where a batch takes more memory than there is."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        sentences, tokens = bitext.train.sentences, bitext.train.tokens
        budget = f"batches.sentences, now {sentences:,}" if sentences else f"batches.tokens, now {tokens:,}"
        raise UserError(f"a batch needs more memory than there is; lower {budget}, and give run=NAME") from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was refused; on a processor torch says it in an ordinary RuntimeError."""
    spoken = ("can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in spoken)


def run_steps(batches_per_epoch: int, max_epochs: int | float | None, max_steps: int | None) -> int:
    """Updates of the whole run. UserError where there would be none, or no end."""
    limits = [round(max_epochs * batches_per_epoch)] if max_epochs is not None else []
    limits += [max_steps] if max_steps is not None else []
    if not limits or min(limits) < 1:
        given = f"max_epochs={json.dumps(max_epochs)} and max_steps={json.dumps(max_steps)}"
        raise UserError(f"{given} give no run; set one of them to at least 1")
    return min(limits)


def resolve_precision(precision: Precision, accelerator: str) -> Literal["32-true", "bf16-mixed"]:
    """`auto` is bfloat16 where the processor multiplies it, else float32: emulated, it is slower and no better."""
    if precision != "auto":
        return precision
    return "bf16-mixed" if multiplies_bfloat16("cuda" if accelerator == "gpu" else "cpu") else "32-true"


def quieten() -> None:
    """Take away what Lightning says about itself; warnings that mean something to a person stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")  # validation scores are those of all ranks already
