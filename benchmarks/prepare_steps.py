"""Measure the CPU time of each step of preparing a corpus, and the memory in use after it, in one process.

    python benchmarks/prepare_steps.py --train text/1000000 --valid text/1000000-valid --langs en de

The files are read as training reads them. Subwords are single characters, because training them takes no time.
`benchmarks/growth.py --folder text` writes such files. One line starting with RESULT is printed for each step:

    step, cpu_s (CPU time of this process), anonymous_MiB (memory after the step minus memory before the first step,
    without mapped files)
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from heed.data.batches import Batches
from heed.data.cache import cached
from heed.data.cleaning import clean
from heed.data.encoded import Encoded, encode
from heed.data.prepared import fingerprint
from heed.data.summary import leakage
from heed.data.text_files import files
from heed.text.subwords import train_pair

Made = TypeVar("Made")


def main() -> None:
    """Run the steps one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True, help="PREFIX of PREFIX.src and PREFIX.tgt")
    parser.add_argument("--valid", required=True, help="the same for the validation split")
    parser.add_argument("--langs", nargs=2, required=True, help="the two suffixes")
    given = parser.parse_args()
    corpus = files("text", given.langs[0], given.langs[1], train=given.train, valid=given.valid)
    valid = corpus.read("valid")
    src, tgt = train_pair(valid.src, valid.tgt, "char", 200)
    before = anonymous()
    train = step("read", before, lambda: corpus.stream("train"))
    step("hash", before, lambda: fingerprint({"train": train}))
    kept, _ = step("clean", before, lambda: clean(train))
    step("leakage", before, lambda: leakage(valid, kept))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HEED_CACHE"] = folder

        def encoded() -> Encoded:
            entry = cached("text", lambda store: str(len(encode(kept, src, tgt, store))))
            return Encoded.from_arrays(entry.arrays)

        pieces = step("encode", before, encoded)
        batches = step("plan", before, lambda: Batches(pieces, sentences=64))
        step("plan again", before, lambda: batches.load_state_dict({"epoch": 1, "batch": 0}))


def step(name: str, before: float, work: Callable[[], Made]) -> Made:
    """Call `work`, print its CPU time and the memory after it, and return its result."""
    began = time.process_time()
    made = work()
    spent = time.process_time() - began
    print(f"RESULT prepare step {name} cpu_s {spent:.2f} anonymous_MiB {anonymous() - before:.0f}", flush=True)
    return made


def anonymous() -> float:
    """The anonymous memory of this process in mebibytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:"))


if __name__ == "__main__":
    main()
