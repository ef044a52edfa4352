"""The device for the tests of this folder: a GPU, or a pretended one.

`pytest -m gpu tests/gpu` runs them on the GPU of this machine, and skips them if there is none; `-m slow` on the
pretended one. `HEED_TEST_DEVICE=cpu` uses the CPU instead of the GPU, to test the tests themselves.
"""

import os
from collections.abc import Iterator

import pytest
import torch

from tests.support.pretended_gpu import pretended_gpu

GIVEN = os.environ.get("HEED_TEST_DEVICE", "cuda")


@pytest.fixture
def given_device() -> torch.device:
    """The GPU of this machine."""
    if GIVEN == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return torch.device(GIVEN)


@pytest.fixture(
    params=[pytest.param("given", marks=pytest.mark.gpu), pytest.param("pretended", marks=pytest.mark.slow)]
)
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """The GPU of this machine, and a pretended one."""
    if request.param == "given":
        yield request.getfixturevalue("given_device")
        return
    with pretended_gpu(monkeypatch):
        yield torch.device("cuda")
