"""heed in the kernel of a notebook, through the protocol that notebooks speak with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from tests.support.small_run import overrides

pytestmark = pytest.mark.slow

SWITCHES = """
import logging, os, signal, warnings
import torch

def switches():
    numbers = signal.SIGINT, signal.SIGTERM
    return [
        torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(), torch.is_grad_enabled(),
        torch.get_rng_state().tolist(), [signal.getsignal(number) for number in numbers], list(warnings.filters),
        os.environ.get("CUBLAS_WORKSPACE_CONFIG"), logging.getLogger("lightning.pytorch").level,
    ]
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager, client = start_new_kernel(startup_timeout=300, kernel_name="python3", cwd=str(tmp_path))
    try:
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def outputs(client: BlockingKernelClient, message: str) -> Iterator[dict[str, Any]]:
    """The messages of a cell, until it has ended."""
    while True:
        shown = client.get_iopub_msg(timeout=600)
        if shown["parent_header"].get("msg_id") != message:
            continue
        if shown["msg_type"] == "status" and shown["content"]["execution_state"] == "idle":
            return
        yield shown


def run(client: BlockingKernelClient, cell: str) -> list[dict[str, Any]]:
    """The outputs of a cell. AssertionError if it ends with an error."""
    shown = list(outputs(client, client.execute(cell)))
    errors = [one["content"] for one in shown if one["msg_type"] == "error"]
    assert not errors, errors[0]["traceback"]
    return shown


def value(client: BlockingKernelClient, cell: str) -> Any:
    """The result of a cell: its data by media type."""
    return [one["content"]["data"] for one in run(client, cell) if one["msg_type"] == "execute_result"][-1]


def test_a_notebook_trains_translates_and_interrupts(
    kernel: tuple[KernelManager, BlockingKernelClient], tmp_path: Path
) -> None:
    """Catches a kernel that an interrupt ends or that cannot be interrupted, and settings that are not restored.

    And a table whose every line is an output of its own.
    """
    manager, client = kernel
    run(client, f"{SWITCHES}\nimport heed\noptions = {overrides(tmp_path, 'heatmaps=0')}")

    run(client, "run = heed.train(overrides=options, run='mine')")
    run(client, "before = switches()")  # not earlier: libraries add filters of warnings as they are imported
    shown = value(client, "run.translator.translate('1 2')")
    assert "<iframe" in shown["text/html"]
    assert "text='" in shown["text/plain"] or "Translation" in shown["text/plain"]

    long = "run='long', trainer={'max_steps': 10**6, 'validate_steps': 20}, early_stop=None, checkpoint_steps=10**6"
    cell = client.execute(f"heed.train(overrides=options, {long})", stop_on_error=False)
    shown_cells = outputs(client, cell)
    for one in shown_cells:
        if one["msg_type"] == "stream" and "  best\n" in one["content"]["text"]:
            break
    manager.interrupt_kernel()
    assert [one["content"]["ename"] for one in shown_cells if one["msg_type"] == "error"] == ["Interrupted"]
    assert (tmp_path / "long" / "checkpoints" / "last.ckpt").exists()

    assert manager.is_alive()
    changed = "[(one, other) for one, other in zip(before, switches()) if one != other]"
    assert value(client, changed)["text/plain"] == "[]"
    step = "torch.load('long/checkpoints/last.ckpt', weights_only=True)['global_step']"
    assert int(value(client, step)["text/plain"]) >= 20
