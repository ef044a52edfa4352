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


def tiny(name: str = "tiny", src_lang: Language = "en", tgt_lang: Language = "fr") -> Corpus:
    """The embedded corpus in either direction; the gold links turn with it."""
    if src_lang == tgt_lang:
        raise UserError(f"corpus.src_lang={src_lang} and corpus.tgt_lang={tgt_lang}; expected en and fr, or fr and en")
    folder = shipped("data/tiny")
    train, valid, test = (str(folder / split) for split in ("train", "valid", "test"))
    corpus = files(name, src_lang, tgt_lang, train, valid, test)
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
