"""Measure the limits of a device, and append them to a file as a line of JSON."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch


def main() -> None:
    """Measure the device of the first argument, cuda or cpu; append the result to the file of the second."""
    device, file = sys.argv[1:]
    on_gpu = device == "cuda"
    size = 8192 if on_gpu else 512
    float32 = product_rate(torch.float32, device, size)
    torch.set_float32_matmul_precision("high")  # as heed-train sets it: on a GPU, products in TF32
    measured = {
        "measured": "machine",
        "device": torch.cuda.get_device_name() if on_gpu else device,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "bfloat16_tflops": product_rate(torch.bfloat16, device, size) / 1e12,
        "float32_tflops": float32 / 1e12,
        "tf32_tflops": product_rate(torch.float32, device, size) / 1e12,
        "launch_microseconds": 1e6 * launch_seconds(device),
    }
    with Path(file).open("a") as lines:
        lines.write(json.dumps(measured) + "\n")
    print("LIMIT", json.dumps(measured))


def product_rate(dtype: torch.dtype, device: str, size: int, rounds: int = 10) -> float:
    """Operations a second of a product of two square matrices of random numbers; the median of `rounds` + 3 runs."""
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    seconds = sorted(timed(lambda: torch.mm(a, b), device) for _ in range(rounds + 3))
    return 2 * size**3 / seconds[len(seconds) // 2]


def launch_seconds(device: str, launches: int = 2000) -> float:
    """Seconds that the CPU needs to launch one small operation."""
    tensor = torch.zeros(64, device=device)

    def several() -> None:
        for _ in range(launches):
            tensor.add_(1.0)

    timed(several, device)
    return timed(several, device) / launches


def timed(call: Callable[[], object], device: str) -> float:
    """Seconds that a call takes, until the device has finished."""
    wait(device)
    start = time.perf_counter()
    call()
    wait(device)
    return time.perf_counter() - start


def wait(device: str) -> None:
    """Wait until a GPU has finished."""
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
