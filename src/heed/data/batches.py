"""Batches of pairs of similar length, by torchtext's `batch` and `Field`.

torchtext 0.6.0 cuts sorted pairs into batches and pads them; the order of an epoch, its length, its shards and the
position in it are decided here, because its iterator's own are wrong or missing (docs/decisions/0003-torchtext.md).
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
import torchtext.data as torchtext
from jaxtyping import Float, Int, Int64
from torch import Tensor

from heed.data.encoded import Encoded
from heed.data.readings import Readings
from heed.data.resampled import Resampled
from heed.errors import UserError
from heed.text.subwords import BOS, EOS, PAD

_PADDED = {"use_vocab": False, "include_lengths": True, "batch_first": True, "pad_token": PAD, "eos_token": EOS}

SRC, TGT = torchtext.Field(**_PADDED), torchtext.Field(init_token=BOS, **_PADDED)
"""Ids to rows of a tensor, with EOS, padding, and before a target BOS; SentencePiece's ids are the only vocabulary."""


class Batch(NamedTuple):
    """Sentence pairs, padded to the longest of each side.

    Where a batch has fewer pairs than there are ranks, a rank that is left without one gets a stand-in: one row with
    `index` -1 and `tgt_len` 0, whose target is PAD throughout, so that it adds nothing to a loss or to its count.
    """

    src: Int[Tensor, "batch src"]  # pieces, EOS, PAD
    src_len: Int[Tensor, "batch"]  # counts EOS
    tgt: Int[Tensor, "batch tgt1"]  # BOS, pieces, EOS, PAD: decoder input is tgt[:, :-1], labels are tgt[:, 1:]
    tgt_len: Int[Tensor, "batch"]  # labels: pieces and EOS
    index: Int[Tensor, "batch"]  # type: ignore[assignment]  # position of each pair in the split; hides tuple.index


class _Cells(int):
    """A number of cells that remembers the widths it came from, so that the count needs no state elsewhere."""

    src: int
    tgt: int

    def __new__(cls, rows: int, src: int, tgt: int) -> "_Cells":
        cells = super().__new__(cls, rows * (src + tgt))
        cells.src, cells.tgt = src, tgt
        return cells


class SortedBatches:
    """Every pair once, from short to long, the same at every iteration; `index` restores the order of the split.

    A batch holds at most `sentences` pairs, or at most `tokens` cells: its rows times the sum of its two widths,
    EOS and padding included. One of the two is set. Both are budgets of all ranks together, each of which gets its
    share of every batch: `world` ranks see between them the very batches that one process sees.
    """

    _of = "the validation split"

    def __init__(
        self, encoded: Encoded, sentences: int | None = None, tokens: int | None = None, rank: int = 0, world: int = 1
    ) -> None:
        _check_budget(encoded, sentences, tokens, self._of)
        self.sentences, self.tokens, self.rank, self.world = sentences, tokens, rank, world
        self._read(encoded)

    @cached_property
    def _order(self) -> list[list[int]]:
        pairs = np.arange(len(self.encoded))
        return self._plan(pairs, np.zeros(len(pairs)))

    def __len__(self) -> int:
        """Batches in an epoch: the same for all ranks and, the lengths being what cuts them, for all epochs."""
        return len(self._order)

    def __iter__(self) -> Iterator[Batch]:
        return map(self._build, self._order)

    def _read(self, encoded: Encoded) -> None:
        self.encoded, self._src_len, self._tgt_len = encoded, encoded.src_len + 1, encoded.tgt_len + 1

    def _plan(self, pairs: Int64[np.ndarray, "read"], noise: Float[np.ndarray, "read"]) -> list[list[int]]:
        """The pairs of each batch, sorted by both lengths and, among equals, by `noise`.

        The target lengths run up and down in turn, so that the step from one source length to the next costs nothing.
        """
        turned = np.where(self._src_len % 2, self._tgt_len, -self._tgt_len)
        order = pairs[np.lexsort((noise, turned[pairs], self._src_len[pairs]))].tolist()
        return list(torchtext.batch(order, self.sentences or self.tokens, None if self.sentences else self._cells))

    def _cells(self, new: int, count: int, so_far: int) -> _Cells:
        """What torchtext calls `batch_size_fn`: the cells of a batch once pair `new` is the last of its `count`."""
        src, tgt = int(self._src_len[new]), int(self._tgt_len[new])
        if isinstance(so_far, _Cells) and count > 1:
            src, tgt = max(src, so_far.src), max(tgt, so_far.tgt)
        return _Cells(count, src, tgt)

    def _build(self, pairs: list[int]) -> Batch:
        """This rank's share of the batch, as tensors."""
        share = pairs[self.rank :: self.world]
        batch = self._tensors(share or pairs[:1])
        if share:
            return batch
        return batch._replace(tgt=batch.tgt.fill_(PAD), tgt_len=batch.tgt_len.fill_(0), index=batch.index.fill_(-1))

    def _tensors(self, pairs: list[int]) -> Batch:
        src, src_len = SRC.process([self.encoded.src(i).tolist() for i in pairs])
        tgt, tgt_len = TGT.process([self.encoded.tgt(i).tolist() for i in pairs])
        return Batch(src, src_len, tgt, tgt_len - 1, torch.tensor(pairs))


class Batches(SortedBatches):
    """The batches of training, shuffled anew every epoch: the order is a function of (seed, epoch).

    Iterating goes on from the position, which is the epoch and the number of batches yielded in it; at an epoch's end
    the next iteration begins the next epoch. So two integers resume a run exactly.

    Where words are segmented afresh every epoch, every epoch has lengths of its own, and with a budget of `tokens`
    another number of batches: `len` is that of the first one. Of Multi30k, with 4,000 tokens, it was 295 to 297.

    `readings` say how often an epoch reads each pair of a mix; without them it is once.
    """

    _of = "the training split, as cleaning left it,"

    def __init__(
        self,
        train: Encoded | Resampled,
        sentences: int | None = None,
        tokens: int | None = None,
        seed: int = 1,
        rank: int = 0,
        world: int = 1,
        readings: Readings | None = None,
    ) -> None:
        self.readings = readings
        self.resampled = train if isinstance(train, Resampled) else None
        super().__init__(train.epoch(0) if isinstance(train, Resampled) else train, sentences, tokens, rank, world)
        if self.resampled and tokens:
            _check_longest(*self.resampled.longest(), tokens, self._of)
        self.seed, self._epoch = seed, 0
        self._turn_to(0)
        self._len = self.batches_in_epoch

    def __len__(self) -> int:
        return self._len

    def __iter__(self) -> Iterator[Batch]:
        # Here and not after the last yield: a loop that counts batches, as Lightning's, never comes back for the end.
        if self._batch == self.batches_in_epoch:
            self._turn_to(self._epoch + 1)
        for pairs in self._order[self._batch :]:
            self._batch += 1
            yield self._build(pairs)

    @property
    def batches_in_epoch(self) -> int:
        """Batches in the epoch of the position."""
        return len(self._order)

    def state_dict(self) -> dict[str, int]:
        """The position: `epoch`, and `batch`, the number of its batches that were yielded."""
        return {"epoch": self._epoch, "batch": self._batch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a position that `state_dict` gave over the same corpus and budget."""
        epoch, batch = int(state_dict["epoch"]), int(state_dict["batch"])
        if epoch >= 0:
            self._turn_to(epoch)
        if epoch < 0 or not 0 <= batch <= self.batches_in_epoch:
            raise UserError(
                f"the position to resume from is batch {batch} of epoch {epoch}, but an epoch has {len(self)} batches; "
                "resume with the corpus and the batch size of the run, or start over"
            )
        self._batch = batch

    def _turn_to(self, epoch: int) -> None:
        """The beginning of an epoch."""
        if self.resampled and epoch != self._epoch:
            self._read(self.resampled.epoch(epoch))
        self._epoch, self._batch = epoch, 0
        random_state = np.random.default_rng([self.seed, epoch])
        pairs = self.readings.epoch(self.seed, epoch) if self.readings else np.arange(len(self.encoded))
        plan = self._plan(pairs, random_state.random(len(pairs)))
        self._order = [plan[i] for i in random_state.permutation(len(plan))]


def _check_budget(encoded: Encoded, sentences: int | None, tokens: int | None, split: str) -> None:
    if (sentences is None) == (tokens is None):
        raise UserError(f"batches: sentences={sentences} and tokens={tokens}; set one of them, the other to null")
    if (budget := sentences if tokens is None else tokens) is None or budget < 1:
        raise UserError(f"batches: a budget of {budget}; expected 1 or more")
    if not len(encoded):
        raise UserError(f"batches: {split} has no pairs; check its files")
    if tokens is not None:
        _check_longest(encoded.src_len, encoded.tgt_len, tokens, split)


def _check_longest(
    src_len: Int64[np.ndarray, "pairs"], tgt_len: Int64[np.ndarray, "pairs"], tokens: int, split: str
) -> None:
    cells = src_len + tgt_len + 2
    if cells.max() > tokens:
        i = int(cells.argmax())
        raise UserError(
            f"batches.tokens={tokens}: pair {i + 1} of {split} has {src_len[i]} + {tgt_len[i]} pieces, "
            f"with EOS {cells[i]} cells; give batches.tokens={cells[i]} or more"
        )
