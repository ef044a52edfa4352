"""Loops of small operations on a GPU, launched as one.

A step of a recurrence is some twenty kernels of a few microseconds, which is what a processor takes to launch each of
them. A CUDA graph (Gray 2019, "Getting started with CUDA graphs", NVIDIA) holds all launches of a loop and starts them
with one call. It is of one set of shapes, and always reads and writes the same memory.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

DEVICES: tuple[str, ...] = ("cuda",)
"""Types of devices on which loops are recorded."""

MULTIPLE = 8
"""Lengths and batches are padded to a multiple of it there, so that there are few shapes."""

SHARE = 0.5
"""Of a GPU's memory this much must be free, or new shapes are launched one operation at a time."""


Group = tuple[Tensor | None, ...]
"""A named tuple of tensors, some of which may be missing; or a plain one."""

Result = TypeVar("Result", bound=Group)


class Recording(NamedTuple):
    """Launches, and the memory that they read and write."""

    replay: Callable[[], None]
    inputs: tuple[Group, ...]
    outputs: Group

    def run(self, given: tuple[Group, ...]) -> Group:
        """What the recorded function gives for other tensors of the same shapes, in memory of its own."""
        torch._foreach_copy_(present(self.inputs), present(given))
        self.replay()
        return copied(self.outputs)


class Replayed(Generic[Result]):
    """A function of groups of tensors; on a GPU it is recorded when a set of shapes comes again, and then replayed.

    The function waits for no result, draws no random numbers and changes nothing that it is given. Its arguments are
    named tuples of tensors, some of which may be None. It returns one such tuple, no two parts of which share memory.
    """

    def __init__(self, function: Callable[..., Result]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.recordings: dict[Any, Recording | None] = {}
        """By shapes; None for those that have come once."""
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
        # a recording made in inference mode could not be written to outside it
        with torch.inference_mode(False), torch.no_grad(), on(first.device):
            if recording is None and shapes in self.recordings and has_room():
                recording = record(self.function, given)
            self.recordings[shapes] = recording
            return cast(Result, recording.run(given) if recording else self.function(*given))


LOOPS: list[Replayed[Any]] = []
"""All of them."""


def forget() -> None:
    """Free all recordings and their memory, at the end of a training."""
    for loop in LOOPS:
        loop.recordings.clear()


def on(device: torch.device) -> AbstractContextManager[object]:
    """Make a GPU the current one: launches on any other would not be part of a recording."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def has_room() -> bool:
    """Whether the current GPU has memory for another recording; later batches may be larger than earlier ones."""
    free, total = torch.cuda.mem_get_info()
    cached = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    return free + cached > SHARE * total


def record(function: Callable[..., Group], given: tuple[Group, ...]) -> Recording:
    """The function's launches on the current GPU, after a first run in which libraries prepare what they need."""
    inputs = tuple(copied(group) for group in given)
    aside = stream(torch.cuda.current_device())
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        function(*inputs)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # other threads may pin memory or reduce gradients meanwhile
    with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
        outputs = function(*inputs)
    return Recording(graph.replay, inputs, outputs)


@functools.cache
def stream(device: int) -> torch.cuda.Stream:
    """The stream of a GPU on which loops are recorded; torch's own is of the GPU that was current when it was made."""
    return torch.cuda.Stream(device)


def copied(group: Group) -> Group:
    """A group of the same kind, in memory of its own."""
    tensors = (None if tensor is None else tensor.clone() for tensor in group)
    return group._make(tensors) if hasattr(group, "_make") else tuple(tensors)


def present(groups: tuple[Group, ...]) -> list[Tensor]:
    """All tensors of the groups that are not missing."""
    return [tensor for group in groups for tensor in group if tensor is not None]


def padded(tensor: Tensor, *dims: int, value: int = 0) -> Tensor:
    """The tensor, where loops are recorded with these dimensions filled up with `value` to a multiple."""
    if tensor.device.type not in DEVICES:
        return tensor
    for dim in dims:
        missing = -tensor.size(dim) % MULTIPLE
        after = [0, 0] * (tensor.dim() - 1 - dim)  # torch wants the last dimension first
        tensor = nn.functional.pad(tensor, [*after, 0, missing], value=value) if missing else tensor
    return tensor
