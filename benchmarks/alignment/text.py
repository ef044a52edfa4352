"""Text as the Hansards' gold alignments have it: Moses tokens in lower case, contractions written out, hyphens apart.

Those 447 pairs have no `l'`, `du` or `don't`, but *le*, *de le* and *do not*. An aligner that has read other words
than it is asked about cannot link them. The rules below are what the gold text does, and only that.

Started by measure.py with the Python of the benchmark's own environment, which has sacremoses.
"""

import re
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from sacremoses import MosesPunctNormalizer, MosesTokenizer

ELIDED = {
    **{f"{letter}'": f"{letter}e" for letter in "cdjlmnst"},
    **{f"{stem}qu'": f"{stem}que" for stem in ("", "jus", "lors", "puis", "quoi", "quel", "pres")},
}
MERGED = {"du": "de le", "des": "de les", "au": "à le", "aux": "à les"}
FRENCH = ELIDED | MERGED
ENGLISH = {"'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "n't": "not"}

VALID = 500
"""Pairs of Tatoeba on which training is validated: every 300th."""


def french(line: str) -> str:
    """One French line as the gold text would have it."""
    spaced = re.sub(r"(?<=\w)-(?=\w)", " - ", re.sub(r"-t-(?=ils?\b|elles?\b|on\b)", " ", _moses("fr", line)))
    # in a compound such as au-dessus the gold text leaves the article as it is
    return re.sub(r"\S+(?! -)", lambda word: FRENCH.get(word[0], word[0]), re.sub(r"(\w') ?(?=\w)", r"\1 ", spaced))


def english(line: str) -> str:
    """One English line as the gold text would have it."""
    whole = re.sub(r"\bwon 't\b", "will not", re.sub(r"\bcan 't\b", "cannot", _moses("en", line)))
    apart = re.sub(r"(\w+)n 't\b", r"\1 not", whole)
    return " ".join(ENGLISH.get(word, word) for word in re.sub(r"(?<=\w)-(?=\w)", " - ", apart).split())


_TOOLS = {language: (MosesPunctNormalizer(language), MosesTokenizer(language)) for language in ("en", "fr")}


def _moses(language: str, line: str) -> str:
    normalizer, tokenizer = _TOOLS[language]
    return " ".join(tokenizer.tokenize(normalizer.normalize(line), escape=False)).lower()


def tatoeba(archive: Path) -> Iterable[tuple[str, str]]:
    """All pairs of the archive, English first."""
    with zipfile.ZipFile(archive) as file:
        for line in file.read("fra-eng/fra.txt").decode("utf-8").splitlines():
            one, other, *_ = line.split("\t")
            yield english(one), french(other)


def write(prefix: Path, pairs: list[tuple[str, str]]) -> None:
    """Two files of lines that belong together."""
    for side, language in enumerate(("en", "fr")):
        prefix.with_suffix(f".{language}").write_text("".join(f"{pair[side]}\n" for pair in pairs), encoding="utf-8")


def main(data: Path, out: Path) -> None:
    """Write tatoeba.{en,fr}, valid.{en,fr} and hansards.{en,fr} into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    pairs = list(tatoeba(data / "tatoeba.fra-eng.zip"))
    step = len(pairs) // VALID
    write(out / "valid", pairs[::step][:VALID])
    write(out / "tatoeba", [pair for number, pair in enumerate(pairs) if number % step or number // step >= VALID])
    gold = [(data / f"hansards.{side}").read_text(encoding="utf-8").lower().splitlines() for side in ("en", "fr")]
    write(out / "hansards", list(zip(*gold, strict=True)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
