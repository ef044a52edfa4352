"""Measure the overhead of Lightning's Trainer with all callbacks, compared with a plain loop.

    python benchmarks/trainer_overhead.py [--rounds 5]

Figures are CPU time of one thread, for the fastest of all rounds. Both loops make the same updates on the same batches.
The text is reversed digits in batches of 64. Curves get a point every 50 updates, the default. There is no validation
and no checkpoint.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from heed.architecture import Architecture, build
from heed.data.encoded import encode
from heed.data.module import Bitext
from heed.data.reverse import reverse
from heed.metrics.loss import cross_entropy
from heed.metrics.scores import metric
from heed.models.seq2seq import Seq2Seq
from heed.text.subwords import PAD, Subwords
from heed.training import schedules
from heed.training.board import Board
from heed.training.checkpoints import Checkpoints, EarlyStop
from heed.training.clock import Clock
from heed.training.module import TranslationModule
from heed.training.progress import Progress
from heed.training.reporting import Reporter
from heed.training.trainer import build_trainer, fit
from heed.training.validation import Validation

STEPS = 150
PAIRS = reverse(train=5000, valid=0, test=0).read("train")
DIGITS = Subwords.train(PAIRS.src, "word", 100)
OPTIMIZER = partial(torch.optim.Adam, lr=1e-3, fused=True)


class Laps(Callback):
    """Records the CPU time at the end of each update."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.times.append(time.process_time())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="the number of rounds; the fastest counts")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    print("hidden size   parameters    bare   trainer   (milliseconds per update)")
    for size in (8, 64, 256):
        pairs = [(seconds(bare, size), seconds(under_trainer, size)) for _ in range(rounds)]
        loop, trainer = (min(column) * 1000 for column in zip(*pairs, strict=True))
        parameters = sum(parameter.numel() for parameter in model(size).parameters())
        print(f"{size:11} {parameters:12,} {loop:7.2f} {trainer:9.2f}", flush=True)


def seconds(loop: Callable[[int], list[float]], size: int) -> float:
    """Seconds per update, without the first update, in which everything is built."""
    times = loop(size)
    return (times[-1] - times[0]) / (len(times) - 1)


def bare(size: int) -> list[float]:
    """Train in a plain loop; return the CPU time at the end of each update."""
    net, times = model(size), []
    optimizer = OPTIMIZER(net.parameters())
    for batch in islice(bitext().train, STEPS):
        loss = cross_entropy(net(batch.src, batch.src_len, batch.tgt[:, :-1])[0], batch.tgt[:, 1:], PAD, 0.1)
        (loss.total / loss.count).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.process_time())
    return times


def under_trainer(size: int) -> list[float]:
    """Make the same updates with the Trainer, set up as in `heed.cli.train`; return the same times."""
    clock, checkpoints, laps = Clock(), Checkpoints(metric("bleu")), Laps()
    board = Board(clock, {})
    progress = Progress(Reporter(), clock, checkpoints)
    callbacks = [clock, board, progress, EarlyStop(metric("bleu")), laps, checkpoints]
    task = TranslationModule(
        model(size),
        OPTIMIZER,
        schedules.warmup_constant(),
        schedules.constant(),
        label_smoothing=0.1,
        clip_norm=1.0,
        validation=Validation(PAIRS, DIGITS, DIGITS),
        seed=1,
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(Path(folder), callbacks, batches_per_epoch=STEPS, max_steps=STEPS, device="cpu")
        trainer.limit_val_batches = 0
        fit(trainer, task, bitext())
        board.finish(trainer, {})
    return laps.times


def model(size: int) -> Seq2Seq:
    """A model whose sizes are all equal."""
    torch.manual_seed(1)
    sizes: dict[str, Any] = {"emb_dim": size, "enc_dim": size, "hid_dim": size, "readout_dim": size}
    attention = {"score": "additive", "att_dim": size}
    return build(Architecture(attended_dim=size, attention=attention, **sizes), len(DIGITS), len(DIGITS))


def bitext() -> Bitext:
    """The text in batches, from the first batch on."""
    encoded = encode(PAIRS, DIGITS, DIGITS)
    return Bitext(encoded, encoded, sentences=64)


if __name__ == "__main__":
    main()
