"""Marian's own training and translation, timed; peers.sh starts this with heed's Python.

Marian is a C++ program (the package `pymarian` contains its binary), so there is no function to put a timer around.
Training is timed by the lines that it logs after each update, translation by its own timer, which starts when the model
is loaded.
"""

import argparse
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.peers.measure import MAX_LEN, SENTENCES, TEXT, arguments, translated

MARIAN = Path("marian") / "bin" / "pymarian"
RUN = Path("marian-run")
MODEL, VOCABULARIES = RUN / "model.npz", [RUN / "pieces.en.txt", RUN / "pieces.de.txt"]

SIZES = ["--type=s2s", "--dim-emb=256", "--dim-rnn=512"]
"""Marian has one layer in each direction by default. Both directions of the encoder have the size of the decoder."""

RECIPE = ["--dropout-rnn=0.2", "--learn-rate=0.001", "--clip-norm=1", "--cost-type=ce-mean-words"]

UPDATE = re.compile(r"Up\. .* Cost (?P<loss>[\d.]+) : Time (?P<seconds>[\d.]+)s : (?P<speed>[\d.]+) words/s")


def main() -> None:
    given = arguments()
    {"train": train, "translate": translate}[given.task](given)


def train(given: argparse.Namespace) -> None:
    """Train, and measure the time from the end of one update to the end of the update that is `updates` later.

    Marian logs the target subwords of an update only as a speed, and counts one </s> for each sentence. The number of
    source subwords is computed from the ratio of the two sides in the whole text.
    """
    RUN.mkdir(exist_ok=True)
    for path in VOCABULARIES:
        path.write_text("</s>\n<unk>\n" + (TEXT / path.stem).read_text(encoding="utf-8"), encoding="utf-8")
    last = given.warmup + given.updates
    text = ["--train-sets", TEXT / "train.split.en", TEXT / "train.split.de", f"--max-length={MAX_LEN}"]
    batches = [f"--mini-batch={SENTENCES}", "--mini-batch-round-up=false", f"--after={last}u", "--disp-freq=1u"]
    saved = ["--model", MODEL, "--no-reload", "--overwrite", f"--seed={given.seed}"]
    losses, times, labels = [], [], []
    for line in _logged("train", given.threads, *text, *SIZES, *RECIPE, *batches, *saved):
        if update := UPDATE.search(line):
            times.append(time.perf_counter())
            losses.append(float(update["loss"]))
            labels.append(float(update["seconds"]) * float(update["speed"]))
    if len(losses) < last:
        raise SystemExit(f"marian made {len(losses)} updates, expected {last}; read its log")
    seconds = times[last - 1] - times[given.warmup - 1]
    pieces = sum(labels[given.warmup : last]) - SENTENCES * given.updates
    src, tgt = (_pieces(TEXT / f"train.split.{lang}") for lang in ("en", "de"))
    weights = np.load(MODEL)
    parameters = sum(weights[name].size for name in weights.files if not name.startswith("special:"))
    print(
        f"RESULT marian tokens/s {pieces * (src + tgt) / tgt / seconds:.0f} "
        f"ms/update {1000 * seconds / given.updates:.1f} params {parameters} peak_MiB {_peak():.0f} "
        f"loss first5 {mean(losses[:5]):.3f} last20 {mean(losses[-20:]):.3f} precision float32 threads {given.threads}"
    )


def translate(given: argparse.Namespace) -> None:
    """Translate test 2016, from subwords to subwords."""
    source, output = TEXT / "test.split.en", RUN / "output"
    search = [f"--beam-size={given.beam_size}", "--normalize=1", f"--mini-batch={SENTENCES}", "--maxi-batch=100"]
    text = ["--models", MODEL, "--input", source, "--output", output, "--maxi-batch-sort=src"]
    found = [re.search(r"Total time: ([\d.]+)s", line) for line in _logged("decode", given.threads, *search, *text)]
    (seconds,) = [float(total[1]) for total in found if total]
    pieces = [line.split() for line in output.read_text(encoding="utf-8").splitlines()]
    texts = ["".join(sentence).replace("▁", " ").strip() for sentence in pieces]
    line = translated("marian", given.beam_size, pieces, texts, seconds)
    print(re.sub(r"peak_MiB \d+", f"peak_MiB {_peak():.0f}", line))


def _logged(command: str, threads: int, *options: object) -> Iterator[str]:
    """The lines that Marian logs, one after the other; SystemExit if it fails."""
    parts = [MARIAN, command, f"--cpu-threads={threads}", "--vocabs", *VOCABULARIES, *options]
    with subprocess.Popen([str(part) for part in parts], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            print(line, end="")
            yield line
    if process.returncode:
        raise SystemExit(f"marian ended with exit code {process.returncode}; read its log")


def _pieces(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").split())


def _peak() -> float:
    """The peak memory of Marian in mebibytes."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


if __name__ == "__main__":
    main()
