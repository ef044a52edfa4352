"""The corpus that comes with heed: English and French, with gold alignments, from any directory."""

import re
from functools import partial
from typing import Literal

from heed.data.corpus import Corpus, Pairs
from heed.data.text_files import files
from heed.errors import UserError
from heed.shipped import shipped

Language = Literal["en", "fr"]

LINK = re.compile(r"(\d+)([-?])(\d+)")


Split = Literal["train", "valid", "test"]


def tiny(
    name: str = "tiny",
    src_lang: Language = "en",
    tgt_lang: Language = "fr",
    train: Split = "train",
    valid: Split = "valid",
    test: Split = "test",
) -> Corpus:
    """The embedded corpus in either direction; the gold links turn with it.

    `train`, `valid` and `test` say which of its splits each of them reads: a run may be trained and validated on one.
    """
    if src_lang == tgt_lang:
        raise UserError(f"corpus.src_lang={src_lang} and corpus.tgt_lang={tgt_lang}; expected en and fr, or fr and en")
    folder = shipped("data/tiny")
    corpus = files(name, src_lang, tgt_lang, str(folder / train), str(folder / valid), str(folder / test))
    if src_lang == "en":
        return corpus
    return Corpus(name, src_lang, tgt_lang, {split: partial(_turned, corpus, split) for split in corpus.splits})


def _turned(corpus: Corpus, split: str) -> Pairs:
    pairs = corpus.read(split)
    assert pairs.gold is not None
    return Pairs(pairs.src, pairs.tgt, [turn(line) for line in pairs.gold])


def turn(line: str) -> str:
    """Links in Pharaoh's format, the sides exchanged: `0-1 2?3` to `1-0 3?2`."""
    return LINK.sub(r"\3\2\1", line)
