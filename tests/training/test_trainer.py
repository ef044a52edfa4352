"""Lengths of runs and precision that are passed to the Trainer."""

from pathlib import Path

import pytest
import torch

from heed.errors import UserError
from heed.training.devices import resolve_precision
from heed.training.trainer import build_trainer, run_steps


def test_training_stops_at_the_limit_that_comes_first() -> None:
    """Catches max_steps that is ignored because of max_epochs, or the other way round."""
    assert run_steps(100, max_epochs=3, max_steps=None) == 300
    assert run_steps(100, max_epochs=None, max_steps=40) == 40
    assert run_steps(100, max_epochs=0.5, max_steps=40) == 40
    assert run_steps(100, max_epochs=0.25, max_steps=40) == 25


@pytest.mark.parametrize("limits", [(0, None), (None, 0), (2, -1), (0.001, None)])
def test_a_run_of_no_steps_is_refused(limits: tuple[float | None, int | None]) -> None:
    """Catches a run that ends silently."""
    with pytest.raises(UserError, match=r"^trainer\.max_epochs=.* allow no update; an epoch has 10: "):
        run_steps(10, *limits)


def test_a_run_without_end_is_refused() -> None:
    """Catches a run that never ends."""
    with pytest.raises(UserError, match="so training has no end; set one of them"):
        run_steps(10, None, None)


def test_auto_is_bfloat16_only_if_the_cpu_multiplies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches emulated bfloat16, which is slower than float32 and less exact."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "avx2": True})
    assert resolve_precision("auto", "cpu") == "float32"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert resolve_precision("auto", "cpu") == "bfloat16"
    assert resolve_precision("float32", "cpu") == "float32"


def test_validation_comes_at_least_once(tmp_path: Path) -> None:
    """Catches an interval longer than the run, with which nothing would be scored and no best model kept."""
    trainer = build_trainer(tmp_path, [], batches_per_epoch=10, max_steps=7, validate_steps=100)
    assert trainer.val_check_interval == 7
    assert trainer.max_steps == 7


def test_epochs_are_counted_in_steps(tmp_path: Path) -> None:
    """Catches validate_epochs=0.5 that is rounded to no validation."""
    trainer = build_trainer(tmp_path, [], batches_per_epoch=11, max_epochs=2, validate_epochs=0.5)
    assert trainer.max_steps == 22
    assert trainer.val_check_interval == 6
