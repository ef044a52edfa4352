"""Block repeated runs of subwords (Paulus et al. 2017, arXiv 1705.04304, section 2.5)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heed.search.prefix import Prefix


class Repetition:
    """The subwords that each row has written, and those that would repeat a run of them.

    Args:
        size: the length of runs that must not be repeated.
        rows: the number of translations in the batch.
        device: the device of the batch.
    """

    def __init__(self, size: int, rows: int, device: torch.device) -> None:
        self.size = size
        self.written: Int[Tensor, "rows position"] = torch.empty(rows, 0, dtype=torch.long, device=device)

    @classmethod
    def blocked(cls, size: int | None, rows: int, device: torch.device) -> "Repetition | None":
        """Make an instance, or None if nothing is blocked. Raise ValueError for a size that is not positive."""
        if size is not None and size < 1:
            raise ValueError(f"no_repeat_ngram={size}, expected 1 or more, or null to block nothing")
        return None if size is None else cls(size, rows, device)

    def constrain(
        self, log_probability: Float[Tensor, "rows vocab"], prefix: Prefix | None, sentence: Int[Tensor, " rows"]
    ) -> Float[Tensor, "rows vocab"]:
        """The log-probabilities of one step, with minus infinity for repeated runs; prefixes may contain repetitions.

        `sentence` is the sentence of each row. Other values do not change, so scores are the model's own.
        """
        position = self.written.size(1)
        if position < self.size:
            return log_probability
        runs = self.written.unfold(1, self.size, 1)
        latest = self.written[:, position + 1 - self.size :].unsqueeze(1)
        repeated = (runs[..., :-1] == latest).all(dim=2)
        if prefix is not None:
            repeated &= (prefix.length[sentence] <= position).unsqueeze(1)
        row, run = repeated.nonzero(as_tuple=True)
        return log_probability.index_put((row, runs[row, run, -1]), log_probability.new_tensor(-torch.inf))

    def grow(self, rows: Int[Tensor, " grown"], token: Int[Tensor, " grown"]) -> None:
        """Continue with these rows, in this order, each of which has written one more subword."""
        self.written = torch.cat((self.written[rows], token.unsqueeze(1)), dim=1)
