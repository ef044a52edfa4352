"""Measure what a larger corpus costs: time and memory until training begins, memory while training, and speed.

    python benchmarks/growth.py --text data/tiny/train --pairs 10000 1000000 [--steps 800] [--folder text]

A large corpus is made from a small one by repeating its pairs. In the copies, each word is replaced with
probability 0.1 by a new word made of the halves of two others, so that the text has rare words. heed-train trains on
each corpus in its own process: first until a few updates are made, then the same command continues to the end. The
cache is empty at the beginning. One line starting with RESULT is printed for each corpus:

    pairs, cold_s and again_s (seconds until the first update, for the first and second start), cold_cpu_s and
    again_cpu_s (CPU time of all processes until then, which other work on the machine affects less), cold_peak_MiB and
    again_peak_MiB (the peak of anonymous memory until then, of the process and its children, without mapped files),
    training_MiB (the same while training), tokens/s (target), and cpu_ms/update (CPU time of the second start from its
    first update to its end)

Training subwords needs memory for at most a million lines. `--more subwords=char` needs the least.
"""

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from heed.data.text_files import files

MODEL = [f"model.{name}=64" for name in "emb_dim enc_dim hid_dim readout_dim attended_dim attention.att_dim".split()]


class Start(NamedTuple):
    """Time until the first update, peak memory until then, memory while training, and CPU time after the first update.

    `processor_before` and `processor` are CPU time. `step` is the step at which the run resumed, 0 for a new run.
    """

    seconds: float
    processor_before: float
    peak: float
    training: float
    step: int
    processor: float


def main() -> None:
    """Measure the corpora one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--text", type=Path, default=Path("data/tiny/train"), help="PREFIX of PREFIX.src and PREFIX.tgt"
    )
    parser.add_argument("--langs", nargs=2, default=["en", "fr"], help="the two suffixes")
    parser.add_argument("--pairs", type=int, nargs="+", default=[29_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="where the text is written; existing text is used again")
    parser.add_argument("--steps", type=int, default=800, help="updates of each run")
    parser.add_argument("--more", nargs="*", default=[], help="further settings of both runs, such as subwords=unigram")
    given = parser.parse_args()
    src_lang, tgt_lang = given.langs
    text = files("grown", src_lang, tgt_lang, train=str(given.text), valid=str(given.text)).read("train")
    small = dict(zip(given.langs, (list(text.src), list(text.tgt)), strict=True))
    for pairs in given.pairs:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            texts = write(small, pairs, given.folder or folder)
            report(pairs, command(texts, given.langs, given.steps, given.more), folder, given.steps)


def write(small: dict[str, list[str]], pairs: int, folder: Path) -> Path:
    """Write the files of the grown corpus into `folder`, unless they exist; return their prefix."""
    prefix = folder.absolute() / str(pairs)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    for lang, lines in small.items():
        path = Path(f"{prefix}.{lang}")
        if not path.exists():
            part = path.with_suffix(".part")
            with part.open("w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in grown(lines, pairs))
            part.rename(path)
        Path(f"{prefix}-valid.{lang}").write_text("".join(f"{line}\n" for line in lines[:50]), encoding="utf-8")
    return prefix


def grown(lines: list[str], pairs: int) -> Iterator[str]:
    """The lines, then copies of them with some new words, until there are `pairs` lines."""
    words = sorted({word for line in lines for word in line.split()})
    draw = random.Random(1)

    def made() -> str:
        one, other = (words[int(len(words) ** draw.random()) - 1] for _ in range(2))
        return one[: len(one) // 2 + 1] + other[len(other) // 2 :]

    for number in range(pairs):
        line = lines[number % len(lines)]
        copied = " ".join(made() if draw.random() < 0.1 else word for word in line.split())
        yield line if number < len(lines) else copied


def command(prefix: Path, langs: list[str], steps: int, more: list[str]) -> list[str]:
    """The command line of a run."""
    corpus = ["corpus=files", "corpus.name=grown", f"corpus.src_lang={langs[0]}", f"corpus.tgt_lang={langs[1]}"]
    corpus += [f"corpus.train={prefix}", f"corpus.valid={prefix}-valid", "subwords=bpe"]
    length = ["trainer.max_epochs=null", f"trainer.max_steps={steps}", f"trainer.validate_steps={steps}"]
    rest = ["subwords.vocab_size=8000", "heatmaps=0", "checkpoint_steps=1000000", *more]
    return [sys.executable, "-m", "heed.cli.train", *corpus, *length, *MODEL, *rest]


def report(pairs: int, run: list[str], folder: Path, steps: int) -> None:
    """Start a run, stop it, and start it again until it ends; print a line with its figures."""
    cold = start(run, folder, stop=True)
    again = start(run, folder, stop=False)
    speed = json.loads((folder / "runs" / "grown" / "report.json").read_text())["tokens_per_second"]
    print(
        f"RESULT heed growth pairs {pairs} cold_s {cold.seconds:.1f} again_s {again.seconds:.1f} "
        f"cold_cpu_s {cold.processor_before:.1f} again_cpu_s {again.processor_before:.1f} "
        f"cold_peak_MiB {cold.peak:.0f} again_peak_MiB {again.peak:.0f} training_MiB {again.training:.0f} "
        f"tokens/s {speed:.0f} "
        f"cpu_ms/update {1000 * again.processor / (steps - again.step):.1f}",
        flush=True,
    )


def start(run: list[str], folder: Path, stop: bool) -> Start:
    """Train for five seconds after the table of updates begins, then to the end; with `stop`, stop as `kill` does."""
    began, before, step = time.monotonic(), processor_time(), 0
    with subprocess.Popen(
        run, cwd=folder, stdout=subprocess.PIPE, text=True, env={**os.environ, "HEED_CACHE": str(folder / "cache")}
    ) as process:
        assert process.stdout is not None
        peaks: list[float] = []
        threading.Thread(target=watch, args=(process.pid, peaks), daemon=True).start()
        for line in process.stdout:
            if line.startswith("resumed after step "):
                step = int(line.split()[-1].replace(",", ""))
            if line.lstrip().startswith("step "):
                break
        else:
            raise SystemExit("the run ended before its first update; run heed-train by hand to see why")
        seconds, peak = time.monotonic() - began, max(peaks)
        stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        spent_before = sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK")  # includes child processes that have ended
        time.sleep(5)
        if process.poll() is not None:
            raise SystemExit("the run ended within 5 seconds of its first update; give more --steps")
        training = peaks[-1]
        if stop:
            process.send_signal(signal.SIGTERM)
        process.stdout.read()
    return Start(seconds, spent_before, peak, training, step, processor_time() - before - spent_before)


def processor_time() -> float:
    """CPU seconds of the child processes that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def watch(pid: int, peaks: list[float]) -> None:
    """Append the memory of the process and its children to `peaks`, five times a second until it ends."""
    while held := anonymous(pid):
        peaks.append(held)
        time.sleep(0.2)


def anonymous(pid: int) -> float:
    """Anonymous memory in mebibytes; memory that several processes share is counted once."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = next((int(line.split()[1]) / 1024 for line in rollup.splitlines() if line.startswith("Pss_Anon:")), 0.0)
    return own + sum(anonymous(int(child)) for child in children)


if __name__ == "__main__":
    main()
