"""Record loops of small GPU operations as CUDA graphs and replay them.

A step of a recurrence is about twenty kernels of a few microseconds, and the CPU takes as long to launch each of them.
A CUDA graph (Gray 2019, "Getting started with CUDA graphs", NVIDIA) contains all launches of a loop and starts them
with one call. It is valid for one set of shapes, and always reads and writes the same memory.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

DEVICES: tuple[str, ...] = ("cuda",)
"""Device types on which loops are recorded."""

MULTIPLE = 8
"""Lengths and batches are padded to a multiple of this, so that there are few different shapes."""

SHARE = 0.5
"""The share of a GPU's memory that must be free to record new shapes; otherwise operations are launched singly."""


Group = tuple[Tensor | None, ...]
"""A named or plain tuple of tensors, some of which may be None."""

Result = TypeVar("Result", bound=Group)


class Recording(NamedTuple):
    """A recorded graph, and the memory that it reads and writes."""

    replay: Callable[[], None]
    inputs: tuple[Group, ...]
    outputs: Group

    def run(self, given: tuple[Group, ...]) -> Group:
        """The recorded function's result for other tensors of the same shapes, in new memory."""
        torch._foreach_copy_(present(self.inputs), present(given))
        self.replay()
        return copied(self.outputs)


class Replayed(Generic[Result]):
    """A function of groups of tensors. On a GPU it is recorded when shapes occur a second time, and then replayed.

    The function must not wait for results, draw random numbers or change its arguments. Its arguments are named tuples
    of tensors, some of which may be None. It returns one such tuple, whose parts do not share memory.
    """

    def __init__(self, function: Callable[..., Result]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.recordings: dict[Any, Recording | None] = {}
        """Recordings by shapes; None for shapes that have occurred once."""
        LOOPS.append(self)

    def __call__(self, *given: Group) -> Result:
        first = given[0][0]
        if first is None or first.device.type not in DEVICES:
            with torch.no_grad():
                return self.function(*given)
        shapes = tuple(
            None if tensor is None else (tensor.shape, tensor.dtype, tensor.device)
            for group in given
            for tensor in group
        )
        recording = self.recordings.get(shapes)
        # the memory of a recording made in inference mode could not be written to outside of it
        with torch.inference_mode(False), torch.no_grad(), on(first.device):
            if recording is None and shapes in self.recordings and has_room():
                recording = record(self.function, given)
            self.recordings[shapes] = recording
            return cast(Result, recording.run(given) if recording else self.function(*given))


LOOPS: list[Replayed[Any]] = []
"""All instances."""


def forget() -> None:
    """Free all recordings and their memory, at the end of training."""
    for loop in LOOPS:
        loop.recordings.clear()


def on(device: torch.device) -> AbstractContextManager[object]:
    """Make a GPU the current one, because launches on another one are not recorded."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def has_room() -> bool:
    """Whether the current GPU has memory for another recording; later batches may be larger."""
    free, total = torch.cuda.mem_get_info()
    cached = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    return free + cached > SHARE * total


def record(function: Callable[..., Group], given: tuple[Group, ...]) -> Recording:
    """Record the function on the current GPU, after a first run in which libraries initialise."""
    inputs = tuple(copied(group) for group in given)
    aside = stream(torch.cuda.current_device())
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        function(*inputs)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # other threads may pin memory or reduce gradients at the same time
    with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
        outputs = function(*inputs)
    return Recording(graph.replay, inputs, outputs)


@functools.cache
def stream(device: int) -> torch.cuda.Stream:
    """The stream for recording on a GPU; torch's own belongs to the GPU that was current when it was created."""
    return torch.cuda.Stream(device)


def copied(group: Group) -> Group:
    """A copy of a group of tensors."""
    tensors = (None if tensor is None else tensor.clone() for tensor in group)
    return group._make(tensors) if hasattr(group, "_make") else tuple(tensors)


def present(groups: tuple[Group, ...]) -> list[Tensor]:
    """All tensors of the groups that are not None."""
    return [tensor for group in groups for tensor in group if tensor is not None]


def padded(tensor: Tensor, *dims: int, value: int = 0) -> Tensor:
    """The tensor; on devices with recording, these dimensions are padded with `value` to a multiple."""
    if tensor.device.type not in DEVICES:
        return tensor
    for dim in dims:
        missing = -tensor.size(dim) % MULTIPLE
        after = [0, 0] * (tensor.dim() - 1 - dim)  # torch expects the last dimension first
        tensor = nn.functional.pad(tensor, [*after, 0, missing], value=value) if missing else tensor
    return tensor
