"""Memory that is refused, as torch and Python report it."""

import torch

MESSAGES = ("can't allocate memory", "not enough memory", "Storage size calculation overflowed", "CUDA out of memory")


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was refused; for a CPU torch raises an ordinary RuntimeError."""
    refused = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return refused or any(text in str(error) for text in MESSAGES)
