"""Measure the memory and the CPU time of planning an epoch: sorting all pairs and dividing them into batches.

    python benchmarks/plan_memory.py --pairs 2000000 8000000

The lengths of the pairs are random, with a mean of 14 subwords and a standard deviation of 4.5 for the source, as in
Multi30k. Two epochs are planned, with 64 sentences per update. One line starting with RESULT is printed for each number
of pairs:

    pairs, peak_MB (what Python and NumPy allocate at most, without the lengths), cpu_s/epoch
"""

import argparse
import time
import tracemalloc

import numpy as np
from jaxtyping import Int32, Int64

from heed.data.batches import Batches
from heed.data.encoded import Encoded


def main() -> None:
    """Plan two epochs for each number of pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[2_000_000, 8_000_000])
    for pairs in parser.parse_args().pairs:
        encoded = drawn(pairs)
        tracemalloc.start()
        start = time.process_time()
        batches = Batches(encoded, sentences=64)
        batches.load_state_dict({"epoch": 1, "batch": 0})
        seconds = (time.process_time() - start) / 2
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        print(f"RESULT heed plan pairs {pairs} peak_MB {peak:.1f} cpu_s/epoch {seconds:.2f}", flush=True)


def drawn(pairs: int) -> Encoded:
    """Pairs with random lengths; their subwords are not needed."""
    draw = np.random.default_rng(1)
    src_len = np.clip(draw.normal(14, 4.5, pairs).round(), 3, 40).astype(np.int64)
    tgt_len = np.clip(src_len + draw.normal(0, 3, pairs).round(), 3, 50).astype(np.int64)
    return Encoded(*side(src_len), *side(tgt_len))


def side(lengths: Int64[np.ndarray, "pairs"]) -> tuple[Int32[np.ndarray, "one"], Int64[np.ndarray, "ends"]]:
    """No subwords, and the limits of sentences with these lengths."""
    return np.zeros(1, np.int32), np.concatenate([[0], lengths.cumsum()])


if __name__ == "__main__":
    main()
