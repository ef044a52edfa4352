"""The device and precision of a run, in heed's and in Lightning's terms."""

from typing import Literal, NamedTuple, cast

import torch

from heed.errors import UserError
from heed.models.fast.product import multiplies_bfloat16

Precision = Literal["auto", "float32", "bfloat16"]

LIGHTNING: dict[str, Literal["32-true", "bf16-mixed"]] = {"float32": "32-true", "bfloat16": "bf16-mixed"}
"""Precision of matrix products -> Lightning's name for it; weights are float32 in both."""


class Devices(NamedTuple):
    """Arguments for Lightning's Trainer."""

    accelerator: Literal["cpu", "cuda", "mps"]
    devices: int | list[int]


def resolve_device(device: str) -> torch.device:
    """The device for `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:N` or `mps`. Raise UserError if absent."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not (kind == "cuda" and number.isdecimal())):
        raise UserError(f"device={device}: expected auto, cpu, cuda, cuda:N for a number N, or mps")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UserError(f"device={device}: torch finds {_gpus(torch.cuda.device_count())}; use device=cpu or auto")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError(f"device={device}: torch finds no Apple GPU on this machine; use device=cpu or auto")
    return torch.device(device)


def _gpus(count: int) -> str:
    return f"{count or 'no'} GPU{'s' if count > 1 else ''} here"


def lightning_devices(device: str, here: int = 1) -> Devices:
    """Lightning's arguments for a device and `here` processes on this machine.

    Raises:
        UserError: the device does not exist, or a GPU is chosen by number for several processes.
    """
    resolved = resolve_device(device)
    gpus = torch.cuda.device_count()
    if resolved.type == "cuda" and here > gpus:
        raise UserError(
            f"device={device}: torchrun started {here} processes on this machine, but torch finds {_gpus(gpus)}; give "
            f"--nproc-per-node {gpus}"
        )
    if resolved.index is None:
        return Devices(cast(Literal["cpu", "cuda", "mps"], resolved.type), here)
    if here > 1:
        raise UserError(f"device={device}: each of the {here} processes needs its own GPU; use device=cuda")
    return Devices("cuda", [resolved.index])


def resolve_precision(precision: Precision, device: str) -> Literal["float32", "bfloat16"]:
    """Resolve `auto`: bfloat16 if the hardware supports it, otherwise float32, because emulation is slower."""
    if precision != "auto":
        return precision
    return "bfloat16" if multiplies_bfloat16(resolve_device(device).type) else "float32"
