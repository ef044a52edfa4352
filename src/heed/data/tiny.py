"""The corpus that comes with heed: English and French, with gold alignments, from any directory."""

from typing import Literal

from heed.data.corpus import Corpus
from heed.data.text_files import files
from heed.errors import UserError
from heed.shipped import shipped

Language = Literal["en", "fr"]

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
    turned = src_lang == "fr"
    return files(
        name, src_lang, tgt_lang, f"{folder / train}", f"{folder / valid}", f"{folder / test}", turn_gold=turned
    )
