"""The rank of this process, from torchrun's environment variables; without torch, which takes seconds to import."""

import os
import time

GRACE = 10.0
"""Seconds in which the process that prints an error exits; torchrun then ends the others."""


def process_rank() -> int:
    """The rank of this process, from torchrun; 0 for a single process."""
    rank = os.environ.get("RANK", "")
    return int(rank) if "WORLD_SIZE" in os.environ and rank.isdecimal() else 0


def await_turn() -> None:
    """Wait until the first process has printed the common error and torchrun has ended this process."""
    if process_rank() > 0:
        time.sleep(GRACE / 2)
