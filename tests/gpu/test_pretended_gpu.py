"""The pretended GPU raises the same errors as a GPU."""

from collections.abc import Callable

import pytest
import torch

from tests.support.pretended_gpu import pretended_gpu

REFUSED: dict[str, Callable[[torch.Tensor], object]] = {
    "a vector on the CPU": lambda there: there + torch.ones(3),
    "a matrix on the CPU": lambda there: torch.ones(2, 3) @ there,
    "a number on the CPU among parts": lambda there: torch.stack((there[0], torch.tensor(1.0))),
    "a result on the CPU": lambda there: torch.add(there, 1, out=torch.zeros(3)),
    "numpy": lambda there: there.numpy(),
    "a generator on the CPU": lambda there: torch.rand(3, device="cuda", generator=torch.Generator()),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_what_a_gpu_refuses(refused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches tests on the pretended GPU that could not fail."""
    with pretended_gpu(monkeypatch), pytest.raises((RuntimeError, TypeError), match=r"cuda:0"):
        REFUSED[refused](torch.ones(3, device="cuda"))


def test_what_a_gpu_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches errors that a GPU does not raise."""
    with pretended_gpu(monkeypatch):
        there = torch.arange(3.0).to("cuda").requires_grad_()
        assert there.is_cuda
        assert (there + torch.tensor(1.0)).tolist() == [1.0, 2.0, 3.0]
        assert there[torch.tensor([2, 0])].tolist() == [2.0, 0.0]
        assert there.cpu().detach().numpy().tolist() == [0.0, 1.0, 2.0]
        (there.cpu() ** 2).sum().backward()
        assert there.grad is not None
        assert there.grad.device == there.device == torch.device("cuda", 0)
        assert there.grad.tolist() == [0.0, 2.0, 4.0]
