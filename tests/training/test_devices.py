"""heed's terms for devices and precision, and Lightning's."""

import pytest
import torch

from heed.errors import UserError
from heed.training.devices import lightning_devices, resolve_device


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_is_named_as_torch_names_it() -> None:
    """Catches the first GPU used instead of the second one, which was requested."""
    assert lightning_devices("auto") == ("cuda", 1)
    assert lightning_devices("cuda:1") == ("cuda", [1])
    assert lightning_devices("cuda", here=2) == ("cuda", 2)
    with pytest.raises(UserError, match="cuda:2: torch finds 2 GPUs here"):
        resolve_device("cuda:2")
    with pytest.raises(UserError, match="each of the 2 processes needs its own GPU; use device=cuda"):
        lightning_devices("cuda:1", here=2)
    with pytest.raises(
        UserError, match="torchrun started 3 processes on this machine, but torch finds 2 GPUs here; give --nproc-per"
    ):
        lightning_devices("cuda", here=3)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps"])
def test_a_device_that_is_not_there_is_refused_in_one_line(device: str) -> None:
    """Catches the message of torch, which is 1,500 characters long."""
    assert lightning_devices("auto") == lightning_devices("cpu") == ("cpu", 1)
    with pytest.raises(UserError, match=f"device={device}: torch finds no .*GPU.*use device=cpu") as refusal:
        resolve_device(device)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cpu:0", "mps:1", "", "cuda:1:2"])
def test_invalid_names_of_devices_are_refused(device: str) -> None:
    """Catches Lightning's names for devices, and an error of torch for a misspelt name."""
    if device == "cuda:" and torch.cuda.is_available():
        pytest.skip("means cuda")
    with pytest.raises(UserError, match=f"device={device}: "):
        resolve_device(device)
