"""Forced prefixes of translations."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


@dataclass(frozen=True)
class Prefix:
    """The prefixes of the translations of a batch.

    Searches call `constrain` at every step. So prefixes may differ in length, and a forced subword gets the score and
    the attention that the model computes for it.
    """

    ids: Int[Tensor, "batch longest"]
    """The subwords, padded; values after the end of a prefix are ignored."""
    length: Int[Tensor, " batch"]
    lengthens: Bool[Tensor, " vocab"]
    """The subwords that may not follow a prefix directly, because they would lengthen its last word."""

    @classmethod
    def of(cls, ids: Sequence[Sequence[int]], lengthens: Bool[Tensor, " vocab"]) -> "Prefix":
        """Make a batch of prefixes, on the device of `lengthens`; an empty prefix forces nothing."""
        rows = pad_sequence([torch.tensor(row, dtype=torch.long) for row in ids], batch_first=True)
        length = torch.tensor([len(row) for row in ids])
        return cls(rows.to(lengthens.device), length.to(lengthens.device), lengthens)

    def constrain(
        self, log_probability: Float[Tensor, "rows vocab"], sentence: Int[Tensor, " rows"], position: int
    ) -> Float[Tensor, "rows vocab"]:
        """The log-probabilities of one step, with minus infinity for subwords that the prefixes rule out.

        `sentence` is the sentence of each row. Other values do not change, so scores are the model's own.
        """
        if position > self.ids.size(1):
            return log_probability
        length = self.length[sentence]
        ruled_out = ((length == position) & (length > 0)).unsqueeze(1) & self.lengthens
        if position < self.ids.size(1):
            others = torch.ones_like(ruled_out).scatter(1, self.ids[sentence, position].unsqueeze(1), value=False)
            ruled_out = torch.where((position < length).unsqueeze(1), others, ruled_out)
        return log_probability.masked_fill(ruled_out, -torch.inf)
