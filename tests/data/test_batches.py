"""Batches: every pair once, padded as the models expect, little padding, and the same order after an interruption.

Each defect of torchtext 0.6.0 that docs/decisions/0003-torchtext.md lists has a test here that names it.
"""

import random
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from heed.data.batches import Batch, Batches, SortedBatches
from heed.data.encoded import Encoded
from heed.errors import UserError
from heed.text.subwords import BOS, EOS, PAD

Lengths = list[tuple[int, int]]
LENGTHS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=60)
BUDGETS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"sentences": st.integers(1, 9)}), st.fixed_dictionaries({"tokens": st.integers(26, 90)})
)
WORLDS = st.integers(1, 4)


def encoded(lengths: Lengths) -> Encoded:
    """Pairs of these lengths, with ids that identify them: 100 + i in the source, 1000 + i in the target."""
    return Encoded(*side([src for src, _ in lengths], 100), *side([tgt for _, tgt in lengths], 1000))


def side(lengths: list[int], base: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return (base + np.repeat(np.arange(len(lengths)), lengths)).astype(np.int32), offsets


def like_text(pairs: int) -> Lengths:
    """Lengths distributed like those of sentences: most near 12, a few long, the target near the source."""
    draw = np.random.default_rng(1)
    src = 3 + draw.gamma(4, 3, pairs).astype(int)
    return list(zip(src.tolist(), np.maximum(1, src + draw.normal(0, 3, pairs).astype(int)).tolist(), strict=True))


def padding(batches: SortedBatches) -> float:
    """The share of PAD cells."""
    cells = [cell for batch in batches for cell in (batch.src, batch.tgt)]
    return 1 - sum(int((cell != PAD).sum()) for cell in cells) / sum(cell.numel() for cell in cells)


def order(batches: SortedBatches) -> list[list[int]]:
    return [batch.index.tolist() for batch in batches]


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@given(lengths=LENGTHS, budget=BUDGETS)
def test_rows_contain_their_pair_with_bos_and_eos(lengths: Lengths, budget: dict[str, Any]) -> None:
    """Catches a target without BOS or EOS, lengths that count BOS or lack EOS, and padding that is not PAD."""
    for batch in Batches(encoded(lengths), **budget):
        assert batch.src.size(1) == batch.src_len.max()
        assert batch.tgt.size(1) == batch.tgt_len.max() + 1
        for src, src_len, tgt, tgt_len, i in zip(*(field.tolist() for field in batch), strict=True):
            pieces = lengths[i]
            assert (src_len, tgt_len) == (pieces[0] + 1, pieces[1] + 1)
            assert src == [100 + i] * pieces[0] + [EOS] + [PAD] * (len(src) - src_len)
            assert tgt == [BOS] + [1000 + i] * pieces[1] + [EOS] + [PAD] * (len(tgt) - tgt_len - 1)


@given(lengths=LENGTHS, budget=BUDGETS, world=WORLDS, kind=st.sampled_from([SortedBatches, Batches]))
def test_ranks_see_every_pair_once_in_the_batches_of_one_process(
    lengths: Lengths, budget: dict[str, Any], world: int, kind: type[SortedBatches]
) -> None:
    """Catches pairs lost at the end of an epoch, ranks with fewer batches, and batches that depend on `world`."""
    alone = order(kind(encoded(lengths), **budget))
    assert sorted(i for batch in alone for i in batch) == list(range(len(lengths)))
    shards = [kind(encoded(lengths), **budget, rank=rank, world=world) for rank in range(world)]
    assert {len(shard) for shard in shards} == {len(alone)}
    together = [list(chain.from_iterable(parts)) for parts in zip(*map(order, shards), strict=True)]
    assert [sorted(i for i in batch if i >= 0) for batch in together] == [sorted(batch) for batch in alone]


def test_a_rank_without_a_pair_gets_a_placeholder_that_counts_for_nothing() -> None:
    """Catches a rank without a batch, for which the others would wait, and a pair that is learned from twice."""
    (batch,) = Batches(encoded([(2, 3)]), sentences=8, rank=1, world=2)
    assert batch.index.tolist() == [-1]
    assert batch.tgt_len.tolist() == [0]
    assert batch.src.tolist() == [[100, 100, EOS]]
    assert (batch.tgt == PAD).all()


@given(lengths=LENGTHS, tokens=st.integers(26, 90))
def test_a_token_budget_counts_padding_and_is_never_exceeded(lengths: Lengths, tokens: int) -> None:
    """Defect of torchtext: its `batch_size_fn` adds up lengths, so that padding is not part of the budget."""
    for batch in Batches(encoded(lengths), tokens=tokens):
        assert len(batch.index) * (batch.src.size(1) + batch.tgt[:, 1:].size(1)) <= tokens


def test_a_token_budget_is_used() -> None:
    """Catches batches that are much smaller than the budget allows."""
    sizes = [batch.src.numel() + batch.tgt[:, 1:].numel() for batch in Batches(encoded(like_text(5000)), tokens=2000)]
    assert np.mean(sizes) > 0.95 * 2000


def test_an_epoch_of_a_token_budget_has_a_length_which_no_epoch_changes() -> None:
    """Defect of torchtext: `len()` raises NotImplementedError if there is a `batch_size_fn`."""
    batches = Batches(encoded(like_text(500)), tokens=300)
    assert [len(order(batches)) for _ in range(4)] == [len(batches)] * 4


@given(lengths=LENGTHS, budget=BUDGETS)
def test_no_batch_is_empty(lengths: Lengths, budget: dict[str, Any]) -> None:
    """Defect of torchtext: it yields an empty batch if the first sentence is over the budget."""
    assert all(order(Batches(encoded(lengths), **budget)))


def test_a_sentence_over_the_token_budget_is_named() -> None:
    """Defect of torchtext: it yields such a sentence, whatever memory that takes."""
    for kind, split in ((Batches, "the training split, as cleaning left it,"), (SortedBatches, "the validation split")):
        message = (
            f"batches.tokens=41: pair 2 of {split} has 30 \\+ 10 subwords, with EOS 42 cells; give batches.tokens=42"
        )
        with pytest.raises(UserError, match=message):
            kind(encoded([(1, 1), (30, 10), (2, 2)]), tokens=41)
    assert len(Batches(encoded([(1, 1), (30, 10), (2, 2)]), tokens=42)) == 2


@pytest.mark.parametrize("budget", [{"sentences": 64}, {"tokens": 2000}])
def test_padding_stays_below_six_per_cent(budget: dict[str, Any]) -> None:
    """Defect of torchtext: BucketIterator does not bucket for training unless `sort_within_batch=True`."""
    assert padding(Batches(encoded(like_text(20_000)), **budget)) < 0.06


def test_batches_of_one_length_differ_between_epochs() -> None:
    """Catches batches that are made once: the same sentences would be together in every epoch."""
    batches = Batches(encoded([(5, 5)] * 40), sentences=4)
    first, second = ({frozenset(batch) for batch in order(batches)} for _ in range(2))
    assert len(first & second) < 5


def test_short_and_long_batches_come_mixed() -> None:
    """Catches an epoch that runs from the shortest sentences to the longest."""
    widths = [batch.src.size(1) for batch in Batches(encoded(like_text(2000)), sentences=20)]
    assert abs(np.corrcoef(widths, np.arange(len(widths)))[0, 1]) < 0.3


def test_the_order_is_a_function_of_seed_and_epoch_alone() -> None:
    """Catches an order that depends on the global random state, or changes it, as torchtext's shuffler does."""
    data = encoded(like_text(200))
    first = Batches(data, sentences=8, seed=3)
    epochs = [order(first), order(first)]
    assert epochs[0] != epochs[1]
    random.seed(99)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    again = Batches(data, sentences=8, seed=3)
    assert [order(again), order(again)] == epochs
    assert torch.equal(torch.get_rng_state(), state)
    assert order(Batches(data, sentences=8, seed=4)) != epochs[0]


@given(lengths=LENGTHS, budget=BUDGETS, world=WORLDS, data=st.data())
def test_a_resumed_run_has_the_batches_of_the_uninterrupted_run(
    lengths: Lengths, budget: dict[str, Any], world: int, data: st.DataObject
) -> None:
    """Defect of torchtext: its `state_dict` at the end of an epoch resumes to an empty epoch."""
    split = encoded(lengths)
    shard: dict[str, Any] = {"rank": world - 1, "world": world}
    straight = Batches(split, **budget, **shard)
    run = [batch for _ in range(3) for batch in straight]
    stop = data.draw(st.integers(0, 2 * len(straight)), label="stop")

    interrupted = Batches(split, **budget, **shard)
    list(islice((batch for _ in range(3) for batch in interrupted), stop))
    resumed = Batches(split, **budget, **shard)
    resumed.load_state_dict(interrupted.state_dict())
    rest = islice((batch for _ in range(4) for batch in resumed), len(run) - stop)
    assert all(same(*pair) for pair in zip(run[stop:], rest, strict=True))
    assert resumed.state_dict() == straight.state_dict()


def test_a_loop_that_counts_batches_never_meets_an_empty_epoch() -> None:
    """Catches an epoch that ends only after its last yield, which a loop that counts batches never reaches."""
    batches = Batches(encoded(like_text(50)), sentences=8)
    epochs = []
    for epoch in range(4):
        iterator = iter(batches)
        epochs.append([i for _ in range(len(batches)) for i in next(iterator).index.tolist()])
        assert batches.state_dict() == {"epoch": epoch, "batch": len(batches)}
    assert all(sorted(seen) == list(range(50)) for seen in epochs)


def test_a_batch_counts_as_seen_when_it_is_yielded() -> None:
    batches = Batches(encoded(like_text(50)), sentences=8)
    assert batches.state_dict() == {"epoch": 0, "batch": 0}
    iterator = iter(batches)
    assert batches.state_dict() == {"epoch": 0, "batch": 0}
    next(iterator)
    assert batches.state_dict() == {"epoch": 0, "batch": 1}


class Watched(Encoded):
    """Pairs that record which of them are read."""

    read: list[int] = []  # noqa: RUF012

    def src(self, i: int) -> NDArray[np.int32]:
        self.read.append(i)
        return super().src(i)


def test_resuming_reads_nothing_of_what_it_skips() -> None:
    """Catches a resumed run that builds every batch of the epoch again, which takes hours on a large corpus."""
    split = encoded(like_text(100))
    batches = Batches(Watched(split.src_ids, split.src_offsets, split.tgt_ids, split.tgt_offsets), sentences=10)
    batches.load_state_dict({"epoch": 5, "batch": 9})
    (last,) = batches
    assert last.index.tolist() == Watched.read


@pytest.mark.parametrize("position", [{"epoch": 0, "batch": 8}, {"epoch": 0, "batch": -1}, {"epoch": -1, "batch": 0}])
def test_an_impossible_position_is_refused(position: dict[str, int]) -> None:
    """Catches a run that is resumed silently with another corpus or batch size."""
    batches = Batches(encoded([(1, 1)] * 50), sentences=8)
    with pytest.raises(UserError, match=r"the position to resume from is .*, but an epoch has 7 batches; resume with"):
        batches.load_state_dict(position)


def test_sorted_batches_are_always_the_same_and_the_index_restores_the_order() -> None:
    """Catches an evaluation that begins where an earlier one was interrupted."""
    lengths = like_text(100)
    batches = SortedBatches(encoded(lengths), sentences=9)
    next(iter(batches))
    first, second = order(batches), order(batches)
    assert first == second
    assert len(first) == len(batches) == 12
    rows = {i: row for batch in batches for i, row in zip(batch.index.tolist(), batch.src_len.tolist(), strict=True)}
    assert [rows[i] for i in range(100)] == [src + 1 for src, _ in lengths]
    widths = [batch.src.size(1) for batch in batches]
    assert widths == sorted(widths)


def test_pairs_may_be_in_memory_mapped_files(tmp_path: Path) -> None:
    """Catches code that needs the whole corpus in memory."""
    split = encoded(like_text(50))
    arrays = []
    for name in ("src_ids", "src_offsets", "tgt_ids", "tgt_offsets"):
        np.save(tmp_path / f"{name}.npy", getattr(split, name))
        arrays.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    mapped = Batches(Encoded(*arrays), sentences=8)
    assert all(same(*pair) for pair in zip(mapped, Batches(split, sentences=8), strict=True))


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({}, "sentences=None and tokens=None; set one"),
        ({"sentences": 8, "tokens": 100}, "sentences=8 and tokens=100; set one"),
        ({"sentences": 0}, "the size is 0; expected 1 or more"),
        ({"tokens": -5}, "the size is -5; expected 1 or more"),
    ],
)
def test_an_impossible_budget_is_refused(budget: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Batches(encoded([(1, 1)]), **budget)


def test_a_split_without_pairs_is_refused() -> None:
    with pytest.raises(UserError, match="the training split, as cleaning left it, has no pairs"):
        Batches(encoded([]), sentences=8)
