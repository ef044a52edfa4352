"""Compare the share of padding in batches of torchtext's BucketIterator with that in heed's batches.

    python benchmarks/padding.py PREFIX SRC TGT [--vocab-size 8000] [--sentences 64] [--tokens 4000] [--seed 1]

PREFIX.SRC and PREFIX.TGT, or the same files with .gz, are read like a training split: they are cleaned, and divided
into BPE subwords that are trained on them. The script prints the share of PAD among all cells of source and labels in
an epoch.
"""

import argparse
import random
from collections.abc import Iterable

import numpy as np
import torchtext.data as torchtext

from heed.data.batches import Batches
from heed.data.cleaning import clean
from heed.data.encoded import Encoded, encode
from heed.data.text_files import files
from heed.text.subwords import PAD, train_pair


def main() -> None:
    """Print the table."""
    options = parse()
    pairs, report = clean(
        files("text", options.src, options.tgt, train=options.prefix, valid=options.prefix).read("train")
    )
    encoded = encode(pairs, *train_pair(pairs.src, pairs.tgt, "bpe", options.vocab_size))
    random.seed(options.seed)
    print(f"{report.kept:,} pairs of {report.read:,}\n\n| | padding |\n|---|---|")
    show("BucketIterator with defaults (`train=True`)", bucketed(encoded, options.sentences, sort_within_batch=None))
    show("with `sort_within_batch=True`", bucketed(encoded, options.sentences, sort_within_batch=True))
    ours = Batches(encoded, sentences=options.sentences, seed=options.seed)
    show(f"`heed.data.batches`, {options.sentences} sentences", planned(ours))
    ours = Batches(encoded, tokens=options.tokens, seed=options.seed)
    show(f"`heed.data.batches`, {options.tokens:,} tokens", planned(ours))


def show(name: str, padding: float) -> None:
    """One row of the table."""
    print(f"| {name} | {100 * padding:.1f} % |", flush=True)


def bucketed(encoded: Encoded, sentences: int, sort_within_batch: bool | None) -> float:
    """The share of padding in an epoch of torchtext's own batches, shuffled as for training."""
    lengths = np.stack([encoded.src_len, encoded.tgt_len], axis=1) + 1
    iterator = torchtext.BucketIterator(
        torchtext.Dataset(range(len(encoded)), {}),
        batch_size=sentences,
        sort_key=lambda pair: torchtext.interleave_keys(*lengths[pair]),
        sort_within_batch=sort_within_batch,
        train=True,
    )
    iterator.create_batches()
    return share(lengths[list(pairs)] for pairs in iterator.batches)


def share(batches: Iterable[np.ndarray]) -> float:
    """The share of padding in batches, from the two lengths of every pair."""
    full = [(int(np.sum(lengths)), len(lengths) * int(np.max(lengths, axis=0).sum())) for lengths in batches]
    return 1 - sum(words for words, _ in full) / sum(cells for _, cells in full)


def planned(batches: Batches) -> float:
    """The share of PAD in the tensors of an epoch, without BOS, which is not a label."""
    sizes = [(int((cells == PAD).sum()), cells.numel()) for batch in batches for cells in (batch.src, batch.tgt[:, 1:])]
    return sum(padding for padding, _ in sizes) / sum(count for _, count in sizes)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("prefix", "src", "tgt"):
        parser.add_argument(name, metavar=name.upper())
    for name, default in (("--vocab-size", 8000), ("--sentences", 64), ("--tokens", 4000), ("--seed", 1)):
        parser.add_argument(name, type=int, default=default)
    return parser.parse_args()


if __name__ == "__main__":
    main()
