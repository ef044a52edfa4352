"""Tokenise text like the Hansards' gold alignments: lowercased Moses tokens, full contractions, separate hyphens.

The 447 gold pairs have *le*, *de le* and *do not* instead of `l'`, `du` and `don't`, and *est - il* instead of
`est-il`. An aligner cannot link words that it has never read. So the rules below repeat what the gold text does.

    text.py DATA OUT    measure.py starts it with the Python of the benchmark's environment, which has sacremoses
"""

import re
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

ELIDED = {
    **{f"{letter}'": f"{letter}e" for letter in "cdjlmnst"},
    **{f"{stem}qu'": f"{stem}que" for stem in ("", "jus", "lors", "puis", "quoi", "quel", "pres")},
}
MERGED = {"du": "de le", "des": "de les", "au": "à le", "aux": "à les"}
FRENCH = ELIDED | MERGED
ENGLISH = {"'m": "am", "'re": "are", "'ve": "have", "'ll": "will"}

HYPHEN = re.compile(r"(?<=\w)-(?=\w)")
EUPHONIC = re.compile(r"-t-(?=(?:ils?|elles?|on)\b)")

VALID = 500
"""The number of Tatoeba pairs that are used for validation, taken at equal distances."""

Tokenize = Callable[[str, str], str]
"""Takes a language and a line, and returns the tokens of the line, separated by spaces."""


def moses() -> Tokenize:
    """The Moses normalizer of punctuation, followed by the Moses tokenizer."""
    from sacremoses import MosesPunctNormalizer, MosesTokenizer  # noqa: PLC0415 - heed's own environment lacks it

    tools = {language: (MosesPunctNormalizer(language), MosesTokenizer(language)) for language in ("en", "fr")}

    def tokenize(language: str, line: str) -> str:
        normalizer, tokenizer = tools[language]
        return " ".join(tokenizer.tokenize(normalizer.normalize(line), escape=False))

    return tokenize


def french(tokens: str) -> str:
    """Write French Moses tokens as the gold text does."""
    apart = HYPHEN.sub(" - ", EUPHONIC.sub(" ", tokens.lower())).split()
    # in a compound such as au-dessus the gold text leaves the article as it is
    following = [*apart[1:], ""]
    return " ".join(
        word if after == "-" else FRENCH.get(word, word) for word, after in zip(apart, following, strict=True)
    )


def english(tokens: str) -> str:
    """Write English Moses tokens, in which *don't* is *don 't*, as the gold text does."""
    whole = re.sub(r"\b(?:wo|ca)n 't\b", lambda cut: {"w": "will not", "c": "cannot"}[cut[0][0]], tokens.lower())
    apart = HYPHEN.sub(" - ", re.sub(r"(\w)n 't\b", r"\1 not", whole)).split()
    return " ".join(ENGLISH.get(word, word) for word in apart)


def tatoeba(archive: Path, tokenize: Tokenize) -> Iterable[tuple[str, str]]:
    """All pairs of the archive, English first."""
    with zipfile.ZipFile(archive) as file:
        for line in file.read("fra-eng/fra.txt").decode("utf-8").splitlines():
            one, other, *_ = line.split("\t")
            yield english(tokenize("en", one)), french(tokenize("fr", other))


def write(prefix: Path, pairs: list[tuple[str, str]]) -> None:
    """Write the two sides of parallel text into two files."""
    for side, language in enumerate(("en", "fr")):
        prefix.with_suffix(f".{language}").write_text("".join(f"{pair[side]}\n" for pair in pairs), encoding="utf-8")


def main(data: Path, out: Path) -> None:
    """Write tatoeba.{en,fr}, valid.{en,fr} and hansards.{en,fr} into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    pairs = list(tatoeba(data / "tatoeba.fra-eng.zip", moses()))
    drawn = set(range(0, len(pairs), len(pairs) // VALID)[:VALID])
    write(out / "valid", [pairs[number] for number in sorted(drawn)])
    write(out / "tatoeba", [pair for number, pair in enumerate(pairs) if number not in drawn])
    gold = [(data / f"hansards.{side}").read_text(encoding="utf-8").lower().splitlines() for side in ("en", "fr")]
    write(out / "hansards", list(zip(*gold, strict=True)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
