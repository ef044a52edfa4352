"""Guided attention: a loss that trains attention to follow word alignments of the training text."""

from itertools import chain

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from heed.data.batches import Batch
from heed.data.corpus import Pairs
from heed.errors import UserError
from heed.maps import read_gold, word_pieces
from heed.metrics.alignment import Gold
from heed.metrics.loss import guided_attention
from heed.text.ragged import ragged
from heed.text.subwords import Subwords
from heed.training.schedules import Number


class Guide:
    """The target attention between subwords for given links between words (Chen et al. 2016, arXiv 1607.01628).

    Every subword of a target word should attend evenly to all subwords of the source words that it is linked to, by its
    sure links or, if it has none, by its possible ones. EOS should attend to EOS, unless `attend_end` is false. Words
    without links have no target. `weight` is the factor of this loss in the training loss. Links and subword counts
    are stored as flat arrays, which take a few bytes per word.
    """

    def __init__(
        self, pairs: Pairs, src: Subwords, tgt: Subwords, weight: Number = 1.0, attend_end: bool = True
    ) -> None:
        if pairs.gold is None:
            raise UserError(
                "guided_attention needs word alignments of the training split; give guided_links=FILE, written by "
                "heed-align split=train, or put train.align beside the text"
            )
        self.weight, self.attend_end = weight, attend_end
        self._src, self._tgt = word_pieces(pairs.src, src), word_pieces(pairs.tgt, tgt)
        sizes = zip(self._src.lengths.tolist(), self._tgt.lengths.tolist(), strict=True)
        gold = read_gold(pairs.gold, sizes, "gold alignment of the training split", pairs.lines)
        self._links = ragged([list(chain.from_iterable(_chosen(links))) for links in gold])

    def loss(self, weights: Float[Tensor, "batch tgt src"], batch: Batch) -> Float[Tensor, ""]:
        """The guided-attention loss of a batch, in weighted nats, summed over rows."""
        return self.weight * guided_attention(weights, self.target(batch))

    def target(self, batch: Batch) -> Float[Tensor, "batch tgt src"]:
        """The target weights: a row for each label of the batch, which sums to 1, or is 0 if there is no target."""
        target = torch.zeros(batch.tgt.size(0), batch.tgt.size(1) - 1, batch.src.size(1))
        for row, pair in enumerate(batch.index.tolist()):
            if pair >= 0:
                wanted = torch.from_numpy(self._wanted(pair))
                target[row, : wanted.size(0), : wanted.size(1)] = wanted
        return target.to(batch.src.device)

    def _wanted(self, pair: int) -> Float32[np.ndarray, "tgt src"]:
        """The target weights between the subwords of one pair; EOS is a word of one subword."""
        tgt_pieces, src_pieces = (np.append(side.row(pair), 1) for side in (self._tgt, self._src))
        tgt_words, src_words = self._links.row(pair).reshape(-1, 2).T
        linked = np.zeros((len(tgt_pieces), len(src_pieces)), np.float32)
        linked[tgt_words, src_words] = 1
        linked[-1, -1] = self.attend_end
        wanted: Float32[np.ndarray, "tgt src"] = linked.repeat(tgt_pieces, axis=0).repeat(src_pieces, axis=1)
        wanted /= np.maximum(wanted.sum(axis=1, keepdims=True), 1)
        return wanted


def _chosen(gold: Gold) -> list[tuple[int, int]]:
    """(target word, source word) of each link that is used."""
    sure = {tgt for _, tgt in gold.sure}
    return [(tgt, src) for src, tgt in sorted(gold.possible) if (src, tgt) in gold.sure or tgt not in sure]
