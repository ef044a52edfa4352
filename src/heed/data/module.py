"""The batches of a run, as Lightning's Trainer asks for them."""

from collections.abc import Iterator
from typing import Any

from lightning.pytorch import LightningDataModule

from heed.data.batches import Batch, Batches, SortedBatches
from heed.data.encoded import LONGEST, Encoded
from heed.data.readings import Readings
from heed.data.resampled import Resampled
from heed.errors import UserError


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

    def state_dict(self) -> dict[str, int]:
        """The position: epoch, and batch in it."""
        return self.batches.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.batches.load_state_dict(state_dict)

    @property
    def epochs_done(self) -> float:
        """Epochs that the position stands for, such as 1.5."""
        position = self.batches.state_dict()
        return position["epoch"] + position["batch"] / self.batches.batches_in_epoch


class Bitext(LightningDataModule):
    """The training split in batches shuffled by `seed`, and the validation split in sorted ones.

    `sentences` or `tokens` is the budget of a batch, of all ranks together; `readings` are those of a mix.
    """

    def __init__(
        self,
        train: Encoded | Resampled,
        valid: Encoded,
        sentences: int | None = None,
        tokens: int | None = None,
        seed: int = 1,
        rank: int = 0,
        world: int = 1,
        readings: Readings | None = None,
    ) -> None:
        super().__init__()
        _check_longest(valid)
        self.train = Batches(train, sentences, tokens, seed, rank, world, readings)
        self.valid = SortedBatches(valid, sentences, tokens, rank, world)

    def train_dataloader(self) -> Stream:
        """As many batches as the run has steps."""
        assert self.trainer is not None
        return Stream(self.train, self.trainer.max_steps)

    def val_dataloader(self) -> SortedBatches:
        """Every validation pair once."""
        return self.valid


def _check_longest(valid: Encoded) -> None:
    """UserError for a validation line that no memory holds; cleaning sees to those of the training split."""
    for side, lengths in (("source", valid.src_len), ("target", valid.tgt_len)):
        longest = lengths.max(initial=0)
        if longest > LONGEST:
            raise UserError(
                f"validation {side} line {lengths.argmax() + 1} has {longest} pieces; expected {LONGEST} at most: "
                "divide the line, or take it out of both files"
            )
