"""Batches of pairs of similar length, by torchtext's `batch` and `Field`.

torchtext 0.6.0 divides sorted pairs into batches and pads them. This module decides the order and length of an epoch,
its shards and the position in it, because torchtext's iterator gets these wrong (docs/decisions/0003-torchtext.md).
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
import torchtext.data as torchtext
from jaxtyping import Int, Int64, UInt32
from torch import Tensor

from heed.data.encoded import Encoded
from heed.data.order import AT_ONCE, by_length, portions
from heed.data.readings import Readings
from heed.data.resampled import Resampled
from heed.errors import UserError
from heed.text.subwords import BOS, EOS, PAD

_PADDED = {"use_vocab": False, "include_lengths": True, "batch_first": True, "pad_token": PAD, "eos_token": EOS}

SRC, TGT = torchtext.Field(**_PADDED), torchtext.Field(init_token=BOS, **_PADDED)
"""torchtext fields that pad ids and add EOS, and BOS to targets. They have no vocabulary: ids are SentencePiece's."""


class Batch(NamedTuple):
    """Sentence pairs, padded to the longest of each side.

    If a batch has fewer pairs than there are ranks, a rank without a pair gets a placeholder: one row with `index` -1
    and `tgt_len` 0, whose target is all PAD, so that it adds nothing to a loss or to its count.
    """

    src: Int[Tensor, "batch src"]  # subwords, EOS, PAD
    src_len: Int[Tensor, "batch"]  # counts EOS
    tgt: Int[Tensor, "batch tgt1"]  # BOS, subwords, EOS, PAD: decoder input is tgt[:, :-1], labels are tgt[:, 1:]
    tgt_len: Int[Tensor, "batch"]  # labels: subwords and EOS
    index: Int[Tensor, "batch"]  # type: ignore[assignment]  # position of each pair in the split; hides tuple.index


class _Cells(int):
    """A number of cells that also stores the widths it was computed from, so that no other state is needed."""

    src: int
    tgt: int

    def __new__(cls, rows: int, src: int, tgt: int) -> "_Cells":
        cells = super().__new__(cls, rows * (src + tgt))
        cells.src, cells.tgt = src, tgt
        return cells


class Plan(NamedTuple):
    """The batches of an epoch: batch `i` is `order[starts[i]:ends[i]]`. About 4 bytes of memory for each pair."""

    order: UInt32[np.ndarray, "pairs"]
    starts: Int64[np.ndarray, "batches"]
    ends: Int64[np.ndarray, "batches"]

    def batches(self, first: int = 0) -> Iterator[list[int]]:
        """The pairs of each batch, beginning with batch `first`."""
        for start, end in zip(self.starts[first:].tolist(), self.ends[first:].tolist(), strict=True):
            yield self.order[start:end].tolist()


class SortedBatches:
    """Batches of every pair, from short to long, the same at every iteration; `index` restores the order of the split.

    A batch holds at most `sentences` pairs, or at most `tokens` cells: its rows times the sum of its two widths,
    EOS and padding included. Exactly one of the two is set. Both are budgets for all ranks together. Each rank gets a
    share of every batch, so `world` ranks together process the same batches as a single process.
    """

    _of = "the validation split"

    def __init__(
        self, encoded: Encoded, sentences: int | None = None, tokens: int | None = None, rank: int = 0, world: int = 1
    ) -> None:
        _check_budget(encoded, sentences, tokens, self._of)
        self.sentences, self.tokens, self.rank, self.world = sentences, tokens, rank, world
        self.encoded = encoded

    @cached_property
    def _plan(self) -> Plan:
        return self._cut(by_length(self.encoded))

    def __len__(self) -> int:
        """Batches in an epoch: equal for all ranks and epochs, because only lengths decide where batches end."""
        return len(self._plan.starts)

    def __iter__(self) -> Iterator[Batch]:
        return map(self._build, self._plan.batches())

    def _cut(self, order: UInt32[np.ndarray, "pairs"]) -> Plan:
        if self.sentences:
            batches = torchtext.batch(range(len(order)), self.sentences)
        else:
            batches = torchtext.batch(self._widths(order), self.tokens, _cells)
        ends = np.cumsum(np.fromiter(map(len, batches), np.int64))
        return Plan(order, np.concatenate([[0], ends[:-1]]), ends)

    def _widths(self, order: UInt32[np.ndarray, "pairs"]) -> Iterator[tuple[int, int]]:
        """The two widths of each pair: source and labels, with EOS."""
        for start in range(0, len(order), AT_ONCE):
            src_len, tgt_len = self.encoded.lengths(order[start : start + AT_ONCE].astype(np.int64))
            yield from zip((src_len + 1).tolist(), (tgt_len + 1).tolist(), strict=True)

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
    """The training batches, reshuffled every epoch; the order is a function of (seed, epoch).

    Iteration continues from the position: the epoch and the number of batches yielded in it. At the end of an epoch the
    next iteration begins the next epoch. So two integers are enough to resume a run exactly.

    If words are segmented again every epoch, lengths change from epoch to epoch and, with a budget of `tokens`, so does
    the number of batches; `len` is that of the first epoch. On Multi30k with 4,000 tokens it was 295 to 297.

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
            _check_longest([self.resampled.longest()], tokens, self._of)
        self.seed, self._epoch = seed, 0
        self._turn_to(0)
        self._len = self.batches_in_epoch

    def __len__(self) -> int:
        return self._len

    def __iter__(self) -> Iterator[Batch]:
        # Here and not after the last yield: a loop that counts batches, such as Lightning's, does not return after it.
        if self._batch == self.batches_in_epoch:
            self._turn_to(self._epoch + 1)
        for pairs in self._plan.batches(self._batch):
            self._batch += 1
            yield self._build(pairs)

    @property
    def batches_in_epoch(self) -> int:
        """The number of batches in the current epoch."""
        return len(self._plan.starts)

    def state_dict(self) -> dict[str, int]:
        """The position: `epoch`, and `batch`, the number of batches that were yielded in it."""
        return {"epoch": self._epoch, "batch": self._batch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a position of `state_dict`, for the same corpus and budget."""
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
        """Set the position to the beginning of an epoch."""
        if self.resampled and epoch != self._epoch:
            self.encoded = self.resampled.epoch(epoch)
        self._epoch, self._batch = epoch, 0
        self.__dict__.pop("_plan", None)  # two plans would be in memory at once
        random_state = np.random.default_rng([self.seed, epoch])
        pairs = self.readings.epoch(self.seed, epoch) if self.readings else None
        size = len(self.encoded) if pairs is None else len(pairs)
        # No name for the random numbers, so that they are freed before the batches are cut.
        order = by_length(self.encoded, random_state.random(size), pairs)
        plan = self._cut(order)
        shuffled = random_state.permutation(len(plan.starts))
        self._plan = plan._replace(starts=plan.starts[shuffled], ends=plan.ends[shuffled])


def _cells(new: tuple[int, int], count: int, so_far: int) -> _Cells:
    """The `batch_size_fn` of torchtext: the cells of a batch of `count` pairs, the last of them with widths `new`."""
    src, tgt = new
    if isinstance(so_far, _Cells) and count > 1:
        src, tgt = max(src, so_far.src), max(tgt, so_far.tgt)
    return _Cells(count, src, tgt)


def _check_budget(encoded: Encoded, sentences: int | None, tokens: int | None, split: str) -> None:
    if (sentences is None) == (tokens is None):
        raise UserError(f"batches: sentences={sentences} and tokens={tokens}; set one of them, the other to null")
    if (budget := sentences if tokens is None else tokens) is None or budget < 1:
        raise UserError(f"batches: the size is {budget}; expected 1 or more")
    if not len(encoded):
        raise UserError(f"batches: {split} has no pairs; check its files")
    if tokens is not None:
        _check_longest(map(encoded.lengths, portions(len(encoded))), tokens, split)


def _check_longest(
    parts: Iterable[tuple[Int64[np.ndarray, "some"], Int64[np.ndarray, "some"]]], tokens: int, split: str
) -> None:
    """Raise UserError if a pair is over the budget, naming the longest; `parts` are the lengths of all, in order."""
    longest, number, of, before = 0, 0, (0, 0), 0
    for src_len, tgt_len in parts:
        cells = src_len + tgt_len + 2
        i = int(cells.argmax())
        if cells[i] > longest:
            longest, number, of = int(cells[i]), before + i + 1, (int(src_len[i]), int(tgt_len[i]))
        before += len(cells)
    if longest > tokens:
        raise UserError(
            f"batches.tokens={tokens}: pair {number} of {split} has {of[0]} + {of[1]} subwords, "
            f"with EOS {longest} cells; give batches.tokens={longest} or more"
        )
