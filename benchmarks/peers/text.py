"""Write Multi30k for the peers, divided into the subwords of heed's own benchmark.

    python benchmarks/peers/text.py FOLDER [--root multi30k]

FOLDER/train.en        plain text for JoeyNMT; also valid and test, and the same files in German (de)
FOLDER/train.split.en  the same lines as subwords separated by spaces, for OpenNMT-py and Marian
FOLDER/pieces.en       the vocabulary without the four special subwords, which all but Marian put first: ids 0 to 3
FOLDER/bpe.en.model    SentencePiece's model
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from heed.data.fetch import multi30k
from heed.text.subwords import SPECIALS, Subwords, train_pair

SPLITS = ("train", "valid", "test")


def main() -> None:
    """Write both languages of all splits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--root", help="a folder with Multi30k's files (default: download them)")
    parser.add_argument("--vocab-size", type=int, default=8000, help="BPE subwords for each language")
    given = parser.parse_args()
    corpus = multi30k(pair="en-de", root=given.root)
    splits = {name: corpus.read(name) for name in SPLITS}
    given.folder.mkdir(parents=True, exist_ok=True)
    src, tgt = train_pair(splits["train"].src, splits["train"].tgt, "bpe", given.vocab_size)
    write(given.folder, "en", src, {name: pairs.src for name, pairs in splits.items()})
    write(given.folder, "de", tgt, {name: pairs.tgt for name, pairs in splits.items()})


def write(folder: Path, lang: str, subwords: Subwords, splits: dict[str, Sequence[str]]) -> None:
    """All files of one language."""
    subwords.save(folder / f"bpe.{lang}.model")
    write_lines(folder / f"pieces.{lang}", subwords.pieces(range(SPECIALS, len(subwords))))
    for name, lines in splits.items():
        write_lines(folder / f"{name}.{lang}", lines)
        split = (" ".join(subwords.pieces(ids)) for ids in subwords.encode_lines(lines))
        write_lines(folder / f"{name}.split.{lang}", split)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
