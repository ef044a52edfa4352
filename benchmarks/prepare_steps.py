"""What each step of preparing a corpus costs, in one process: processor time, and memory that grows with the corpus.

    python benchmarks/prepare_steps.py --train text/train --langs en de

The files are read as training reads them, with subwords of single characters, whose training takes no time. Every
fiftieth pair of the training text is the validation split. One line starting with RESULT for each step:

    pairs, step, cpu_s (processor time of this process), peak_bytes_per_pair (the most anonymous memory during the step
    beyond what there was before the first step, without files that are mapped)

What a step always needs, such as the lines of a portion, is in the second figure too: compare two sizes of corpus.
"""

import argparse
import os
import tempfile
import threading
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
    """Do the steps one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True, help="PREFIX of PREFIX.src and PREFIX.tgt")
    parser.add_argument("--langs", nargs=2, required=True, help="the two suffixes")
    given = parser.parse_args()
    corpus = files("text", *given.langs, train=given.train)
    before = anonymous()
    train = step("read", before, lambda: corpus.stream("train"))
    size = len(train)
    valid = train.select([number % 50 == 0 for number in range(size)]).in_memory()
    src, tgt = train_pair(train.src[:1000], train.tgt[:1000], "char", 200)
    before = anonymous()
    step("hash", before, lambda: fingerprint({"train": train}), size)
    kept, _ = step("clean", before, lambda: clean(train), size)
    step("leakage", before, lambda: leakage(valid, kept), size)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HEED_CACHE"] = folder

        def encoded() -> Encoded:
            entry = cached("text", lambda store: str(len(encode(kept, src, tgt, store))))
            return Encoded.from_arrays(entry.arrays)

        pieces = step("encode", before, encoded, size)
        batches = step("plan", before, lambda: Batches(pieces, sentences=64), size)
        step("plan again", before, lambda: batches.load_state_dict({"epoch": 1, "batch": 0}), size)


def step(name: str, before: float, work: Callable[[], Made], pairs: int = 0) -> Made:
    """What `work` makes, and a line on what it took."""
    held, done = [anonymous()], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            held.append(anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.process_time()
    made = work()
    spent = time.process_time() - began
    done.set()
    watcher.join()
    pairs = pairs or len(made)  # type: ignore[arg-type]
    growth = (max(held) - before) / pairs
    print(f"RESULT prepare pairs {pairs} step {name} cpu_s {spent:.2f} peak_bytes_per_pair {growth:.1f}", flush=True)
    return made


def anonymous() -> float:
    """Bytes of this process that no file backs."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024.0 for line in lines if line.startswith("RssAnon:"))


if __name__ == "__main__":
    main()
