"""A pretended GPU: tensors whose device is `cuda:0` but that are computed on the CPU.

Operations refuse tensors of different devices, as on a real GPU. So tests without a GPU find code that would fail on
one: a mask made on the CPU, a number that was not copied, `.numpy()` of a tensor on the GPU. Values are real, so loops
that depend on them behave as usual. Kernels, graphs and rounding are not tested.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

from heed.models.encoder import Encoder, EncoderOutput
from heed.models.fast import replay
from heed.training import trainer

GPU = torch.device("cuda", 0)

aten = torch.ops.aten

BETWEEN_DEVICES = {aten.copy_.default, aten._to_copy.default, aten._foreach_copy_.default}
"""Operations that take tensors of several devices."""

INDEXED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
"""Operations whose indices, the second argument, may be on the CPU."""


class OnGpu(Tensor):
    """A tensor of the pretended GPU; `content` is the tensor on the CPU."""

    content: Tensor

    @staticmethod
    def __new__(cls, content: Tensor) -> "OnGpu":
        self: OnGpu = Tensor._make_wrapper_subclass(
            cls,
            content.size(),
            strides=content.stride(),
            storage_offset=content.storage_offset(),
            dtype=content.dtype,
        )
        self.content = content
        return self

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnGpu({self.content})"

    device = property(lambda _: GPU)
    is_cuda, is_cpu = True, False

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        kwargs = dict(kwargs or {})
        check_devices(func, args, kwargs)
        result = func(*content(args), **content(kwargs))
        written = written_arguments(func, args, kwargs)
        if written:
            return written[0] if len(written) == 1 else tuple(written)
        # a view of an ordinary tensor is an ordinary tensor, also in inference mode
        ordinary = func.is_view and not args[0].is_inference()
        with torch.inference_mode(False) if ordinary else nullcontext():
            return tree_map(lambda one: OnGpu(one) if isinstance(one, Tensor) else one, result)


def content(tree: Any) -> Any:
    """The same values with pretended tensors replaced by their contents."""
    return tree_map(lambda one: one.content if isinstance(one, OnGpu) else one, tree)


def written_arguments(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """The arguments that the operation writes to and returns."""
    names = [argument.name for argument in func._schema.arguments]
    given = dict(zip(names, args, strict=False)) | kwargs
    writes = {
        argument.name for argument in func._schema.arguments if argument.alias_info and argument.alias_info.is_write
    }
    return [given[name] for name in names if name in writes and name in given] if func._schema.returns else []


def check_devices(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Raise RuntimeError for tensors that a GPU operation could not combine."""
    if func in BETWEEN_DEVICES:
        return
    if func in INDEXED:
        args = [args[0], *args[2:]]
    scalars = torch.Tag.pointwise in func.tags or func in INDEXED or func is aten.where.self
    for tensor in tree_flatten((args, kwargs))[0]:
        if isinstance(tensor, Tensor) and not isinstance(tensor, OnGpu) and not (scalars and tensor.dim() == 0):
            raise RuntimeError(f"{func}: expected all tensors on {GPU}, found one of {tuple(tensor.shape)} on the CPU")


class _Sent(torch.autograd.Function):
    """A copy on the other device, and its gradient back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return sent(tensor.detach())

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        return sent(gradient)


def sent(tensor: Tensor) -> Tensor:
    """A copy on the other device."""
    return tensor.content.clone() if isinstance(tensor, OnGpu) else OnGpu(tensor.clone())


class _Pretending(TorchFunctionMode):
    """Tensors for `cuda` are created on the CPU and wrapped; copies from the GPU must be explicit."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.__setitem__ and isinstance(args[0], OnGpu) and not isinstance(args[2], Tensor):
            return func(args[0], args[1], OnGpu(torch.tensor(args[2], dtype=args[0].dtype)))
        if func in MOVES:
            return moved(args[0], *MOVES[func](*args[1:], **kwargs))
        if func in FACTORIES and "device" in kwargs:
            on_gpu, kwargs["device"] = is_gpu(kwargs["device"]), None
            if on_gpu and isinstance(kwargs.get("generator"), torch.Generator):
                raise RuntimeError(f"{func.__name__}: expected a generator on {GPU}, found one on the CPU")
            made = func(*args, **kwargs)
            return OnGpu(made) if on_gpu else made
        if func is Tensor.tolist and isinstance(args[0], OnGpu):
            return args[0].content.tolist()
        if func in READS and isinstance(args[0], OnGpu):
            raise TypeError(f"can't convert {GPU} device type tensor to numpy; use Tensor.cpu() first")
        return func(*args, **kwargs)


def moved(tensor: Tensor, device: Any, rest: tuple[Any, ...], keywords: dict[str, Any]) -> Tensor:
    """The tensor on a device, or on its own if None, and with other requested properties."""
    if device is not None and is_gpu(device) != isinstance(tensor, OnGpu):
        tensor = _Sent.apply(tensor)  # type: ignore[no-untyped-call]
    return tensor.to(*rest, **keywords) if rest or keywords else tensor


def _to(*args: Any, **kwargs: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The device argument of `Tensor.to`, and the other arguments."""
    if args and isinstance(args[0], Tensor):
        return args[0].device, (args[0].dtype,), kwargs
    given = [*args, kwargs.pop("device", None)]
    device = next((one for one in given if isinstance(one, str | torch.device)), None)
    return device, tuple(one for one in args if isinstance(one, torch.dtype)), kwargs


MOVES: dict[Any, Callable[..., tuple[Any, tuple[Any, ...], dict[str, Any]]]] = {
    Tensor.to: _to,
    Tensor.cpu: lambda: ("cpu", (), {}),
    Tensor.cuda: lambda *_: ("cuda", (), {}),
}

READS: set[Any] = {Tensor.numpy, Tensor.__array__}

FACTORIES = {
    *(torch.arange, torch.empty, torch.eye, torch.full, torch.linspace, torch.ones, torch.rand, torch.randint),
    *(torch.randn, torch.randperm, torch.tensor, torch.zeros),
}


def is_gpu(device: Any) -> bool:
    """Whether a device is the pretended GPU."""
    return isinstance(device, str | torch.device) and torch.device(device).type == "cuda"


def on_gpu(module: nn.Module) -> nn.Module:
    """Move a module to the pretended GPU; shared parameters stay shared."""
    memo: dict[int, nn.Parameter] = {}
    for child in module.modules():
        for name, parameter in list(child.named_parameters(recurse=False, remove_duplicate=False)):
            if isinstance(parameter, OnGpu):
                continue
            if id(parameter) not in memo:
                memo[id(parameter)] = nn.Parameter(OnGpu(parameter.detach().clone()), parameter.requires_grad)
            setattr(child, name, memo[id(parameter)])
        for name, buffer in list(child.named_buffers(recurse=False)):
            if not isinstance(buffer, OnGpu):
                setattr(child, name, OnGpu(buffer.clone()))
    return module


def run_packed(encoder: Encoder, emb: Tensor, src_len: Tensor) -> EncoderOutput:
    """Replaces cuDNN: torch's loop on the CPU, because torch creates tensors in it that cannot be wrapped."""
    if not isinstance(emb, OnGpu):
        return RUN_PACKED(encoder, emb, src_len)
    here = copy.copy(encoder.gru)
    vars(here)["_flat_weights"] = [weight.cpu() for weight in encoder.gru._flat_weights if weight is not None]
    on_cpu = copy.copy(encoder)
    on_cpu._modules = encoder._modules | {"gru": here}
    return EncoderOutput(*(part.to(GPU) for part in RUN_PACKED(on_cpu, emb.cpu(), src_len)))


RUN_PACKED = Encoder.run_packed


def record(function: Callable[..., replay.Group], given: tuple[replay.Group, ...]) -> replay.Recording:
    """Replaces a recording: a replay calls the function again and copies its results over the first ones."""
    inputs = tuple(replay.copied(group) for group in given)
    outputs = function(*inputs)

    def again() -> None:
        torch._foreach_copy_(replay.present((outputs,)), replay.present((function(*inputs),)))

    return replay.Recording(again, inputs, outputs)


@contextmanager
def pretended_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with the pretended GPU. Loops are padded as on a GPU; replacements of recordings are replayed."""
    replay.forget()
    with monkeypatch.context() as patched, _Pretending():
        patched.setattr(torch.cuda, "is_available", lambda: True)
        patched.setattr(torch.cuda, "device_count", lambda: 1)
        patched.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
        patched.setattr(torch.cuda, "manual_seed", lambda _: None)
        patched.setattr(torch.cuda, "get_device_name", lambda _: "pretended")
        for name in ("autocast", "is_autocast_enabled", "get_autocast_dtype"):
            patched.setattr(torch, name, _of_the_cpu(getattr(torch, name)))
        patched.setattr(nn.Module, "to", _module_to)
        patched.setattr(Encoder, "run_packed", run_packed)
        patched.setattr(replay, "record", record)
        patched.setattr(replay, "has_room", lambda: True)
        patched.setattr(replay, "on", lambda _: nullcontext())
        # torch.save reads the memory of tensors, and pretended tensors have none
        patched.setattr(torch, "save", lambda saved, *args, _save=torch.save: _save(content(saved), *args))
        # Lightning treats it as a CPU, except when it moves the model and the batches
        patched.setattr(CPUAccelerator, "setup_device", lambda *_: None)
        patched.setattr(SingleDeviceStrategy, "root_device", property(lambda _: GPU))
        patched.setattr(trainer, "lightning_devices", lambda *_: ("cpu", 1))
        yield
    replay.forget()


def _of_the_cpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same with the CPU instead of `cuda` as device type, because these tensors use autocast of the CPU."""
    return lambda device, *args, **kwargs: function("cpu" if device == "cuda" else device, *args, **kwargs)


MODULE_TO = nn.Module.to


def _module_to(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
    gpu = any(map(is_gpu, [*args, *kwargs.values()]))
    return on_gpu(module) if gpu else MODULE_TO(module, *args, **kwargs)
