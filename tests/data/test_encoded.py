"""Encoded pairs: flat arrays that give every sentence back."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from heed.data.corpus import Pairs
from heed.data.encoded import Encoded, encode
from heed.data.portions import LINES
from heed.data.reverse import reverse
from heed.text.subwords import UNK, Subwords, train_pair


def test_every_sentence_comes_back() -> None:
    """Catches offsets that are one off, or sides exchanged."""
    pairs = reverse(train=200).read("train")
    src, tgt = train_pair(pairs.src, pairs.tgt, kind="bpe", vocab_size=40)
    encoded = encode(pairs, src, tgt)
    assert len(encoded) == 200
    for i, (src_line, tgt_line) in enumerate(zip(pairs.src, pairs.tgt, strict=True)):
        assert src.decode(encoded.src(i).tolist()) == src_line
        assert tgt.decode(encoded.tgt(i).tolist()) == tgt_line
        assert (encoded.src_len[i], encoded.tgt_len[i]) == (len(encoded.src(i)), len(encoded.tgt(i)))


@pytest.mark.parametrize("threads", [1, 2])
def test_lines_beyond_one_portion_are_not_shifted(threads: int, request: pytest.FixtureRequest) -> None:
    """Catches offsets that restart with a portion, and portions in the wrong order."""
    request.addfinalizer(partial(torch.set_num_threads, torch.get_num_threads()))
    torch.set_num_threads(threads)
    words = Subwords.train(["a b c"], kind="word", vocab_size=7)
    lines = ["a"] * (4 * LINES - 1) + ["b c", "", "a c"]
    encoded = encode(Pairs(lines, lines[::-1]), words, words)
    assert len(encoded) == len(lines)
    for i in (0, LINES, *range(len(lines) - 5, len(lines))):
        assert words.decode(encoded.src(i).tolist()) == lines[i]
        assert words.decode(encoded.tgt(len(lines) - 1 - i).tolist()) == lines[i]


def test_unknown_subwords_are_counted_on_each_side() -> None:
    words = Subwords.train(["a b"], kind="word", vocab_size=6)
    encoded = encode(Pairs(["a x", "b"], ["y", "y a b"]), words, words)
    assert (encoded.src_ids == UNK).tolist().count(True) == 1
    assert encoded.unk_rates == pytest.approx((1 / 3, 1 / 2))
    assert encode(Pairs([""], [""]), words, words).unk_rates == (0.0, 0.0)


def test_arrays_may_be_in_files(tmp_path: Path) -> None:
    """Catches code that needs the whole corpus in memory."""
    words = Subwords.train(["a b"], kind="word", vocab_size=6)
    encoded = encode(Pairs(["a b", "b"], ["b a", "a"]), words, words)
    arrays = []
    for name in ("src_ids", "src_offsets", "tgt_ids", "tgt_offsets"):
        np.save(tmp_path / f"{name}.npy", getattr(encoded, name))
        arrays.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    mapped = Encoded(*arrays)
    assert [mapped.src(i).tolist() for i in range(2)] == [encoded.src(i).tolist() for i in range(2)]
    assert mapped.tgt_len.tolist() == [2, 1]
