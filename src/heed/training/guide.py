"""Where attention should look, from alignments that are given with the training text."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from heed.data.batches import Batch
from heed.data.corpus import Pairs
from heed.errors import UserError
from heed.maps import divide_line, read_gold
from heed.metrics.alignment import Gold
from heed.metrics.loss import guided_attention
from heed.text.subwords import Subwords
from heed.training.schedules import Number


class Guide:
    """The attention that gold links between words ask of pieces (Chen et al. 2016, arXiv 1607.01628).

    Every piece of a target word looks at all pieces of the source words that it is linked to, evenly: by its sure
    links, or the possible ones where it has no sure one. EOS looks at EOS. A word without a link asks for nothing.
    `weight` is the loss's share in what training minimises. Kept as flat arrays of (row, column, share), so that a long
    corpus costs a few bytes a link.
    """

    def __init__(self, pairs: Pairs, src: Subwords, tgt: Subwords, weight: Number = 1.0) -> None:
        if pairs.gold is None:
            raise UserError("guided_attention needs word alignments of the training split; put train.align beside it")
        self.weight = weight
        src_words = [divide_line(line, src) for line in pairs.src]
        tgt_words = [divide_line(line, tgt) for line in pairs.tgt]
        sizes = ((len(one.words), len(other.words)) for one, other in zip(src_words, tgt_words, strict=True))
        gold = read_gold(pairs.gold, sizes, "gold alignment of the training split, of the lines that cleaning kept")
        wanted = [
            _wanted(links, one.word_index, other.word_index)
            for links, one, other in zip(gold, src_words, tgt_words, strict=True)
        ]
        self._offsets = np.cumsum([0, *map(len, wanted)])
        self._places = np.array([place[:2] for places in wanted for place in places], np.int32).reshape(-1, 2)
        self._shares = np.array([place[2] for places in wanted for place in places], np.float32)

    def loss(self, weights: Float[Tensor, "batch tgt src"], batch: Batch) -> Float[Tensor, ""]:
        """What the attention of a batch is still away from what is asked, in weighted nats, summed over rows."""
        return self.weight * guided_attention(weights, self.target(batch))

    def target(self, batch: Batch) -> Float[Tensor, "batch tgt src"]:
        """The weights asked for, a row for each label of the batch: it sums to 1, or is 0 where nothing is asked."""
        target = torch.zeros(batch.tgt.size(0), batch.tgt.size(1) - 1, batch.src.size(1))
        for row, pair in enumerate(batch.index.tolist()):
            if pair >= 0:
                own = slice(self._offsets[pair], self._offsets[pair + 1])
                places = torch.from_numpy(self._places[own]).long()
                target[row, places[:, 0], places[:, 1]] = torch.from_numpy(self._shares[own])
        return target.to(batch.src.device)


def _wanted(gold: Gold, src_words: Sequence[int], tgt_words: Sequence[int]) -> list[tuple[int, int, float]]:
    """(target piece, source piece, share) of one pair, EOS included."""
    places = [(len(tgt_words), len(src_words), 1.0)]
    for word in sorted(set(tgt_words)):
        linked = {i for i, j in gold.sure if j == word} or {i for i, j in gold.possible if j == word}
        columns = [column for column, source in enumerate(src_words) if source in linked]
        rows = [row for row, target in enumerate(tgt_words) if target == word]
        places += [(row, column, 1 / len(columns)) for row, column in product(rows, columns)]
    return places
