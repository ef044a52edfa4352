"""How a run endures: killed again and again, or trained for long.

    python benchmarks/endure.py [--kills 24] [--seed 1]
    python benchmarks/endure.py --steps 10000

The first trains a small run straight; then the same run, ended by SIGKILL at random moments and continued by the same
command, every third kill while a checkpoint is being written. What the two leave must agree in every bit: weights,
optimizer, validation history, and all that TensorBoard reads. The second looks, during a run of so many updates, at
what the process holds: resident memory, open files, threads. Exits with 1 where something differs or grows.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT = Path(__file__).resolve().parents[1]

SIZES = ("emb_dim", "enc_dim", "hid_dim", "readout_dim", "attended_dim", "att_dim")
SMALL = (
    "corpus=reverse corpus.train=400 corpus.valid=24 corpus.test=16 corpus.min_len=2 corpus.max_len=4 subwords=word "
    "teacher_forcing=linear trainer.max_epochs=null callbacks.early_stop=null callbacks.board.every_steps=5 "
    + " ".join(f"model.{size}=16" for size in SIZES)
).split()

KILLED = ("trainer.max_steps=1000", "trainer.validate_steps=100", "callbacks.checkpoints.every_steps=5", "pictures=2")

CLOCKED = ("tokens_per_second", "hours")
"""Curves of what a clock measured: their steps are compared, not their values."""


class Held(NamedTuple):
    """What a process has of the machine at one moment."""

    step: int
    mebibytes: float
    files: int
    threads: int


def main() -> None:
    """Endure, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=24, help="how often the run is ended by SIGKILL")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--steps", type=int, help="train for so many updates instead, and look at what grows")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as runs:
        held = grows(Path(runs), given.steps) if given.steps else survives(Path(runs), given.kills, given.seed)
    sys.exit(0 if held else 1)


def survives(runs: Path, kills: int, seed: int) -> bool:
    """Whether a run that was killed so often is the run that was not."""
    began = time.monotonic()
    subprocess.run(command(runs, "straight", *KILLED), cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    print(f"straight run: {time.monotonic() - began:.0f} s")
    moment = random.Random(seed)
    torn = 0
    for number in range(kills):
        torn += kill_once(runs, moment, in_writing=number % 3 == 2)
    starts = kills + 1
    subprocess.run(command(runs, "killed", *KILLED), cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    checks: dict[str, Callable[[Path], Any]] = {"checkpoint": checkpoint, "report": report, "curves": curves}
    found = {name: same(read(runs / "straight"), read(runs / "killed")) for name, read in checks.items()}
    points = sum(len(values) for values in curves(runs / "killed").values())
    print(f"killed run: {kills} kills, {torn} of them left a half-written checkpoint, {starts} starts", end="")
    print(f", {time.monotonic() - began:.0f} s in all; {points:,} points of curves, images and texts")
    for name, equal in found.items():
        print(f"{name:10} {'the same in every bit' if equal else 'DIFFERENT'}")
    return all(found.values())


def kill_once(runs: Path, moment: random.Random, in_writing: bool) -> bool:
    """Start the run, let it write a checkpoint, kill it some moment later; whether half a checkpoint was left."""
    folder = runs / "killed" / "checkpoints"
    last = folder / "last.ckpt"
    before = last.stat().st_ino if last.exists() else None
    errors = runs / "errors"
    with errors.open("w") as file:
        process = subprocess.Popen(command(runs, "killed", *KILLED), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=file)
    while process.poll() is None and (not last.exists() or last.stat().st_ino == before):
        time.sleep(0.005)
    if in_writing:
        while process.poll() is None and not any(folder.glob(".last.ckpt.*")):
            pass
    else:
        time.sleep(moment.uniform(0, 0.3))
    process.kill()
    if process.wait() >= 0:
        raise SystemExit(f"the run ended by itself before it could be killed:\n{errors.read_text()}")
    halves = list(folder.glob(".*.ckpt.*"))
    for half in halves:
        half.unlink()  # so that the next one is told from this one
    return bool(halves)


def grows(runs: Path, steps: int) -> bool:
    """Whether a long run holds no more in its last two fifths than in the two before; in the first it settles."""
    every = max(1, steps // 20)
    lengths = (f"trainer.max_steps={steps}", f"trainer.validate_steps={every}", "progress_bar=false")
    began = time.monotonic()
    seen: list[Held] = []
    print("    step   memory   files   threads")
    with subprocess.Popen(command(runs, "long", *lengths), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            words = line.replace(",", "").split()
            if words and words[0].isdigit() and int(words[0]) % every == 0 and int(words[0]) < steps:
                seen.append(held_by(process.pid, int(words[0])))
                print(
                    f"{seen[-1].step:8,} {seen[-1].mebibytes:5.1f} MiB {seen[-1].files:7} {seen[-1].threads:9}",
                    flush=True,
                )
    settled = [held for held in seen if held.step >= steps / 5]
    middle = len(settled) // 2
    early, late = (Held(*map(max, zip(*part, strict=True))) for part in (settled[:middle], settled[middle:]))
    more = late.mebibytes - early.mebibytes
    print(f"{time.monotonic() - began:.0f} s; most held up to step {early.step:,} and after: {more:+.1f} MiB", end="")
    print(f", {late.files - early.files:+} files, {late.threads - early.threads:+} threads")
    return process.returncode == 0 and more < 5 and late.files <= early.files and late.threads <= early.threads


def held_by(pid: int, step: int) -> Held:
    """What Linux says of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    resident, threads = int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"])
    return Held(step, resident, len(list(Path(f"/proc/{pid}/fd").iterdir())), threads)


def command(runs: Path, name: str, *more: str) -> list[str]:
    """The command line of a run."""
    return [sys.executable, "-m", "heed.train", *SMALL, f"runs={runs}", f"run={name}", *more]


def checkpoint(folder: Path) -> dict[str, Any]:
    """Everything that would be resumed from, but for what a clock measured."""
    content: dict[str, Any] = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    for name in ("training", "validation"):
        del content["callbacks"]["Clock"][name]
    return content


def report(folder: Path) -> dict[str, Any]:
    """The report, validation history included, but for what a clock measured."""
    content: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return {name: value for name, value in content.items() if name not in ("seconds", "tokens_per_second")}


def curves(folder: Path) -> dict[str, list[Any]]:
    """Steps and values of everything that TensorBoard's own reader finds."""
    reader = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    reader.Reload()
    tags = reader.Tags()
    found: dict[str, list[Any]] = {
        tag: [event.step if tag.endswith(CLOCKED) else (event.step, event.value) for event in reader.Scalars(tag)]
        for tag in tags["scalars"]
    }
    found |= {tag: [(event.step, event.encoded_image_string) for event in reader.Images(tag)] for tag in tags["images"]}
    for tag in tags["tensors"]:
        found[tag] = [(event.step, event.tensor_proto.string_val[0]) for event in reader.Tensors(tag)]
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two nests of dicts, lists and tensors agree in every bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


if __name__ == "__main__":
    main()
