"""Compare one decoder step in torch with the ONNX exports, to see for which sizes int8 is faster.

    python benchmarks/exported_step.py

Weights are random, because speed does not depend on them. Figures are milliseconds of CPU time on one thread, as the
median of all rounds, and the size of both graphs. The reference model is that of docs/performance.md. The script prints
a table in Markdown.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from heed.architecture import Architecture, build
from heed.export.onnx_encode import encode_graph
from heed.export.onnx_graph import Precision, model_of
from heed.export.onnx_step import step_graph
from heed.models.seq2seq import Seq2Seq
from heed.onnx_model import ENCODE, STEP, OnnxModel

PIECES = 14
"""The number of subwords of a source sentence, as in Multi30k."""

SMALL = dict(emb_dim=128, enc_dim=256, hid_dim=256, readout_dim=128, attended_dim=128)

MODELS: dict[str, Callable[[], Seq2Seq]] = {
    "tiny": lambda: build(
        Architecture(**SMALL, tie="decoder", attention={"score": "additive", "att_dim": 256}),  # type: ignore[arg-type]
        643,
        1000,
    ),
    "reference": lambda: build(Architecture(), 8000, 8000),
}


def main() -> None:
    """Measure every model with every number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 5, 250])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| model | rows | torch float32 | ONNX float32 | ONNX int8 |\n|---|---|---|---|---|")
    for name, made in MODELS.items():
        with TemporaryDirectory() as folder:
            model = made().eval()
            exports = {precision: export(model, precision, Path(folder)) for precision in ("float32", "int8")}
        variants: list[Seq2Seq | OnnxModel] = [model, *(exported for exported, _ in exports.values())]
        for rows in args.rows:
            rounds = [[milliseconds(one, rows) for one in variants] for _ in range(args.rounds)]
            cells = (f"{median(times):.2f} ms" for times in zip(*rounds, strict=True))
            print(f"| {name} | {rows} | {' | '.join(cells)} |", flush=True)
        sizes = [4 * sum(one.numel() for one in model.parameters()), *(size for _, size in exports.values())]
        print(f"| {name} | size | {' | '.join(f'{size / 1e6:.1f} MB' for size in sizes)} |")


def export(model: Seq2Seq, precision: Precision, folder: Path) -> tuple[OnnxModel, int]:
    """Export a model; return it and the size of its graphs."""
    for name, graph in ((ENCODE, encode_graph(model, precision)), (STEP, step_graph(model, precision))):
        (folder / name).write_bytes(model_of(graph, "0").SerializeToString())
    size = sum((folder / name).stat().st_size for name in (ENCODE, STEP))
    return OnnxModel(folder, model.decoder.output.out_features), size


@torch.inference_mode()
def milliseconds(model: Seq2Seq | OnnxModel, rows: int) -> float:
    """Milliseconds of one step with a number of hypotheses."""
    state, memory = model.encode(torch.randint(4, 600, (rows, PIECES)), torch.full((rows,), PIECES))
    token, count = torch.full((rows,), 5), max(10, 1000 // rows)
    for _ in range(3):
        model.step(token, state, memory)
    start = time.process_time()
    for _ in range(count):
        model.step(token, state, memory)
    return (time.process_time() - start) / count * 1000


if __name__ == "__main__":
    main()
