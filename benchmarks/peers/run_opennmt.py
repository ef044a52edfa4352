"""OpenNMT-py's own training and translation, timed; peers.sh starts this with the Python of OpenNMT-py."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from onmt.bin import train as train_command
from onmt.bin import translate as translate_command
from onmt.inference_engine import InferenceEnginePY
from onmt.trainer import Trainer

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.peers.measure import MAX_LEN, SENTENCES, TEXT, Stopwatch, arguments, translated

CONFIG = Path(__file__).with_name("opennmt.yaml")
MODEL = Path("opennmt-run") / "model"


def main() -> None:
    given = arguments()
    {"train": train, "translate": translate}[given.task](given)


def train(given: argparse.Namespace) -> None:
    """Train with a stopwatch in Trainer._gradient_accumulation, which makes one update of one batch."""
    watch = Stopwatch(given.warmup, given.updates)
    update = Trainer._gradient_accumulation

    def timed(trainer: Any, batches: list[dict[str, Any]], normalization: float, total: Any, report: Any) -> None:
        watch.begin(trainer.model, *(batch[side] for batch in batches for side in ("src", "tgt")))
        loss, words = total.loss, total.n_words
        update(trainer, batches, normalization, total, report)
        watch.losses.append((total.loss - loss) / (total.n_words - words))

    Trainer._gradient_accumulation = timed
    options = ["-config", CONFIG, "-save_model", MODEL, "-seed", given.seed, "-train_steps", watch.needed]
    train_command.train(train_command._get_parser().parse_args([str(option) for option in options]))
    print(watch.result("opennmt"))


def translate(given: argparse.Namespace) -> None:
    """Translate, and time InferenceEnginePY.infer_file: from subwords to subwords, without loading the model."""
    source = TEXT / "test.split.en"
    infer = InferenceEnginePY.infer_file

    def timed(engine: Any) -> tuple[Any, list[list[str]]]:
        engine.infer_list(source.read_text(encoding="utf-8").splitlines()[:8])  # warms up, as heed's benchmark does
        start = time.perf_counter()
        scores, hypotheses = infer(engine)
        seconds = time.perf_counter() - start
        pieces = [best.split() for best, *_ in hypotheses]
        texts = ["".join(sentence).replace("▁", " ").strip() for sentence in pieces]
        print(translated("opennmt", given.beam_size, pieces, texts, seconds))
        return scores, hypotheses

    InferenceEnginePY.infer_file = timed
    torch.serialization.add_safe_globals([argparse.Namespace])  # torch.load refuses it otherwise
    newest = max(MODEL.parent.glob("*.pt"), key=lambda path: path.stat().st_mtime)
    options = ["-model", newest, "-src", source, "-output", os.devnull, "-beam_size", given.beam_size, "-gpu", -1]
    options += ["-batch_size", SENTENCES, "-batch_type", "sents", "-max_length", MAX_LEN, "-max_length_ratio", 0]
    translate_command.translate(translate_command._get_parser().parse_args([str(option) for option in options]))


if __name__ == "__main__":
    main()
