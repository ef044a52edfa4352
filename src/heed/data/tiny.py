"""The corpus that comes with heed: English and French, with gold alignments."""

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
    """The embedded corpus in either direction, with gold alignments.

    Args:
        name: the name of the corpus.
        src_lang, tgt_lang: en and fr, or fr and en.
        train, valid, test: the split of the corpus that each of these reads; two of them may read the same one.

    Raises:
        UserError: both languages are the same.
    """
    if src_lang == tgt_lang:
        raise UserError(f"corpus.src_lang={src_lang} and corpus.tgt_lang={tgt_lang}; expected en and fr, or fr and en")
    folder = shipped("data/tiny")
    prefixes = str(folder / train), str(folder / valid), str(folder / test)
    return files(name, src_lang, tgt_lang, *prefixes, turn_gold=src_lang == "fr")
