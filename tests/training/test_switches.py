"""Process-wide settings of training are restored at its end."""

import logging
import os
import signal
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils import deterministic

from heed.errors import UserError
from heed.experiment import train
from heed.training.switches import CUBLAS, LIBRARIES, switched
from tests.support.small_run import settings

RNN: Any = torch.backends.cudnn.rnn


def switches() -> dict[str, Any]:
    """The values of all process-wide settings that training may change."""
    return {
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "filled": deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        "benchmark": torch.backends.cudnn.benchmark,
        "matmul": torch.get_float32_matmul_precision(),
        "cudnn": RNN.fp32_precision,
        "cublas": os.environ.get(CUBLAS),
        "levels": [logging.getLogger(name).level for name in LIBRARIES],
        "filters": list(warnings.filters),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)],
        "random": torch.get_rng_state().tolist(),
        "gradients": torch.is_grad_enabled(),
    }


@pytest.fixture(params=["torch's defaults", "the opposite"])
def _unusual(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run with torch's defaults, and with the opposite of all settings of training."""
    if request.param == "the opposite":
        monkeypatch.setenv(CUBLAS, ":16:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.set_float32_matmul_precision("medium")
        torch.backends.cudnn.benchmark = True
        RNN.fp32_precision = "ieee"
    yield
    RNN.fp32_precision = "tf32"
    torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.benchmark = False


@pytest.mark.usefixtures("_unusual")
def test_all_settings_are_restored_even_after_an_error() -> None:
    """Catches a setting that is not restored, and one that is reset to torch's default instead of its earlier value."""
    before = switches()
    with suppress(ZeroDivisionError), switched("high"):
        during = switches()
        assert during["deterministic"]
        assert not during["warn only"]
        assert not during["filled"]
        assert during["matmul"] == "high"
        assert during["cublas"] == ":4096:8"
        assert during["cudnn"] == "tf32"
        torch.rand(3)
        raise ZeroDivisionError
    assert switches() == before


def test_a_cublas_without_determinism_is_reported_in_one_line() -> None:
    """Catches torch's own long message; a test on a GPU shows that torch raises it."""
    with pytest.raises(UserError, match=r"start this one with CUBLAS_WORKSPACE_CONFIG=:4096:8$"), switched():
        raise RuntimeError(f"Deterministic behavior was enabled [...] application: {CUBLAS}=:4096:8 or {CUBLAS}=:16:8")
    with pytest.raises(RuntimeError, match="another"), switched():
        raise RuntimeError("another")


@pytest.mark.parametrize("fault", [None, "a batch"])
def test_a_whole_training_restores_the_settings_of_the_process(
    fault: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches settings that Lightning changes: signal handlers, deterministic algorithms, levels of loggers."""
    if fault:
        monkeypatch.setattr("heed.training.module.TranslationModule.training_step", lambda *_: 1 / 0)
    cfg = settings(tmp_path, "trainer.max_steps=2", "heatmaps=0")
    before = switches()
    if fault:
        with pytest.raises(ZeroDivisionError):
            train(cfg)
    else:
        train(cfg)
    after = switches()
    del before["random"], after["random"]  # the model is initialised outside of `fit`
    assert after == before


def test_training_works_in_a_thread(tmp_path: Path) -> None:
    """Catches a server or a notebook that cannot train, because only the main thread may set signal handlers."""
    ended: list[object] = []

    def run(call: Callable[[], object]) -> None:
        try:
            ended.append(call())
        except BaseException as error:
            ended.append(error)

    cfg = settings(tmp_path, "trainer.max_steps=2", "heatmaps=0")
    thread = threading.Thread(target=run, args=[lambda: train(cfg).report["steps"]])
    thread.start()
    thread.join()
    assert ended == [2]
