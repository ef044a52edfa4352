"""The forced beginning of a translation."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


@dataclass(frozen=True)
class Prefix:
    """How the translation of each sentence of a batch begins.

    Each search asks `constrain` at every step, so that prefixes may differ in length, and so that the score and the
    rows of attention of a forced piece are those that the model gives it.
    """

    ids: Int[Tensor, "batch longest"]
    """The pieces; what stands beyond a prefix's own length does not matter."""
    length: Int[Tensor, " batch"]
    lengthens: Bool[Tensor, " vocab"]
    """The pieces that may not come first after a prefix, as they would lengthen its last word."""

    @classmethod
    def of(cls, ids: Sequence[Sequence[int]], lengthens: Bool[Tensor, " vocab"]) -> "Prefix":
        """Prefixes as a batch, on the device of `lengthens`; an empty one forces nothing."""
        rows = pad_sequence([torch.tensor(row, dtype=torch.long) for row in ids], batch_first=True)
        length = torch.tensor([len(row) for row in ids])
        return cls(rows.to(lengthens.device), length.to(lengthens.device), lengthens)

    def constrain(
        self, log_probability: Float[Tensor, "rows vocab"], sentence: Int[Tensor, " rows"], position: int
    ) -> Float[Tensor, "rows vocab"]:
        """The log-probabilities of one step, minus infinity for all that the prefixes rule out.

        `sentence` is the sentence of each row. What remains keeps its value, so a score is the model's own.
        """
        if position > self.ids.size(1):
            return log_probability
        length = self.length[sentence]
        ruled_out = ((length == position) & (length > 0)).unsqueeze(1) & self.lengthens
        if position < self.ids.size(1):
            others = torch.ones_like(ruled_out).scatter(1, self.ids[sentence, position].unsqueeze(1), value=False)
            ruled_out = torch.where((position < length).unsqueeze(1), others, ruled_out)
        return log_probability.masked_fill(ruled_out, -torch.inf)
