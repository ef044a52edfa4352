"""Compare a model folder with its ONNX exports: size, speed, cold start and memory, in rounds on one thread.

    python benchmarks/exported.py runs/tiny/model data/tiny/test.en data/tiny/test.fr

Each measurement is a separate process. Speeds are subwords written for each second of CPU time, so that other programs
on the machine affect them less; the load is printed. The cold start is the wall time from the start of Python to the
first translation, as the median of all processes. The script prints a table in Markdown.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from heed.data.lines import read_lines
from heed.export.onnx import export_onnx
from heed.translator import Translator, load

SEARCHES: dict[str, dict[str, Any]] = {"greedy": {"search": "greedy"}, "beam 5": {"search": "beam", "beam_size": 5}}

COLUMNS = (
    "size, MB | greedy, subwords/s | beam 5, subwords/s | one sentence greedy, ms | one sentence beam 5, ms | "
    "cold start, s | memory, MB | BLEU greedy | BLEU beam 5"
)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model folder")
    parser.add_argument("source", type=Path, help="one sentence a line")
    parser.add_argument("reference", type=Path, help="the translations of these sentences")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure all variants in rounds; in a child process, measure one variant once."""
    args = arguments()
    if args.measure:
        print(json.dumps(measure(args)))
        return
    with TemporaryDirectory() as folder:
        variants = {"torch float32": (args.model, "float32"), "torch bfloat16": (args.model, "bfloat16")}
        for precision in ("float32", "int8"):
            output = Path(folder) / precision
            export_onnx(args.model, output, precision)
            variants[f"ONNX {precision}"] = output, "auto"
        rounds: dict[str, list[dict[str, float]]] = defaultdict(list)
        for _ in range(args.rounds):
            for name, variant in variants.items():
                rounds[name].append(_in_process(args, *variant))
                print(name, rounds[name][-1], "load", os.getloadavg(), file=sys.stderr, flush=True)
    print(f"| | {COLUMNS} |\n|{'---|' * (COLUMNS.count('|') + 2)}")
    for name, results in rounds.items():
        medians = [f"{median(one[column] for one in results):.{digits(column)}f}" for column in results[0]]
        print(f"| {name} | {' | '.join(medians)} |")
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def digits(column: str) -> int:
    """The number of decimals to print."""
    return 2 if column in ("size", "cold") or column.startswith("bleu") else 1 if column.startswith("one") else 0


def _in_process(args: argparse.Namespace, model: Path, precision: str) -> dict[str, float]:
    command = [sys.executable, __file__, str(model), str(args.source), str(args.reference), "--measure", precision]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    child = subprocess.run(
        [*command, "--began", str(time.time())], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    measured: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    return measured


def measure(args: argparse.Namespace) -> dict[str, float]:
    """All numbers of one variant, in the order of the columns."""
    translator = load(args.model, "cpu", args.measure)
    lines = read_lines(args.source)
    translator.translate(lines[0])
    cold = time.time() - args.began
    whole = {name: _whole(translator, lines, options) for name, options in SEARCHES.items()}
    single = {f"one {name}": _single(translator, lines[:100], options) for name, options in SEARCHES.items()}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    size = sum(path.stat().st_size for path in args.model.iterdir()) / 1e6
    bleu = {f"bleu {name}": _bleu(texts, args.reference) for name, (_, texts) in whole.items()}
    speeds = {name: speed for name, (speed, _) in whole.items()}
    return {"size": size, **speeds, **single, "cold": cold, "memory": memory, **bleu}


def _whole(translator: Translator, lines: list[str], options: dict[str, Any]) -> tuple[float, list[str]]:
    """Subwords per second of CPU time, for all lines in batches of the default size; and the translations."""
    translator.translate(lines[:8], **options)
    start = time.process_time()
    results = translator.translate(lines, **options)
    seconds = time.process_time() - start
    return sum(len(one.tgt.ids) for one in results) / seconds, [one.text for one in results]


def _single(translator: Translator, lines: list[str], options: dict[str, Any]) -> float:
    """Milliseconds of CPU time for a line that is translated alone."""
    start = time.process_time()
    for line in lines:
        translator.translate(line, **options)
    return (time.process_time() - start) / len(lines) * 1000


def _bleu(texts: list[str], reference: Path) -> float:
    from sacrebleu import corpus_bleu  # noqa: PLC0415 - its memory is not part of the measurement

    return float(corpus_bleu(texts, [read_lines(reference)]).score)


if __name__ == "__main__":
    main()
