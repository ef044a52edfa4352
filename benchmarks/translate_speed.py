"""Measure the speed of greedy and beam search by a model folder on a file of sentences, in interleaved rounds.

Each measurement is a separate process. The time includes dividing the source into subwords and joining those of the
translation, but not loading Python and the model. Speed counts written subwords, without EOS. The script prints a line
for each measurement, and then the median of all rounds.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, get_args

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.peak import peak
from heed.data.lines import read_lines
from heed.errors import UserError
from heed.models.fast.product import multiplies_bfloat16
from heed.translator import Precision, load

SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {"search": "greedy"},
    "beam5": {"search": "beam", "beam_size": 5, "length_penalty": 1.0},
}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a model folder")
    parser.add_argument("source", type=Path, help="one sentence a line, gzipped or not")
    parser.add_argument("reference", type=Path, nargs="?", help="the translations of these sentences, for BLEU")
    parser.add_argument("--max-len", type=int, help="the largest length in subwords (default: 2 × source + 10)")
    parser.add_argument("--batch-size", type=int, help="the most hypotheses in a batch, fewer for long lines")
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, help="append each measurement to this file, as a line")
    parser.add_argument("--measure", choices=SEARCHES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    for name in ("max_len", "batch_size", "rounds", "threads"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} {getattr(args, name)}: expected 1 or more")
    return args


def main() -> None:
    """Measure all searches in rounds; in a child process, measure one search once."""
    args = arguments()
    if args.measure:
        print(json.dumps(measure(args)))
        return
    rounds = [{name: _in_process(args, name) for name in args.searches} for _ in range(args.rounds)]
    for name in args.searches:
        speeds = [one[name]["tokens_per_second"] for one in rounds]
        each = " ".join(f"{one:.0f}" for one in speeds)
        print(f"MEDIAN heed {name} output_tokens/s {median(speeds):.0f}  rounds {each}")


def _in_process(args: argparse.Namespace, search: str) -> dict[str, Any]:
    command = [sys.executable, __file__, *sys.argv[1:], "--measure", search]
    child = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if child.returncode:  # it has printed its error
        sys.exit(child.returncode)
    measured: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    if args.json:
        with args.json.open("a") as file:
            file.write(json.dumps({"measured": "search", **measured}) + "\n")
    print(
        "RESULT heed {search} output_tokens/s {tokens_per_second:.0f} sentences/s {sentences_per_second:.1f} "
        "tokens/sentence {length:.1f} at_limit {at_limit} wall {seconds:.2f}s processor {processor:.2f}s "
        "peak_MiB {peak:.0f} BLEU {score} precision {precision} threads {threads}".format(
            **measured, score="-" if measured["bleu"] is None else f"{measured['bleu']:.2f}"
        ),
        flush=True,
    )
    return measured


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Translate the first lines as a warm-up, then the whole file; return speed and BLEU."""
    torch.set_num_threads(args.threads)
    translator = load(args.model, args.device, args.precision)
    lines = read_lines(args.source)
    options = {"max_len": args.max_len, "batch_size": args.batch_size, **SEARCHES[args.measure]}
    translator.translate(lines[:8] if args.device == "cpu" else lines, **options)  # a GPU warms up for each shape
    start, processor = time.perf_counter(), time.process_time()
    measured = translator.translate(lines, **options)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    tokens = sum(len(one.tgt.ids) for one in measured)
    low = args.precision == "bfloat16" or (args.precision == "auto" and multiplies_bfloat16(args.device))
    return {
        "search": args.measure,
        "device": args.device,
        "batch_size": args.batch_size,
        "precision": "bfloat16" if low else "float32",
        "tokens_per_second": tokens / seconds,
        "sentences_per_second": len(lines) / seconds,
        "length": tokens / len(lines),
        "at_limit": sum(not one.finished for one in measured if one.source),
        "seconds": seconds,
        "processor": processor,
        "peak": peak(args.device),
        "bleu": _bleu([one.text for one in measured], args.reference),
        "threads": torch.get_num_threads(),
    }


def _bleu(texts: list[str], reference: Path | None) -> float | None:
    if reference is None:
        return None
    from sacrebleu import corpus_bleu  # noqa: PLC0415  its memory is not part of the measurement

    return float(corpus_bleu(texts, [read_lines(reference)]).score)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
