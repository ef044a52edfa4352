"""Corpus readers by name, for training, evaluation and sweeps.

A reader is a function that takes the settings of a corpus and returns it without reading any text:

    @register("sentences")
    def sentences(name: str, folder: str) -> Corpus:
        return Corpus(name, "en", "fr", {split: partial(read, folder, split) for split in ("train", "valid")})

It is then chosen by `corpus.reader=sentences`. Its signature is the schema of its settings: names, types, defaults.
"""

from heed.data.cmudict import cmudict
from heed.data.dates import dates
from heed.data.fetch import multi30k
from heed.data.mix import mix
from heed.data.registry import Reader, parsed, read_corpus, reader, register
from heed.data.reverse import reverse
from heed.data.tatoeba import tatoeba
from heed.data.text_files import files, tsv
from heed.data.tiny import tiny

__all__ = ["Reader", "parsed", "read_corpus", "reader", "register"]

_BUILT_IN: dict[str, Reader] = {
    "files": files,
    "tsv": tsv,
    "reverse": reverse,
    "dates": dates,
    "cmudict": cmudict,
    "multi30k": multi30k,
    "tatoeba": tatoeba,
    "tiny": tiny,
    "mix": mix,
}

for _name, _read in _BUILT_IN.items():
    register(_name)(_read)
