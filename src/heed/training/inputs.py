"""What a model is given to read in training, where that is not the text as it stands."""

import torch
from jaxtyping import Int
from torch import Tensor

from heed.data.batches import Batch
from heed.models.seq2seq import Seq2Seq
from heed.text.subwords import BOS, EOS, PAD, UNK
from heed.training.schedules import Number


def drop_words(tokens: Int[Tensor, "batch length"], probability: Number) -> Int[Tensor, "batch length"]:
    """Pieces at random become UNK, so that a model must not lean on any one word; BOS, EOS and PAD stay.

    Sennrich et al. 2016 (arXiv 1606.02891) drop whole words on both sides, after Gal and Ghahramani 2016 (arXiv
    1512.05287), but to zero; UNK, as in Bowman et al. 2016 (arXiv 1511.06349), also learns to mean something where the
    text has none.
    """
    if not probability:
        return tokens
    dropped = torch.rand(tokens.shape, device=tokens.device) < probability
    return tokens.masked_fill(dropped & (tokens != PAD) & (tokens != BOS) & (tokens != EOS), UNK)


def twice(batch: Batch) -> Batch:
    """The batch and, below it, the batch again."""
    return Batch(*(torch.cat((part, part)) for part in batch))


def in_parts(batch: Batch, count: int) -> list[Batch]:
    """The batch in so many parts, or in as many as it has rows, which are dealt out in turn."""
    return [Batch(*(each[first::count] for each in batch)) for first in range(min(count, len(batch.src)))]


@torch.no_grad()
def words_read(model: Seq2Seq, batch: Batch, teacher_forcing: float) -> Int[Tensor, "batch tgt"]:
    """What the decoder reads under scheduled sampling (Bengio et al. 2015, arXiv 1506.03099), settled beforehand.

    For R-Drop: two passes that each wrote words of their own would be compared on different sentences. The words are
    those that the model writes without dropout, as when it translates.
    """
    model.eval()
    words = model.sample_inputs(batch.src, batch.src_len, batch.tgt[:, :-1], teacher_forcing)
    model.train()
    return words
