"""Measure whether the speed and memory of heed-translate change over a million lines.

    python benchmarks/long_use.py [--lines 1000000] [--every 10000] [--model runs/tiny/model]

The lines of a corpus are written to the command through a pipe again and again. At intervals, the script prints the
resident memory of the process (VmRSS of Linux) and its speed since the last interval, in lines for each second of CPU
time, so that other work on the machine does not count. The command uses one thread. Without --model, a small untrained
model is used, because memory and speed do not depend on training.
"""

import argparse
import itertools
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import torch

from heed import bundle
from heed.architecture import Architecture, build
from heed.data.lines import read_lines
from heed.text.subwords import Subwords

TINY = Path(__file__).resolve().parents[1] / "data" / "tiny"


def main() -> None:
    """Measure; print a row at every interval, and a summary at the end."""
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or untrained(Path(folder) / "model")
        print("     lines   lines/CPU s   resident MiB")
        measured = list(measure(model, options.lines, options.every))
    settled = measured[len(measured) // 4 :]
    first, last = settled[0], settled[-1]
    print(
        f"\nfrom {first[0]:,} to {last[0]:,} lines: memory {last[2] - first[2]:+.1f} MiB, "
        f"{min(pace for _, pace, _ in settled):,.0f} to {max(pace for _, pace, _ in settled):,.0f} lines/CPU s; "
        f"the first fifth of them {mean_pace(settled[: len(settled) // 5]):,.0f}, "
        f"the last fifth {mean_pace(settled[-(len(settled) // 5) :]):,.0f}"
    )


def mean_pace(rows: list[tuple[int, float, float]]) -> float:
    """Lines for each second of CPU time, over rows that have the same number of lines."""
    return len(rows) / sum(1 / pace for _, pace, _ in rows) if rows else math.nan


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000, help="the number of lines (default: %(default)s)")
    parser.add_argument("--every", type=int, default=10_000, help="lines between two rows")
    parser.add_argument("--model", type=Path, help="a model folder (default: an untrained model)")
    return parser.parse_args()


def untrained(folder: Path) -> Path:
    """A small model folder for the embedded corpus."""
    src, tgt = (Subwords.train(read_lines(TINY / f"valid.{lang}"), "bpe", 300) for lang in ("en", "fr"))
    sizes: dict[str, Any] = dict(emb_dim=16, enc_dim=32, hid_dim=32, readout_dim=16, attended_dim=16)
    architecture = Architecture(**sizes, attention={"score": "additive", "att_dim": 16})
    torch.manual_seed(1)
    bundle.save(folder, build(architecture, len(src), len(tgt)), architecture, src, tgt, {})
    return folder


def measure(model: Path, lines: int, every: int) -> Iterator[tuple[int, float, float]]:
    """Lines so far, lines for each second of CPU time, and resident MiB, at every interval."""
    command = [sys.executable, "-m", "heed.cli.translate", f"model={model}", "search.max_len=12", "device=cpu"]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=one_thread) as process:
        assert process.stdin
        assert process.stdout
        threading.Thread(target=feed, args=(process.stdin, lines), daemon=True).start()
        used, count = 0.0, 0
        for count, _ in enumerate(process.stdout, start=1):
            if count % every == 0:
                before, used = used, processor_seconds(process.pid)
                row = (count, every / max(used - before, 0.01), resident(process.pid))
                print(f"{row[0]:10,}{row[1]:14,.0f}{row[2]:15.1f}", flush=True)
                yield row
    if count != lines or process.returncode:
        sys.exit(f"heed-translate wrote {count} of {lines} lines and ended with exit code {process.returncode}")


def feed(pipe: IO[bytes], lines: int) -> None:
    """Write the lines of the corpus into the pipe again and again, `lines` in all."""
    text = [f"{line}\n".encode() for line in read_lines(TINY / "test.en")]
    with pipe:
        pipe.writelines(itertools.islice(itertools.cycle(text), lines))


def processor_seconds(pid: int) -> float:
    """CPU time of a process since it began, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Resident memory of a process in MiB."""
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


if __name__ == "__main__":
    main()
