"""Loops of small operations on a GPU, launched as one.

A step of a recurrence is some twenty kernels of a few microseconds, which is what a processor takes to launch each of
them. A CUDA graph (Gray 2019, "Getting started with CUDA graphs", NVIDIA) holds all launches of a loop and starts them
with one call. It is of one set of shapes, and always reads and writes the same memory.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

DEVICES: tuple[str, ...] = ("cuda",)
"""Types of devices on which loops are recorded."""

MULTIPLE = 8
"""Lengths and batches are padded to a multiple of it there, so that there are few shapes."""

SHARE = 0.5
"""Of a GPU's memory this much must be free, or shapes that come are launched one by one."""


class Recording(NamedTuple):
    """Launches, and the memory that they read and write."""

    replay: Callable[[], None]
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor | None, ...]

    def run(self, given: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        """What the recorded function gives for other tensors of the same shapes, in memory of its own."""
        torch._foreach_copy_(present(self.inputs), present(given))
        self.replay()
        return tuple(None if output is None else output.clone() for output in self.outputs)


class Replayed:
    """A function of tensors; on a GPU it is recorded when a set of shapes comes again, and replayed from then on.

    The function waits for no result, draws no random numbers and changes nothing that it is given. Some of what it
    takes and gives may be None. It gives a tuple, no two parts of which share memory.
    """

    def __init__(self, function: Callable[..., tuple[Any, ...]]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.recordings: dict[Any, Recording | None] = {}
        """By shapes; None for those that have come once."""
        LOOPS.append(self)

    @torch.no_grad()
    def __call__(self, *given: Tensor | None) -> tuple[Any, ...]:
        if given[0] is None or given[0].device.type not in DEVICES:
            return self.function(*given)
        shapes = tuple(None if tensor is None else (tensor.shape, tensor.dtype, tensor.device) for tensor in given)
        recording = self.recordings.get(shapes)
        if recording is None and shapes in self.recordings and has_room():
            recording = record(self.function, given)
        self.recordings[shapes] = recording
        return recording.run(given) if recording else self.function(*given)


LOOPS: list[Replayed] = []
"""All that there are."""


def forget() -> None:
    """Let go of all recordings and their memory, at the end of a training."""
    for loop in LOOPS:
        loop.recordings.clear()


def has_room() -> bool:
    """Whether there is memory for another recording; the batches that come may be larger than those that came."""
    free, total = torch.cuda.mem_get_info()
    cached = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    return free + cached > SHARE * total


def record(function: Callable[..., tuple[Any, ...]], given: tuple[Tensor | None, ...]) -> Recording:
    """The function's launches for these shapes, after a first run in which libraries prepare what they need."""
    inputs = tuple(None if tensor is None else tensor.clone() for tensor in given)
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        function(*inputs)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may pin memory or reduce gradients
        outputs = function(*inputs)
    return Recording(graph.replay, inputs, outputs)


def present(tensors: tuple[Tensor | None, ...]) -> list[Tensor]:
    """Those that are there."""
    return [tensor for tensor in tensors if tensor is not None]


def padded(tensor: Tensor, *dims: int, value: int = 0) -> Tensor:
    """The tensor, where loops are recorded with these dimensions filled up with `value` to a multiple."""
    if tensor.device.type not in DEVICES:
        return tensor
    for dim in dims:
        missing = -tensor.size(dim) % MULTIPLE
        after = [0, 0] * (tensor.dim() - 1 - dim)  # torch wants the last dimension first
        tensor = nn.functional.pad(tensor, [*after, 0, missing], value=value) if missing else tensor
    return tensor
