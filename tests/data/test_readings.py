"""How often an epoch reads the pairs of each part of a mix."""

from collections import Counter

import numpy as np
import pytest

from heed.data.batches import Batches
from heed.data.corpus import Pairs, Part
from heed.data.encoded import Encoded
from heed.data.readings import Readings, readings
from heed.errors import UserError

SIZES = (7, 10, 4)


def dealt(*weights: float) -> Readings:
    return Readings(np.repeat(np.arange(len(weights)), SIZES[: len(weights)]), weights)


def encoded(pairs: int) -> Encoded:
    """Pairs of 1 to 5 subwords."""
    offsets = np.concatenate([[0], np.cumsum(1 + np.arange(pairs) % 5)])
    ids = np.full(offsets[-1], 7, np.int32)
    return Encoded(ids, offsets, ids, offsets)


@pytest.mark.parametrize("weights", [(1, 1, 1), (2, 0.5, 0), (0.3, 1.7, 5), (0.05, 0.35, 0.3)])
def test_an_epoch_has_exactly_as_many_readings_as_the_weights_say(weights: tuple[float, ...]) -> None:
    """Catches random counts: epochs would differ in length, and runs of a sweep over weights could not be compared."""
    read = dealt(*weights)
    for epoch in range(6):
        counts = np.bincount(read.part[read.epoch(3, epoch)], minlength=3)
        assert counts.tolist() == read.counts()
        assert counts.tolist() == [round(weight * size) for weight, size in zip(weights, SIZES, strict=True)]


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.7, 1, 1.3, 2])
def test_no_pair_is_read_again_before_all_were_read(weight: float) -> None:
    """Catches a pair that is never drawn, and one that is drawn in every epoch."""
    read, counts = dealt(1, weight), Counter[int]()
    for epoch in range(25):
        counts.update(read.epoch(3, epoch).tolist())
        times = [counts[pair] for pair in range(SIZES[0], SIZES[0] + SIZES[1])]
        assert max(times) - min(times) <= 1
        assert sum(times) == (epoch + 1) * round(weight * SIZES[1])


def test_the_choice_depends_only_on_the_seed_and_the_epoch() -> None:
    """Catches a choice that a resumed run or another process would not repeat, and the same half in every epoch."""
    read = dealt(1, 0.5)
    again = [dealt(1, 0.5).epoch(3, epoch).tolist() for epoch in (5, 0, 4)]
    assert [read.epoch(3, epoch).tolist() for epoch in (5, 0, 4)] == again
    assert read.epoch(3, 0).tolist() != read.epoch(4, 0).tolist()
    assert read.epoch(3, 0).tolist() != read.epoch(3, 1).tolist()


def test_weights_of_1_give_the_batches_of_the_joined_text() -> None:
    """Catches a mix with weights of 1 whose batches differ from those of the joined text."""
    one, other = Batches(encoded(21), sentences=4), Batches(encoded(21), sentences=4, readings=dealt(1, 1, 1))
    for _ in range(3):
        assert [batch.index.tolist() for batch in one] == [batch.index.tolist() for batch in other]


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_the_readings_of_one(world: int) -> None:
    """Catches processes that choose different pairs to read."""

    def batches(rank: int, world: int) -> Batches:
        return Batches(encoded(21), sentences=5, rank=rank, world=world, readings=dealt(0.5, 2, 1))

    alone, ranks = batches(0, 1), [batches(rank, world) for rank in range(world)]
    for _ in range(3):
        shares = zip(*ranks, strict=True)
        together = [sorted(i for batch in share for i in batch.index.tolist() if i >= 0) for share in shares]
        assert together == [sorted(batch.index.tolist()) for batch in alone]


def test_an_epoch_can_be_continued() -> None:
    """Catches a position that counts pairs that the epoch does not read."""
    straight = Batches(encoded(21), sentences=4, readings=dealt(0.5, 2, 1))
    every = [batch.index.tolist() for _ in range(3) for batch in straight]
    resumed = Batches(encoded(21), sentences=4, readings=dealt(0.5, 2, 1))
    resumed.load_state_dict({"epoch": 1, "batch": 2})
    done = len(straight) + 2
    assert [batch.index.tolist() for _ in range(2) for batch in resumed] == every[done:]


def test_weights_so_small_that_nothing_is_read_are_refused() -> None:
    """Catches a run whose epochs are empty."""
    with pytest.raises(UserError, match="with these weights an epoch reads no pair"):
        Batches(encoded(21), sentences=4, readings=dealt(0.01, 0.01, 0.01))


def test_a_corpus_without_parts_has_no_readings() -> None:
    """Catches a corpus without weights whose pairs are chosen as those of a mix."""
    assert readings(Pairs(["a"], ["b"])) is None
    mixed = readings(Pairs(["a"], ["b"], parts=[Part("own", 2.0, 1)], part=[0]))
    assert mixed is not None
    assert mixed.counts() == [2]
