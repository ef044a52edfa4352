"""A training run of a few seconds with the real configs, and functions that read its files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from heed.cli.config import compose, plain
from heed.experiment import Settings
from heed.settings import parse

SMALL = [
    "corpus=reverse",
    "corpus.train=400",
    "corpus.valid=24",
    "corpus.test=16",
    "corpus.min_len=2",
    "corpus.max_len=4",
    "subwords=word",
    "batches.sentences=32",
    *(f"model.{name}=16" for name in ("emb_dim", "enc_dim", "hid_dim", "readout_dim", "attended_dim")),
    "model.attention.att_dim=16",
    "optim.lr=0.01",
    "schedule.warmup_steps=10",
    "teacher_forcing=linear",
    "teacher_forcing.steps=30",
    "trainer.max_epochs=null",
    "trainer.max_steps=24",
    "trainer.validate_steps=12",
    "curve_steps=5",
    "checkpoint_steps=4",
    "heatmaps=2",
]
"""An epoch has 13 batches, so that no validation, checkpoint or point of a curve coincides with its end."""

REGULARISED = [
    *("r_drop=2.0", "word_dropout=0.2", "model.dropout=0.1", "batches.sentences=null", "batches.tokens=700"),
    *("batches.accumulate=2", "heatmaps=0"),
]
TOGETHER = [
    [*REGULARISED, "guided_attention=0.5", "ema=0.8"],
    [*REGULARISED, "subwords=bpe", "subwords.vocab_size=40", "subword_sampling=0.3", "average_last=2"],
]
"""Two sets with all options of training, besides the scheduled sampling of `SMALL`.

Two are needed: guided attention excludes subword sampling, and `ema` excludes `average_last`.
"""

CLOCKED = ("tokens_per_second", "hours")


def overrides(runs: Path, *more: str) -> list[str]:
    """The command line of a small run."""
    return [*SMALL, f"runs={runs}", *more]


def settings(runs: Path, *more: str) -> Settings:
    """The settings that the command passes to `train`."""
    return parse(Settings, plain(compose("train", overrides(runs, *more))))


def last_checkpoint(folder: Path) -> dict[str, Any]:
    """The contents of the last checkpoint, without measured times and lengths of event files."""
    content: dict[str, Any] = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    for name in ("training", "validation"):
        del content["callbacks"]["Clock"][name]
    del content["board"]["event_files"]
    return content


def report(folder: Path) -> dict[str, Any]:
    """The contents of report.json, without measured times."""
    content: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return {name: value for name, value in content.items() if name not in ("seconds", "tokens_per_second")}


def events(folder: Path) -> dict[str, list[Any]]:
    """Steps and values of every tag, from TensorBoard's reader; for measured times only the steps."""
    everything = {"scalars": 0, "images": 0, "tensors": 0}
    reader = EventAccumulator(str(folder / "tensorboard"), size_guidance=everything)
    reader.Reload()
    tags = reader.Tags()
    values: dict[str, list[Any]] = {
        tag: [event.step if tag.endswith(CLOCKED) else (event.step, event.value) for event in reader.Scalars(tag)]
        for tag in tags["scalars"]
    }
    values |= {
        tag: [(event.step, event.encoded_image_string) for event in reader.Images(tag)] for tag in tags["images"]
    }
    for tag in tags["tensors"]:
        values[tag] = [(event.step, event.tensor_proto.string_val[0].decode()) for event in reader.Tensors(tag)]
    return values


READ: dict[str, Callable[[Path], Any]] = {"checkpoint": last_checkpoint, "report": report, "curves": events}
"""All results of a run, except measured times and the model folder, whose content is also in the checkpoint."""


def differences(one: Path, other: Path) -> list[str]:
    """The differences between two run folders."""
    return [name for name, read in READ.items() if not same(read(one), read(other))]


def same(one: Any, other: Any) -> bool:
    """Whether two nested dicts, lists and tensors agree in every bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
