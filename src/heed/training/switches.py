"""Process-wide settings that training needs; they are restored when it ends, even after an error."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

import torch
from torch.utils import deterministic

from heed.errors import UserError
from heed.models.fast.product import cudnn_as_products
from heed.training.memory import freed_memory_reused

MatmulPrecision = Literal["highest", "high", "medium"]

LIBRARIES = ("lightning.pytorch", "lightning.fabric")
"""Loggers whose messages are of no use to the user."""

CUBLAS, WORKSPACE = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
"""An environment variable: cuBLAS sums in a fixed order only with a workspace of fixed size.

torch reads it once, at the first matrix product of the process on a GPU.
"""


@contextmanager
def switched(matmul_precision: MatmulPrecision = "high") -> Iterator[None]:
    """Deterministic algorithms, the precision of float32 products, malloc, random numbers, logging and warnings."""
    with ExitStack() as stack:
        stack.enter_context(quiet())
        stack.enter_context(_deterministic())
        stack.enter_context(_matmul_precision(matmul_precision))
        stack.enter_context(freed_memory_reused())
        stack.enter_context(torch.random.fork_rng(_initialised_gpus()))
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress Lightning's messages about itself; useful warnings are still printed."""
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _deterministic() -> Iterator[None]:
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    filled, benchmark = deterministic.fill_uninitialized_memory, torch.backends.cudnn.benchmark  # type: ignore[attr-defined]
    workspace = os.environ.get(CUBLAS)
    torch.use_deterministic_algorithms(True)
    # torch would also fill every new tensor with NaN, which finds bugs but costs time.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    os.environ[CUBLAS] = WORKSPACE
    try:
        yield
    except RuntimeError as error:
        if CUBLAS not in str(error):
            raise
        raise UserError(
            "this process has already used cuBLAS on the GPU without a fixed order of summation; train "
            f"in a new process, or start this one with {CUBLAS}={WORKSPACE}"
        ) from error
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = benchmark
        os.environ.pop(CUBLAS)
        if workspace is not None:
            os.environ[CUBLAS] = workspace


@contextmanager
def _matmul_precision(precision: MatmulPrecision) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        with cudnn_as_products():
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _initialised_gpus() -> list[int]:
    """GPUs whose random numbers may already have been used."""
    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
