"""The loaders for Lightning: one for a whole run, and one with every validation pair once."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.data.batches import Batches
from heed.data.encoded import Encoded, encode
from heed.data.module import Bitext, Stream
from heed.data.reverse import reverse
from heed.text.subwords import Subwords


@pytest.fixture(scope="module")
def encoded() -> Encoded:
    pairs = reverse(train=50, valid=0, test=0).read("train")
    digits = Subwords.train(pairs.src, "word", 100)
    return encode(pairs, digits, digits)


def indices(stream: Stream, count: int) -> list[list[int]]:
    return [batch.index.tolist() for batch in islice(stream, count)]


def test_every_epoch_of_a_stream_holds_every_pair_once(encoded: Encoded) -> None:
    """Catches epochs that are empty or short if the iterator is never exhausted."""
    stream = Stream(Batches(encoded, sentences=8, seed=3), steps=35)
    assert len(stream) == 35
    batches = indices(stream, 35)
    for epoch in range(5):
        pairs = [index for batch in batches[7 * epoch : 7 * epoch + 7] for index in batch]
        assert sorted(pairs) == list(range(50))
    assert stream.epochs_done == 5


@given(position=st.integers(0, 30))
def test_a_stream_continues_from_its_state(encoded: Encoded, position: int) -> None:
    """Catches a position that is off by one, especially at the end of an epoch."""
    straight = indices(Stream(Batches(encoded, sentences=8, seed=3), steps=35), 35)
    stopped = Stream(Batches(encoded, sentences=8, seed=3), steps=35)
    indices(stopped, position)
    resumed = Stream(Batches(encoded, sentences=8, seed=3), steps=35)
    resumed.load_state_dict(stopped.state_dict())
    iter(resumed)  # Lightning makes an iterator that it does not use
    assert indices(resumed, 35 - position) == straight[position:]


def test_ranks_share_each_batch_between_them(encoded: Encoded) -> None:
    """Catches ranks that see the same pairs, or batches of another global size than one process has."""
    alone = Bitext(encoded, encoded, sentences=8, seed=3)
    ranks = [Bitext(encoded, encoded, sentences=8, seed=3, rank=rank, world=2) for rank in range(2)]
    whole = indices(Stream(alone.train, 9), 9)
    shares = [indices(Stream(rank.train, 9), 9) for rank in ranks]
    for batch, first, second in zip(whole, *shares, strict=True):
        assert not set(first) & set(second)
        assert {*first, *second} - {-1} == set(batch)


def test_validation_sees_every_pair_once_each_time(encoded: Encoded) -> None:
    """Catches a validation that continues where the last one stopped."""
    loader = Bitext(encoded, encoded, sentences=8).val_dataloader()
    for _ in range(2):
        assert sorted(index for batch in loader for index in batch.index.tolist()) == list(range(50))
