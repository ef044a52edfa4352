"""Peak memory of a measurement."""

import resource

import torch


def peak(device: str) -> float:
    """The peak memory in MiB of the process, or of the tensors on a GPU."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
