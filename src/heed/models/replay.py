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

DEVICES = ("cuda",)
"""Types of devices on which loops are recorded."""

MULTIPLE = 8
"""Lengths and batches are padded to a multiple of it there, so that there are few shapes."""

BUDGET = 2 * 2**30
"""Bytes that the recordings of one function may hold; shapes that come when it is spent are launched one by one."""


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
    """A function of tensors; on a GPU it is recorded for every set of shapes that comes, and replayed from then on.

    The function waits for no result, draws no random numbers and changes nothing that it is given. Some of what it
    takes and gives may be None. It gives a tuple, no two parts of which share memory.
    """

    def __init__(self, function: Callable[..., tuple[Any, ...]]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.recordings: dict[Any, Recording] = {}
        self.held = 0
        """Bytes of all recordings."""

    @torch.no_grad()
    def __call__(self, *given: Tensor | None) -> tuple[Any, ...]:
        if given[0] is None or given[0].device.type not in DEVICES:
            return self.function(*given)
        shapes = tuple(None if tensor is None else (tensor.shape, tensor.dtype, tensor.device) for tensor in given)
        if shapes in self.recordings:
            return self.recordings[shapes].run(given)
        if self.held < BUDGET:
            self.recordings[shapes] = recording = record(self.function, given)
            self.held += sum(tensor.nbytes for tensor in present(recording.inputs + recording.outputs))
        return self.function(*given)


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
