"""JoeyNMT's own training and translation, timed; peers.sh starts this with the Python of JoeyNMT."""

import argparse
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from joeynmt import training
from joeynmt.config import load_config, parse_global_args
from joeynmt.helpers import make_model_dir
from joeynmt.prediction import predict, prepare

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.peers.measure import MAX_LEN, SENTENCES, Stopwatch, arguments, translated

CONFIG = Path(__file__).with_name("joeynmt.yaml")


def main() -> None:
    given = arguments()
    {"train": train, "translate": translate}[given.task](given)


def train(given: argparse.Namespace) -> None:
    """Train with a stopwatch in TrainManager._train_step, after which the trainer makes its update."""
    watch = Stopwatch(given.warmup, given.updates)
    step = training.TrainManager._train_step

    def timed(manager: Any, batch: Any) -> tuple[float, int]:
        watch.begin(manager.model, batch.src, batch.trg)
        loss, correct = step(manager, batch)
        watch.losses.append(loss)
        return loss, correct

    training.TrainManager._train_step = timed
    config = load_config(CONFIG)
    config["random_seed"], config["training"]["updates"] = given.seed, watch.needed
    make_model_dir(Path(config["model_dir"]), overwrite=True)
    training.train(rank=0, world_size=None, cfg=config, skip_test=True)
    print(watch.result("joeynmt"))


def translate(given: argparse.Namespace) -> None:
    """Translate with a stopwatch around `predict`: from lines of text to lines of text, without loading the model."""
    config = load_config(CONFIG)
    search = {"beam_size": given.beam_size, "beam_alpha": 1.0, "max_output_length": MAX_LEN, "batch_size": SENTENCES}
    config["testing"] = {**search, "load_model": f"{config['model_dir']}/latest.ckpt"}
    args = parse_global_args(config, mode="test")
    model, _, valid, test = prepare(args, rank=0, mode="test")
    run = partial(predict, model, device=args.device, n_gpu=args.n_gpu, args=args.test, autocast=args.autocast)
    valid.reset_indices(random_subset=8)
    run(valid)  # warms up, as heed's benchmark does
    start = time.perf_counter()
    _, _, texts, hypotheses, *_ = run(test)
    seconds = time.perf_counter() - start
    pieces = [[piece for piece in sentence if piece != "</s>"] for sentence in hypotheses]
    print(translated("joeynmt", given.beam_size, pieces, texts, seconds))


if __name__ == "__main__":
    main()
