"""Words segmented again every epoch: the same text, other subwords, and runs that can be resumed anywhere."""

from functools import cache, partial
from itertools import islice
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heed.data.batches import Batches
from heed.data.corpus import Pairs
from heed.data.encoded import Encoded
from heed.data.module import Stream
from heed.data.resampled import Resampled
from heed.data.resampled import resampled as resample
from heed.errors import UserError
from heed.text.subwords import Kind, Subwords

SRC = ["a dog runs across the green field .", "the dogs and the cats run and sleep", "cats", "the  the the"] * 6
TGT = [line[::-1] for line in SRC]
BUDGETS: list[dict[str, Any]] = [{"sentences": 5}, {"tokens": 130}]


@cache
def sides(kind: Kind) -> tuple[Subwords, Subwords]:
    return Subwords.train(SRC, kind, 40), Subwords.train(TGT, kind, 40)


@cache
def resampled(kind: Kind = "unigram", seed: int = 1) -> Resampled:
    return resample(Pairs(SRC, TGT), *sides(kind), kind, 0.2, seed)


def lines(encoded: Encoded) -> list[list[int]]:
    return [[*encoded.src(i).tolist(), -1, *encoded.tgt(i).tolist()] for i in range(len(encoded))]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_an_epoch_has_the_same_text_in_other_subwords(kind: Kind) -> None:
    """Catches exchanged sides, shifted lines, equal epochs, and one draw for all occurrences of a word."""
    src, tgt = sides(kind)
    epochs = [resampled(kind).epoch(epoch) for epoch in range(3)]
    for encoded in epochs:
        assert [src.decode(encoded.src(i).tolist()) for i in range(len(SRC))] == [" ".join(s.split()) for s in SRC]
        assert [tgt.decode(encoded.tgt(i).tolist()) for i in range(len(TGT))] == [" ".join(t.split()) for t in TGT]
        assert len({tuple(encoded.src(i).tolist()) for i in range(0, len(SRC), 4)}) > 1
    assert lines(epochs[0]) != lines(epochs[1])


def test_an_epoch_is_a_function_of_seed_and_epoch() -> None:
    """Catches processes that plan batches from different lengths, and epochs that depend on earlier ones."""
    one, other = resampled(), resample(Pairs(SRC, TGT), *sides("unigram"), "unigram", 0.2, 1)
    one.epoch(0)
    assert lines(one.epoch(2)) == lines(other.epoch(2))
    assert lines(one.epoch(2)) != lines(resampled(seed=2).epoch(2))


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_several_processes_draw_what_one_process_draws(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Catches draws that depend on the number of cores, and portions in the wrong order."""
    monkeypatch.setattr("heed.data.resampled.WORDS", 3)
    request.addfinalizer(partial(torch.set_num_threads, torch.get_num_threads()))
    alone = resample(Pairs(SRC, TGT), *sides(kind), kind, 0.2, 1)
    torch.set_num_threads(2)
    again = resample(Pairs(SRC, TGT), *sides(kind), kind, 0.2, 1)
    assert lines(alone.epoch(1)) == lines(again.epoch(1))
    assert [sides(kind)[0].decode(alone.epoch(1).src(i).tolist()) for i in range(len(SRC))] == [
        " ".join(line.split()) for line in SRC
    ]


def test_no_drawn_sentence_is_longer_than_longest() -> None:
    src, tgt = resampled().longest()
    for epoch in range(5):
        encoded = resampled().epoch(epoch)
        assert (encoded.src_len <= src).all()
        assert (encoded.tgt_len <= tgt).all()


@pytest.mark.parametrize("budget", BUDGETS, ids=str)
def test_every_epoch_holds_every_pair_once_in_batches_within_the_budget(budget: dict[str, Any]) -> None:
    """Catches batches planned from the lengths of another epoch."""
    batches = Batches(resampled(), **budget)
    for _ in range(6):
        epoch = list(batches)
        assert len(epoch) == batches.batches_in_epoch
        assert sorted(pair for batch in epoch for pair in batch.index.tolist()) == list(range(len(SRC)))
        for batch in epoch:
            assert batch.src.numel() + batch.tgt[:, 1:].numel() <= budget.get("tokens", 10**9)
            assert len(batch.src) <= budget.get("sentences", 10**9)
    assert "tokens" in budget or batches.batches_in_epoch == len(batches)


@pytest.mark.parametrize("budget", BUDGETS, ids=str)
@settings(max_examples=20)
@given(position=st.integers(0, 60))
def test_a_stream_continues_from_any_state(budget: dict[str, Any], position: int) -> None:
    """Catches an epoch that is drawn differently after resuming, and one that ends where another epoch ends."""

    def stream() -> Stream:
        return Stream(Batches(resampled(), **budget), steps=62)

    stopped, resumed = stream(), stream()
    straight = list(islice(stream(), 62))
    list(islice(stopped, position))
    resumed.load_state_dict(stopped.state_dict())
    iter(resumed)  # Lightning makes an iterator that it does not use
    for batch, expected in zip(islice(resumed, 62 - position), straight[position:], strict=True):
        assert all(torch.equal(one, other) for one, other in zip(batch, expected, strict=True))


def test_a_pair_that_might_exceed_the_budget_is_reported_before_training() -> None:
    """Catches a run that fails in a later epoch, when a pair is divided into more subwords than before."""
    src, tgt = resampled().longest()
    longest = int((src + tgt + 2).max())
    Batches(resampled(), tokens=longest)
    with pytest.raises(UserError, match=rf"give batches.tokens={longest} or more"):
        Batches(resampled(), tokens=longest - 1)
