"""A training run as a function: settings in, a run folder out.

`train` resumes what an earlier call left, refuses what does not belong together, and reports what happens to whoever
asks. It reads no config and prints nothing.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from pydantic import Field

from heed import bundle
from heed.architecture import Architecture, build
from heed.data.corpus import Corpus, Pairs
from heed.errors import UserError
from heed.models.seq2seq import Seq2Seq
from heed.settings import bind, dotted
from heed.text.subwords import Kind, Subwords

if TYPE_CHECKING:
    from heed.translator import Translator


@dataclass(frozen=True)
class Cleaning:
    """Which pairs of the training split are left out (`heed.data.cleaning.clean`)."""

    max_len: Annotated[int, Field(ge=1)] = 100
    max_ratio: Annotated[float, Field(ge=1)] = 3.0
    max_characters: Annotated[int, Field(ge=1)] = 1000


@dataclass(frozen=True)
class SubwordSettings:
    """How the vocabularies are trained (`heed.text.subwords.train_pair`)."""

    kind: Kind = "unigram"
    vocab_size: int = 1000
    joint: bool = False
    byte_fallback: bool = False
    character_coverage: float = 1.0


@dataclass(frozen=True)
class Batches:
    """How much of the corpus an update reads: one of the two."""

    sentences: Annotated[int, Field(ge=1)] | None = 32
    tokens: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True)
class Length:
    """When a run ends, and how often it is validated."""

    max_epochs: Annotated[int | float, Field(gt=0)] | None = 10
    max_steps: Annotated[int, Field(ge=1)] | None = None
    validate_epochs: Annotated[int | float, Field(gt=0)] = 1
    validate_steps: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after so many validations whose score is not better than the best by more than `min_delta`."""

    patience: Annotated[int, Field(ge=1)] = 5
    min_delta: Annotated[float, Field(ge=0)] = 0.0


@dataclass(frozen=True)
class Profiling:
    """Which updates are profiled: `steps` of them after the first `wait_steps`."""

    wait_steps: Annotated[int, Field(ge=0)] = 9
    steps: Annotated[int, Field(ge=1)] = 10


@dataclass(frozen=True)
class Settings:
    """All settings of a run; configs/train.yaml gives each its default and says what it is."""

    corpus: Mapping[str, Any]
    run: str
    model: Architecture
    optim: Mapping[str, Any]
    schedule: Mapping[str, Any]
    teacher_forcing: Mapping[str, Any]
    subwords: SubwordSettings
    cleaning: Cleaning
    batches: Batches
    trainer: Length
    early_stop: EarlyStopping | None
    profile: Profiling | None
    runs: str
    overwrite: bool
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    progress_bar: bool
    heatmaps: Annotated[int, Field(ge=0)]
    device: str
    distributed: bool
    precision: Literal["auto", "float32", "bfloat16"]
    matmul_precision: Literal["highest", "high", "medium"]
    checkpoint_steps: Annotated[int, Field(ge=1)]
    curve_steps: Annotated[int, Field(ge=1)]
    metric: str
    subword_sampling: Annotated[float, Field(gt=0, le=1)] | None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    guided_attention: Annotated[float, Field(ge=0)]
    r_drop: Annotated[float, Field(ge=0)]
    word_dropout: Annotated[float, Field(ge=0, lt=1)]
    ema: Annotated[float, Field(gt=0, lt=1)] | None
    average_last: Annotated[int, Field(ge=2)] | None
    clip_norm: Annotated[float, Field(gt=0)] | None


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and what its report.json says."""

    folder: Path
    report: Mapping[str, Any]

    @cached_property
    def translator(self) -> "Translator":
        """The model that the run leaves, ready to translate."""
        from heed.translator import load  # noqa: PLC0415

        return load(self.folder / "model")
