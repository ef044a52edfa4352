"""Several processes that train one model: who they are, and how they come to one decision."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, NoReturn, TypeVar

import torch
from torch import distributed

from heed.errors import UserError
from heed.signals import end_at_sigterm
from heed.training.devices import lightning_devices

T = TypeVar("T")

PATIENCE = timedelta(hours=2)  # the others wait while the first reads the corpus and trains the vocabularies
GRACE = 10.0  # seconds in which the one that speaks leaves; torchrun ends the others as soon as it has


class Processes(NamedTuple):
    """Which of how many processes this is, on all machines and on this one, as torchrun says."""

    rank: int = 0
    world: int = 1
    here: int = 1


def started_processes(several: bool) -> Processes:
    """What torchrun started. UserError where it and the config do not agree."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
    started = (
        Processes(*(int(os.environ[name]) for name in names)) if all(name in os.environ for name in names) else None
    )
    if several and started is None:
        raise UserError(
            "distributed=true is for processes started by torchrun: torchrun --nproc-per-node 2 -m heed.cli.train …"
        )
    if started and started.world > 1 and not several:
        raise UserError(f"torchrun started {started.world} processes, which needs distributed=true")
    return started or Processes()


@contextmanager
def joined(several: bool, device: str) -> Iterator[None]:
    """Bring the processes together, where there are `several`; all but the first print nothing.

    Before Lightning does, which joins them only to train: the run folder and the vocabularies come first.
    """
    processes = started_processes(several)
    if not several:
        yield
        return
    on_gpus = lightning_devices(device, processes.here).accelerator == "cuda"
    if on_gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpus else "gloo", timeout=PATIENCE)
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(sys.stdout if processes.rank == 0 else nowhere):
            yield
    finally:
        distributed.destroy_process_group()


def decided_by_first(decide: Callable[[], T]) -> T:
    """What `decide` gives to the first process, in all of them; its UserError ends them all and is printed once."""
    if not distributed.is_initialized():
        return decide()
    answer: list[T | None] = [None]
    with one_error():
        if distributed.get_rank() == 0:
            answer = [decide()]
    distributed.broadcast_object_list(answer)
    return answer[0]  # type: ignore[return-value]


def first_then_others(make: Callable[[], T]) -> T:
    """What `make` gives to each process, the others calling it once the first is done and find what it left."""
    if not distributed.is_initialized():
        return make()
    made: list[T] = []
    for turn in (True, False):
        with one_error():
            if turn == (distributed.get_rank() == 0):
                made.append(make())
    return made[0]


@contextmanager
def one_error() -> Iterator[None]:
    """A UserError in any of the processes ends them all; the first of those that met one says it."""
    fault = None
    try:
        yield
    except UserError as error:
        fault = error
    faults = [False] * distributed.get_world_size()
    distributed.all_gather_object(faults, fault is not None)
    if fault and faults.index(True) == distributed.get_rank():
        raise fault
    if any(faults):
        leave()


def refuse(message: str) -> NoReturn:
    """UserError for what all processes find alike, said by the first of them."""
    if distributed.is_initialized() and distributed.get_rank() > 0:
        leave()
    raise UserError(message)


def process_rank() -> int:
    """Which of its fellows this process is, as torchrun says; 0 alone."""
    rank = os.environ.get("RANK", "")
    return int(rank) if "WORLD_SIZE" in os.environ and rank.isdecimal() else 0


def await_turn() -> None:
    """Give the first process time to print what all have met, and torchrun time to end this one before it does too."""
    if process_rank() > 0:
        time.sleep(GRACE / 2)


def leave() -> NoReturn:
    """End with the code of a UserError and without its line, after the process that says it.

    Or at torchrun's SIGTERM, without a word as well.
    """
    end_at_sigterm()
    time.sleep(GRACE)
    sys.exit(2)
