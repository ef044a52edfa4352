"""The batches of a run, as Lightning data loaders."""

from collections.abc import Iterator
from typing import Any

from lightning.pytorch import LightningDataModule

from heed.data.batches import Batch, Batches, SortedBatches
from heed.data.encoded import LONGEST, Encoded
from heed.data.readings import Readings
from heed.data.resampled import Resampled
from heed.errors import UserError


class Stream:
    """All epochs of a run as one sized loader of `steps` batches.

    It has a length because Lightning prefetches a batch of a loader without length, so the saved position would be one
    batch too far. It spans all epochs because Lightning does not iterate a sized loader to the end of its epoch.
    """

    def __init__(self, batches: Batches, steps: int) -> None:
        self.batches, self.steps = batches, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield from self.batches

    def state_dict(self) -> dict[str, int]:
        """The position: the epoch, and the batch in it."""
        return self.batches.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the position."""
        self.batches.load_state_dict(state_dict)

    @property
    def epochs_done(self) -> float:
        """The number of epochs up to the position, such as 1.5."""
        position = self.batches.state_dict()
        return position["epoch"] + position["batch"] / self.batches.batches_in_epoch


class Bitext(LightningDataModule):
    """The training split in batches shuffled by `seed`, and the validation split in sorted ones.

    `sentences` or `tokens` is the size of a batch, for all ranks together. `readings` are those of a mix.
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
        """The training batches, one for each step of the run."""
        assert self.trainer is not None
        return Stream(self.train, self.trainer.max_steps)

    def val_dataloader(self) -> SortedBatches:
        """The validation batches, with every pair once."""
        return self.valid


def _check_longest(valid: Encoded) -> None:
    """Raise UserError for a validation line that is too long for memory; training lines are cleaned before."""
    for side, lengths in (("source", valid.src_len), ("target", valid.tgt_len)):
        longest = lengths.max(initial=0)
        if longest > LONGEST:
            raise UserError(
                f"validation {side} line {lengths.argmax() + 1} has {longest} subwords; expected at most {LONGEST}; "
                "divide the line, or remove it from both files"
            )
