"""Compare the training speed of heed with a tutorial's loop, on the same model and text, in interleaved rounds.

Each measurement is a separate process, so that it cannot use the caches of another. Speed counts source and target
subwords, without padding, BOS and EOS. The script prints a line for each measurement, and then the ratios of all
rounds.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import tutorial
from benchmarks.peak import peak
from benchmarks.reference import Reference
from heed.architecture import Architecture, build
from heed.data.batches import Batches
from heed.data.corpus import Pairs
from heed.data.encoded import encode
from heed.data.fetch import multi30k
from heed.data.text_files import files
from heed.errors import UserError
from heed.metrics.loss import Loss, cross_entropy
from heed.models.fast import replay
from heed.models.fast.vocabulary import vocabulary_loss
from heed.models.seq2seq import Seq2Seq
from heed.text.subwords import BOS, EOS, PAD, Subwords, train_pair
from heed.training.devices import resolve_precision
from heed.training.switches import switched

VARIANTS = ("tutorial", "stepping", "fp32", "launched", "default")
"""`launched` is the default without CUDA graphs: every operation of a loop is launched by itself."""

COUNTED = 5
"""Operations are counted for one of so many batches and scaled to all, because on a GPU counting takes longer than the
update itself."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, usage="%(prog)s [--root DIR | --train PREFIX] [options]")
    parser.add_argument("--root", help="a folder with Multi30k's files (default: download them)")
    parser.add_argument("--train", help="prefix of other training text, such as data/tiny/train")
    parser.add_argument("--languages", nargs=2, default=["en", "de"], metavar=("SRC", "TGT"))
    parser.add_argument(
        "--vocab-size", type=_positive, default=8000, help="BPE subwords for each language, fewer if the text is small"
    )
    parser.add_argument("--sentences", type=_positive, default=64, help="pairs in a batch")
    parser.add_argument("--warmup", type=int, default=10, help="updates before timing starts, 0 or more")
    parser.add_argument("--updates", type=_positive, default=60, help="updates that are timed")
    parser.add_argument("--rounds", type=_positive, default=3)
    parser.add_argument("--threads", type=_positive, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--json", type=Path, help="append each measurement to this file, as a line")
    parser.add_argument("--profile", action="store_true", help="also print the slowest operations")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--subwords", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.warmup < 0:
        parser.error(f"--warmup {args.warmup}: expected 0 or more")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: torch finds no GPU here; leave it out")
    return args


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number of 1 or more")
    return number


def main() -> None:
    """Measure all variants in rounds; in a child process, measure one variant once."""
    args = arguments()
    if args.measure:
        print(json.dumps(measure(args, args.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        args.subwords = Path(folder)
        pairs = _pairs(args)
        for side, subwords in zip(
            args.languages, train_pair(pairs.src, pairs.tgt, "bpe", args.vocab_size), strict=True
        ):
            subwords.save(args.subwords / f"{side}.model")
        rounds = [{name: _in_process(args, name) for name in args.variants} for _ in range(args.rounds)]
    for name in args.variants[1:]:
        ratios = [
            measured[name]["tokens_per_second"] / measured[args.variants[0]]["tokens_per_second"] for measured in rounds
        ]
        pairs_text = " ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"RATIO {name} / {args.variants[0]}  median {median(ratios):.2f}  rounds {pairs_text}")


def _in_process(args: argparse.Namespace, variant: str) -> dict[str, Any]:
    command = [sys.executable, __file__, *sys.argv[1:], "--measure", variant, "--subwords", str(args.subwords)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    measured: dict[str, Any] = json.loads(output.splitlines()[-1])
    if args.json:
        with args.json.open("a") as file:
            file.write(json.dumps({"measured": "training", **measured}) + "\n")
    print(
        "RESULT heed {variant} sentences {sentences} tokens/s {tokens_per_second:.0f} ms/update {milliseconds:.1f} "
        "padding {padding:.1%} params {parameters} peak_MiB {peak:.0f} loss first5 {first:.3f} last20 {last:.3f} "
        "GFLOP/s {rate:.0f} of {limit:.0f} ({fraction:.0%}) precision {precision} threads {threads}".format(**measured),
        flush=True,
    )
    return measured


def measure(args: argparse.Namespace, variant: str) -> dict[str, Any]:
    """Train one variant for some updates; return its figures. All but the tutorial's loop run as heed-train runs."""
    with nullcontext() if variant == "tutorial" else switched():
        return _measured(args, variant)


def _measured(args: argparse.Namespace, variant: str) -> dict[str, Any]:
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    src, tgt = (Subwords.load(args.subwords / f"{side}.model") for side in args.languages)
    encoded = encode(_pairs(args), src, tgt)
    precision = resolve_precision("auto", args.device) if variant in ("default", "launched") else "float32"
    if variant == "launched":
        replay.DEVICES = ()
    if variant == "tutorial":
        model: nn.Module = tutorial.Seq2Seq(len(src), len(tgt), Reference())
        batches = tutorial.random_batches(encoded, args.sentences, args.seed)
    else:
        model = _heed(len(src), len(tgt), Reference(), stepping=variant == "stepping")
        batches = _forever(Batches(encoded, sentences=args.sentences, seed=args.seed))
    batches = ((src.to(args.device), tgt.to(args.device)) for src, tgt in batches)
    optimizer = torch.optim.Adam(model.to(args.device).parameters(), lr=Reference().lr, fused=variant != "tutorial")
    update = partial(_update, model, optimizer, precision == "bfloat16", variant == "stepping")
    losses = [update(*next(batches)) for _ in range(args.warmup)]
    timed = [next(batches) for _ in range(args.updates)]
    start = time.perf_counter()
    losses += [update(*batch) for batch in timed]
    seconds, memory = time.perf_counter() - start, peak(args.device)
    recordings = sum(one is not None for loop in replay.LOOPS for one in loop.recordings.values())
    replay.DEVICES = ()  # from here on every product is launched, and counted, by itself
    if args.profile:
        _print_operations(partial(update, *timed[-1]))
    counted = timed[::COUNTED]
    flop = _operations(update, counted) * sum(_all(*batch) for batch in timed) / sum(_all(*batch) for batch in counted)
    limit = _matrix_rate(torch.bfloat16 if precision == "bfloat16" else torch.float32, args.device)
    pieces = sum(_pieces(*batch) for batch in timed)
    return {
        "variant": variant,
        "device": args.device,
        "sentences": args.sentences,
        "recordings": recordings,
        "tokens_per_second": pieces / seconds,
        "milliseconds": 1000 * seconds / args.updates,
        "padding": 1
        - sum(int((side != PAD).sum()) for batch in timed for side in batch) / sum(_all(*b) for b in timed),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "peak": memory,
        "first": mean(losses[:5]),
        "last": mean(losses[-20:]),
        "rate": flop / seconds / 1e9,
        "limit": limit,
        "fraction": flop / seconds / 1e9 / limit,
        "precision": precision,
        "threads": torch.get_num_threads(),
    }


def _operations(update: Callable[[Tensor, Tensor], float], batches: list[tuple[Tensor, Tensor]]) -> int:
    """Make the updates for these batches again, and count the multiplications and additions of their matrix products.

    cuDNN, which runs the encoder on a GPU, is switched off, because torch does not count its products.
    """

    def addmm_(_: Any, a: torch.Size, b: torch.Size, **__: Any) -> int:  # torch itself does not count these
        return 2 * a[0] * a[1] * b[1]

    torch.backends.cudnn.enabled = False
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: addmm_}) as counter:
        for batch in batches:
            update(*batch)
    return int(counter.get_total_flops())


def _print_operations(update: Callable[[], float], updates: int = 8, shown: int = 14) -> None:
    """Print the operations that took the most time, in milliseconds per update."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiled:
        for _ in range(updates):
            update()
    operations = sorted(profiled.key_averages(), key=lambda operation: -operation.self_cpu_time_total)
    total = sum(operation.self_cpu_time_total for operation in operations)
    print(
        f"  {total / updates / 1000:8.1f} ms  {sum(one.count for one in operations) // updates:6d}  all",
        file=sys.stderr,
    )
    for one in operations[:shown]:
        milliseconds = one.self_cpu_time_total / updates / 1000
        print(f"  {milliseconds:8.1f} ms  {one.count // updates:6d}  {one.key}", file=sys.stderr)


def _pairs(args: argparse.Namespace) -> Pairs:
    src_lang, tgt_lang = args.languages
    if args.train:
        return files("bench", src_lang, tgt_lang, train=args.train, valid=args.train).read("train")
    pair: Any = f"{src_lang}-{tgt_lang}"
    return multi30k("multi30k", pair, root=args.root).read("train")


def _heed(src_vocab: int, tgt_vocab: int, reference: Reference, stepping: bool) -> Seq2Seq:
    sizes = {name: value for name, value in reference._asdict().items() if name not in ("lr", "clip_norm")}
    model = build(Architecture.from_dict(sizes), src_vocab, tgt_vocab, PAD)
    if stepping:  # the same model with torch's own loop in the encoder, and the plain loop over steps in the decoder
        model.decoder.unroll = model.decoder.step_through  # type: ignore[method-assign]
        model.encoder.run = model.encoder.run_packed  # type: ignore[method-assign]
    return model


def _forever(batches: Batches) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        for batch in batches:
            yield batch.src, batch.tgt


def _update(
    model: nn.Module, optimizer: torch.optim.Optimizer, low: bool, whole: bool, src: Tensor, tgt: Tensor
) -> float:
    """Make an update and return its loss; with `whole`, compute the loss from all logits at once."""
    optimizer.zero_grad()
    with torch.autocast(src.device.type, dtype=torch.bfloat16, enabled=low):
        if not isinstance(model, Seq2Seq):
            loss = cross_entropy(model(src, tgt), tgt[:, 1:], PAD)
        elif whole:
            loss = cross_entropy(model(src, (src != PAD).sum(1), tgt[:, :-1])[0], tgt[:, 1:], PAD)
        else:
            readout, output = model.read(src, (src != PAD).sum(1), tgt[:, :-1]).readout, model.decoder.output
            sums, _ = vocabulary_loss(readout, output.weight, output.bias, tgt[:, 1:], PAD)
            loss = Loss(*sums)
    mean = loss.total / loss.count
    mean.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), Reference().clip_norm)
    optimizer.step()
    return float(mean.detach())


def _pieces(src: Tensor, tgt: Tensor) -> int:
    special = torch.tensor([PAD, BOS, EOS], device=src.device)
    return sum(int((~torch.isin(side, special)).sum()) for side in (src, tgt))


def _all(src: Tensor, tgt: Tensor) -> int:
    return src.numel() + tgt.numel()


def _matrix_rate(dtype: torch.dtype, device: str, seconds: float = 1.0) -> float:
    """The rate of a large matrix product in GFLOP/s, as the limit for other rates."""
    size = 8192 if device == "cuda" else 1024
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    rounds, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        (a @ b)[0, 0].item()  # waits until a GPU has computed it
        rounds += 1
    return 2 * size**3 * rounds / (time.perf_counter() - start) / 1e9


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
