"""Memory that is refused, as torch and Python report it."""

import torch

MESSAGES = (
    *("can't allocate memory", "not enough memory", "Storage size calculation overflowed"),  # of torch on a CPU
    *("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"),  # of what torch calls
)


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was refused; for a CPU, and for a library on a GPU, torch raises an ordinary RuntimeError."""
    refused = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return refused or any(text in str(error) for text in MESSAGES)
