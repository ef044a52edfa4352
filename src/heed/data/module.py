"""The batches of a run, as Lightning's Trainer asks for them."""

from collections.abc import Iterator
from typing import Any

from heed.data.batches import Batch, Batches


class Stream:
    """A whole run as one sized loader: epoch after epoch of `batches`, `steps` batches in all.

    Sized, because Lightning fetches one batch ahead of a loader without length, and a position saved then is one too
    far. One loader for all epochs, because Lightning never asks a sized one for the end of its epoch.
    """

    def __init__(self, batches: Batches, steps: int) -> None:
        self.batches, self.steps = batches, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield from self.batches

    def state_dict(self) -> dict[str, Any]:
        """The position: epoch, and batch in it."""
        return self.batches.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.batches.load_state_dict(state_dict)

    @property
    def epochs_done(self) -> float:
        """Epochs that the position stands for, such as 1.5."""
        state = self.batches.state_dict()
        return float(state["epoch"] + state["batch"] / len(self.batches))
