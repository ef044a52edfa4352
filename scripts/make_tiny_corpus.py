"""Write the embedded English-French corpus: text, gold word alignments, and combinations that only test contains."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run by its path, not installed

from scripts.tiny_corpus.splits import SEED, Combination, Corpus, english_forms, make  # noqa: E402
from scripts.tiny_corpus.surface import Sentence  # noqa: E402


def files(corpus: Corpus) -> dict[str, bytes]:
    """The content of each file, by its name."""
    texts = {
        f"{split}.{ending}": [getattr(pair, field) for pair in pairs]
        for split, pairs in corpus.splits.items()
        for ending, field in (("en", "english"), ("fr", "french"), ("align", "alignment"))
    }
    texts["held_out.tsv"] = [_row(each) for each in corpus.held_out]
    return {name: "".join(f"{line}\n" for line in lines).encode() for name, lines in texts.items()}


def _row(combination: Combination) -> str:
    return "\t".join([combination.kind, " ".join(sorted(combination.first)), " ".join(sorted(combination.second))])


def describe(split: str, pairs: list[Sentence]) -> str:
    """A line with the counts of a split."""
    english = [word for pair in pairs for word in pair.english.split()]
    french = [word for pair in pairs for word in pair.french.split()]
    links = Counter(mark for pair in pairs for mark in pair.alignment if mark in "-?")
    return (
        f"{split}: {len(pairs)} pairs; English {len(english)} words, {len(set(english))} forms; "
        f"French {len(french)} words, {len(set(french))} forms; links {links['-']} sure, {links['?']} possible"
    )


def held_out_counts(corpus: Corpus) -> str:
    """How many test sentences contain each kind of combination."""
    counts: Counter[str] = Counter()
    for pair in corpus.splits["test"]:
        forms = english_forms(pair.english)
        counts.update({each.kind for each in corpus.held_out if each.inside(forms)})
    return "test contains " + ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))


def differences(folder: Path, expected: dict[str, bytes]) -> list[str]:
    """The files of a folder that are missing or not what the script writes."""
    return [
        f"{folder / name}: {'differs from what this script writes' if (folder / name).exists() else 'missing'}"
        for name, content in expected.items()
        if not (folder / name).exists() or (folder / name).read_bytes() != content
    ]


def main() -> int:
    """Write the corpus, or check what is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--output", type=Path, default=ROOT / "data" / "tiny", help="folder to write (default: data/tiny)"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the folder's files differ")
    options = parser.parse_args()
    corpus = make(SEED)
    expected = files(corpus)
    if options.check:
        changed = differences(options.output, expected)
        print("\n".join(changed) or f"{options.output}: all {len(expected)} files are as this script writes them")
        return 1 if changed else 0
    options.output.mkdir(parents=True, exist_ok=True)
    for name, content in expected.items():
        (options.output / name).write_bytes(content)
    for split, pairs in corpus.splits.items():
        print(describe(split, pairs))
    print(held_out_counts(corpus))
    print(f"{options.output}: {len(expected)} files, {sum(map(len, expected.values())):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
