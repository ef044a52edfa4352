"""The command line of each peer, the timing of its training, and the lines that report its speed."""

import argparse
import resource
import time
from pathlib import Path
from statistics import mean
from typing import Any

import sacrebleu
import torch
from torch import Tensor

TEXT = Path("text")  # peers.sh runs each program in the folder HEED_PEERS
SPECIAL = torch.tensor([1, 2, 3])  # padding, <s> and </s> of OpenNMT-py and JoeyNMT; <unk> counts as a subword
PAD = 1
MAX_LEN = 100  # subwords of a translation
SENTENCES = 64  # sentences in a batch


def arguments() -> argparse.Namespace:
    """Read the command line of a peer, and set the number of threads of torch."""
    parser = argparse.ArgumentParser(description="Started by peers.sh.")
    parser.add_argument("task", choices=["train", "translate"])
    parser.add_argument("--warmup", type=int, default=10, help="updates before timing starts")
    parser.add_argument("--updates", type=int, default=60, help="updates that are timed")
    parser.add_argument("--beam-size", type=int, default=1, help="1 is greedy search")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for name in ("warmup", "updates", "beam_size", "threads"):
        if getattr(given, name) < 1:
            parser.error(f"--{name.replace('_', '-')} {getattr(given, name)}: expected 1 or more")
    torch.set_num_threads(given.threads)
    return given


class Stopwatch:
    """Measures the time from the start of one training step to the start of the step that is `updates` later.

    This includes the optimizer's step and the making of batches, no matter when a program does them. A run needs one
    step more than the warm-up and the timed steps.
    """

    def __init__(self, warmup: int, updates: int) -> None:
        self.warmup, self.updates, self.needed = warmup, updates, warmup + updates + 1
        self.begun = self.pieces = self.filled = self.cells = self.parameters = 0
        self.start = self.seconds = self.peak = 0.0
        self.losses: list[float] = []

    def begin(self, model: Any, *sides: Tensor) -> None:
        """Record that a training step on these ids begins."""
        if self.begun == self.warmup:
            self.start = time.perf_counter()
        if self.begun == self.warmup + self.updates:
            self.seconds, self.peak = time.perf_counter() - self.start, peak()
            self.parameters = sum(parameter.numel() for parameter in model.parameters())
        elif self.begun >= self.warmup:
            self.count(*sides)
        self.begun += 1

    def count(self, *sides: Tensor) -> None:
        """Add up the subwords, the positions that are not padding, and all positions of a batch."""
        self.pieces += sum(int((~torch.isin(side, SPECIAL)).sum()) for side in sides)
        self.filled += sum(int((side != PAD).sum()) for side in sides)
        self.cells += sum(side.numel() for side in sides)

    def result(self, peer: str) -> str:
        """The result line of a finished run; SystemExit if it made too few steps."""
        if self.begun < self.needed:
            raise SystemExit(f"{peer} made {self.begun} training steps, expected {self.needed}; read its log")
        losses = self.losses[: self.warmup + self.updates]
        return (
            f"RESULT {peer} tokens/s {self.pieces / self.seconds:.0f} "
            f"ms/update {1000 * self.seconds / self.updates:.1f} padding {1 - self.filled / self.cells:.1%} "
            f"params {self.parameters} peak_MiB {self.peak:.0f} "
            f"loss first5 {mean(losses[:5]):.3f} last20 {mean(losses[-20:]):.3f} "
            f"precision float32 threads {torch.get_num_threads()}"
        )


def translated(peer: str, beam_size: int, pieces: list[list[str]], texts: list[str], seconds: float) -> str:
    """The result line of translating the test split, given as subwords without </s> and as text."""
    written = sum(map(len, pieces))
    references = (TEXT / "test.de").read_text(encoding="utf-8").splitlines()
    return (
        f"RESULT {peer} {'greedy' if beam_size == 1 else f'beam{beam_size}'} output_tokens/s {written / seconds:.0f} "
        f"sentences/s {len(texts) / seconds:.1f} tokens/sentence {written / len(texts):.1f} wall {seconds:.2f}s "
        f"peak_MiB {peak():.0f} BLEU {sacrebleu.corpus_bleu(texts, [references]).score:.2f} "
        f"precision float32 threads {torch.get_num_threads()}"
    )


def peak() -> float:
    """The peak memory of this process in mebibytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
