"""The order of an epoch takes a few bytes for each pair, and equals the order from a single sort of all pairs."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
import torchtext.data as torchtext
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from heed.data import order
from heed.data.batches import Batches
from heed.data.encoded import Encoded
from heed.data.order import by_length

LENGTHS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=80)


def encoded(lengths: list[tuple[int, int]]) -> Encoded:
    src, tgt = np.array(lengths, np.int64).reshape(-1, 2).T
    return Encoded(*side(src), *side(tgt))


def side(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return np.zeros(offsets[-1], np.int32), offsets


def sorted_at_once(split: Encoded, noise: NDArray[np.float64]) -> list[int]:
    """The order, by a single sort of all keys in memory."""
    src_len, tgt_len = split.src_len + 1, split.tgt_len + 1
    turned = np.where(src_len % 2, tgt_len, -tgt_len)
    found: list[int] = np.lexsort((noise, turned, src_len)).tolist()
    return found


@given(lengths=LENGTHS, at_once=st.integers(1, 100), seed=st.integers(0, 9))
def test_sorting_in_portions_is_sorting_at_once(lengths: list[tuple[int, int]], at_once: int, seed: int) -> None:
    """Catches pairs lost or exchanged between portions, and ties in another order, which would change a run."""
    split, noise = encoded(lengths), np.random.default_rng(seed).random(len(lengths))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "AT_ONCE", at_once)
        assert by_length(split, noise).tolist() == sorted_at_once(split, noise)
        assert by_length(split).tolist() == sorted_at_once(split, np.zeros(len(lengths)))


@given(lengths=LENGTHS, epoch=st.integers(0, 3), budget=st.sampled_from([{"sentences": 7}, {"tokens": 60}]))
def test_an_epoch_equals_that_of_torchtext(lengths: list[tuple[int, int]], epoch: int, budget: dict[str, Any]) -> None:
    """Catches batches that differ from those that torchtext makes of the whole list."""

    def cells(new: int, count: int, so_far: int) -> int:
        rows = chosen[cells_of["start"] : cells_of["start"] + count]
        if count == 1:
            cells_of["start"] = chosen.index(new)
            rows = [new]
        widths = [int(side[rows].max()) + 1 for side in (split.src_len, split.tgt_len)]
        return count * sum(widths)

    split, cells_of = encoded(lengths), {"start": 0}
    draw = np.random.default_rng([1, epoch])
    chosen = sorted_at_once(split, draw.random(len(lengths)))
    (size,) = budget.values()
    plan = list(torchtext.batch(chosen, size, cells if "tokens" in budget else None))
    wanted = [plan[i] for i in draw.permutation(len(plan))]
    batches = Batches(split, **budget)
    batches.load_state_dict({"epoch": epoch, "batch": 0})
    assert [batch.index.tolist() for batch in batches] == wanted


@pytest.mark.parametrize("shortest", [3, 39], ids=["many source lengths", "one source length"])
def test_an_epoch_takes_a_few_bytes_a_pair(shortest: int) -> None:
    """Catches a plan in Python's lists, copies of the lengths of all pairs, and a single sort of many of them.

    Also random numbers that are kept while the batches are cut: batches are small here, so that their limits, which are
    made then, take memory too.
    """
    pairs = 400_000
    draw = np.random.default_rng(1)
    split = Encoded(*side(draw.integers(shortest, 40, pairs)), *side(draw.integers(3, 40, pairs)))
    at_once = 2**12
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "AT_ONCE", at_once)
        patch.setattr("heed.data.batches.AT_ONCE", at_once)
        tracemalloc.start()
        batches = Batches(split, sentences=8)
        most, after = tracemalloc.get_traced_memory()[1], tracemalloc.get_traced_memory()[0]
        batches.load_state_dict({"epoch": 1, "batch": 0})
        again = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    small = 200 * at_once
    assert max(most, again) < 12 * pairs + small
    assert after < 7 * pairs + small / 2


def test_no_pairs_are_sorted_too() -> None:
    """Catches a maximum of nothing."""
    assert by_length(encoded([])).tolist() == by_length(encoded([]), np.empty(0)).tolist() == []


@given(lengths=LENGTHS, data=st.data(), at_once=st.integers(1, 100))
def test_chosen_pairs_are_sorted_as_all_are(lengths: list[tuple[int, int]], data: st.DataObject, at_once: int) -> None:
    """Catches random numbers that are taken by the number of a pair instead of its place, and repeated pairs lost."""
    pairs = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=100)), np.int64)
    noise = np.random.default_rng(1).random(len(pairs))
    copied = encoded([lengths[i] for i in pairs])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "AT_ONCE", at_once)
        found = by_length(encoded(lengths), noise, pairs)
    assert found.tolist() == pairs[sorted_at_once(copied, noise)].tolist()
