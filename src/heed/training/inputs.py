"""Changes to the batches that a model reads in training."""

import torch
from jaxtyping import Int
from torch import Tensor

from heed.data.batches import Batch
from heed.models.seq2seq import Seq2Seq
from heed.text.subwords import BOS, EOS, PAD, UNK
from heed.training.schedules import Number


def drop_words(tokens: Int[Tensor, "batch length"], probability: Number) -> Int[Tensor, "batch length"]:
    """Replace random subwords by UNK, so that the model does not rely on single words; BOS, EOS and PAD stay.

    Sennrich et al. 2016 (arXiv 1606.02891) drop whole words on both sides, after Gal and Ghahramani 2016 (arXiv
    1512.05287), but set them to zero. With UNK, as in Bowman et al. 2016 (arXiv 1511.06349), its embedding is trained
    even if the text has no UNK.
    """
    if not probability:
        return tokens
    dropped = torch.rand(tokens.shape, device=tokens.device) < probability
    return tokens.masked_fill(dropped & (tokens != PAD) & (tokens != BOS) & (tokens != EOS), UNK)


def twice(batch: Batch) -> Batch:
    """The batch concatenated with itself."""
    return Batch(*(torch.cat((part, part)) for part in batch))


def in_parts(batch: Batch, count: int) -> list[Batch]:
    """Divide the batch into `count` parts, or into single rows if it has fewer; rows are assigned in turn."""
    return [Batch(*(field[first::count] for field in batch)) for first in range(min(count, len(batch.src)))]


@torch.no_grad()
def words_read(model: Seq2Seq, batch: Batch, teacher_forcing: float) -> Int[Tensor, "batch tgt"]:
    """The decoder's input under scheduled sampling (Bengio et al. 2015, arXiv 1506.03099), sampled once in advance.

    For R-Drop: if each of the two passes sampled its own words, they would be compared on different sentences. The
    words are written without dropout, as in translation.
    """
    model.eval()
    words = model.sample_inputs(batch.src, batch.src_len, batch.tgt[:, :-1], teacher_forcing)
    model.train()
    return words
