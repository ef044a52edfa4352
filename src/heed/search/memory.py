"""Recognise out-of-memory errors of torch and Python."""

import torch

MESSAGES = (
    *("can't allocate memory", "not enough memory", "Storage size calculation overflowed"),  # torch on a CPU
    *("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"),  # of CUDA libraries
)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error means out of memory; on a CPU, and for GPU libraries, torch raises a plain RuntimeError."""
    refused = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return refused or any(text in str(error) for text in MESSAGES)
