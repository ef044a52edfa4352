"""Endurance test of a run that is killed repeatedly, or trained for long; run by hand from the root of the checkout.

    python -m tests.endure [--kills 24] [--seed 1]
    python -m tests.endure --steps 10000

The first command trains a small run without interruption, and then the same run, killed by SIGKILL at random moments
and resumed, with every third kill while a checkpoint is being written. Both must agree in every bit: weights and their
average, optimizer, validation history, and all that TensorBoard reads. The second command watches resident memory, open
files and threads during a run of this many updates. Exits with 1 if something differs or grows. Takes minutes.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.support.small_run import READ, differences, events, overrides

ROOT = Path(__file__).resolve().parents[1]

KILLED = (
    "trainer.max_steps=1000 trainer.validate_steps=100 checkpoint_steps=5 heatmaps=2 "
    "r_drop=1.0 word_dropout=0.1 ema=0.99"
).split()


class Usage(NamedTuple):
    """The resources of a process at one moment."""

    step: int
    mebibytes: float
    files: int
    threads: int


def main() -> None:
    """Run the chosen test and print its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=24, help="how often the run is ended by SIGKILL")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random moments of the kills")
    parser.add_argument(
        "--steps", type=int, help="instead, train for this many updates and watch memory, files and threads"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as runs:
        passed = grows(Path(runs), given.steps) if given.steps else survives(Path(runs), given.kills, given.seed)
    sys.exit(0 if passed else 1)


def survives(runs: Path, kills: int, seed: int) -> bool:
    """Whether a run that was killed this often equals the uninterrupted run."""
    began = time.monotonic()
    subprocess.run(command(runs, "straight", *KILLED), cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    print(f"straight run: {time.monotonic() - began:.0f} s")
    moment = random.Random(seed)
    torn = 0
    for number in range(kills):
        torn += kill_once(runs, moment, in_writing=number % 3 == 2)
    starts = kills + 1
    subprocess.run(command(runs, "killed", *KILLED), cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    differing = differences(runs / "straight", runs / "killed")
    points = sum(len(values) for values in events(runs / "killed").values())
    print(f"killed run: {kills} kills, {torn} of them left a half-written checkpoint, {starts} starts", end="")
    print(f", {time.monotonic() - began:.0f} s in all; {points:,} points of curves, images and texts")
    for name in READ:
        print(f"{name:10} {'DIFFERENT' if name in differing else 'the same in every bit'}")
    return not differing


def kill_once(runs: Path, moment: random.Random, in_writing: bool) -> bool:
    """Start the run, let it write a checkpoint and kill it later; return whether half a checkpoint was left."""
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
        half.unlink()  # so that a file left by the next kill is not confused with this one
    return bool(halves)


def grows(runs: Path, steps: int) -> bool:
    """Whether a long run needs no more resources in its last two fifths than in the two before."""
    every = max(1, steps // 20)
    lengths = (f"trainer.max_steps={steps}", f"trainer.validate_steps={every}", "progress_bar=false")
    began = time.monotonic()
    usages: list[Usage] = []
    print("    step   memory   files   threads")
    with subprocess.Popen(command(runs, "long", *lengths), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            words = line.replace(",", "").split()
            if words and words[0].isdigit() and int(words[0]) % every == 0 and int(words[0]) < steps:
                usages.append(usage_of(process.pid, int(words[0])))
                print(
                    f"{usages[-1].step:8,} {usages[-1].mebibytes:5.1f} MiB {usages[-1].files:7} {usages[-1].threads:9}",
                    flush=True,
                )
    settled = [usage for usage in usages if usage.step >= steps / 5]
    middle = len(settled) // 2
    early, late = (Usage(*map(max, zip(*part, strict=True))) for part in (settled[:middle], settled[middle:]))
    more = late.mebibytes - early.mebibytes
    print(f"{time.monotonic() - began:.0f} s; the most up to step {early.step:,} and after: {more:+.1f} MiB", end="")
    print(f", {late.files - early.files:+} files, {late.threads - early.threads:+} threads")
    return process.returncode == 0 and more < 5 and late.files <= early.files and late.threads <= early.threads


def usage_of(pid: int, step: int) -> Usage:
    """The resources of a process, from Linux."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    resident, threads = int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"])
    return Usage(step, resident, len(list(Path(f"/proc/{pid}/fd").iterdir())), threads)


def command(runs: Path, name: str, *more: str) -> list[str]:
    """The command line of a run."""
    return [sys.executable, "-m", "heed.cli.train", *overrides(runs, f"run={name}", "early_stop=null", *more)]


if __name__ == "__main__":
    main()
