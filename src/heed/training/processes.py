"""Several processes that train one model: their ranks, and common decisions and errors."""

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
from heed.training.ranks import GRACE

T = TypeVar("T")

PATIENCE = timedelta(hours=2)  # the others wait while the first process reads the corpus and trains subwords


class Processes(NamedTuple):
    """The rank of this process and the number of processes, on all machines and on this one, from torchrun."""

    rank: int = 0
    world: int = 1
    here: int = 1


def started_processes(several: bool) -> Processes:
    """The processes that torchrun started. Raise UserError if they do not fit the config."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
    started = (
        Processes(*(int(os.environ[name]) for name in names)) if all(name in os.environ for name in names) else None
    )
    if several and started is None:
        raise UserError(
            "distributed=true needs processes started by torchrun: torchrun --nproc-per-node 2 -m heed train …"
        )
    if started and started.world > 1 and not several:
        raise UserError(f"torchrun started {started.world} processes; give distributed=true")
    return started or Processes()


@contextmanager
def joined(several: bool, device: str) -> Iterator[None]:
    """Connect the processes, if there are `several`; all except the first print nothing.

    Lightning connects them only for training, which is too late for the run folder and the vocabularies.
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
    """The result of `decide` in the first process, for all; its UserError ends them all and is printed once."""
    if not distributed.is_initialized():
        return decide()
    answer: list[T | None] = [None]
    with one_error():
        if distributed.get_rank() == 0:
            answer = [decide()]
    distributed.broadcast_object_list(answer)
    return answer[0]  # type: ignore[return-value]


def first_then_others(make: Callable[[], T]) -> T:
    """The result of `make` in each process; the others call it after the first has finished, and find its files."""
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
    """If a process raises UserError, all end, and the first one with an error prints it."""
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
    """Raise a UserError that all processes raise alike; only the first prints it."""
    if distributed.is_initialized() and distributed.get_rank() > 0:
        leave()
    raise UserError(message)


def leave() -> NoReturn:
    """Exit with the code of a UserError without printing it, after the process that prints it.

    Also ends silently at torchrun's SIGTERM.
    """
    end_at_sigterm()
    time.sleep(GRACE)
    sys.exit(2)
