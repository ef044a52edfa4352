"""Events of training for the caller: the methods of a `Reporter` are called with them, and do nothing by default.

    class Lines(Reporter):
        def validated(self, validated: Validated) -> None:
            print(validated.step, validated.scores)

Methods are called only in the process of rank 0, by the training loop, so slow methods slow down training.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from heed.data.summary import Summary
from heed.training.sums import Sums


@dataclass(frozen=True)
class Outline:
    """The model, the text and the machine, before training begins."""

    summary: Summary
    """Statistics of the splits, and warnings about them."""
    parameters: int
    src_vocab: int
    tgt_vocab: int
    steps: int
    steps_per_epoch: int
    validation_steps: int
    """The number of steps between validations."""
    metric: str
    """Name of the metric that chooses the best model."""
    device: str
    precision: Literal["float32", "bfloat16"]
    threads: int
    replaced: Path | None
    """The folder in which the files of a previous run of this name are kept until this run's first checkpoint."""


@dataclass(frozen=True)
class Begin:
    """Training begins, or continues after update `step` of `steps`."""

    step: int
    steps: int
    metric: str
    """Name of the metric that chooses the best model."""
    scores: tuple[str, ...]
    """Names of the metrics that a validation computes, in the order of their registration."""


@dataclass(frozen=True)
class Resumed:
    """A run is resumed after update `step`."""

    step: int


@dataclass(frozen=True)
class Update:
    """Update `step` of `steps` is done. Reading `loss` or `tokens_per_second` waits for the device, so do it rarely."""

    step: int
    steps: int
    sums: Sums
    """Since the last validation."""
    seconds_left: float
    """Estimated at the speed since this start, if the run does not stop early."""
    speed: Callable[[], float]

    @property
    def loss(self) -> float:
        """Mean over the labels since the last validation, in nats."""
        return self.sums.means().loss

    @property
    def tokens_per_second(self) -> float:
        """Target tokens per second of training."""
        return self.speed()


@dataclass(frozen=True)
class Validating:
    """A validation begins after update `step`."""

    step: int


@dataclass(frozen=True)
class Validated:
    """A validation is done."""

    step: int
    epoch: float
    train_loss: float
    """Mean over the labels since the validation before, in nats."""
    scores: Mapping[str, float]
    """Scores by metric name; alignment error only if the corpus has gold alignments."""
    best: bool
    """Whether it is the best validation so far."""
    seconds: float
    """Duration of the run so far, over all starts."""


@dataclass(frozen=True)
class StoppedEarly:
    """Training ends after update `step`, because `metric` did not improve in `patience` validations."""

    step: int
    steps: int
    metric: str
    patience: int


@dataclass(frozen=True)
class Profiled:
    """The profile of some updates."""

    table: str
    """The table of the most expensive operations."""
    trace: Path
    """A file for chrome://tracing."""


class Reporter:
    """Base class: override the methods for the events that you want."""

    def outlined(self, outline: Outline) -> None:
        """Called when text, vocabularies and model are ready."""

    def begin(self, begin: Begin) -> None:
        """Called when training begins or resumes."""

    def resumed(self, resumed: Resumed) -> None:
        """Called before `begin` if an earlier start of the run is continued."""

    def update(self, update: Update) -> None:
        """Called after an update."""

    def validating(self, validating: Validating) -> None:
        """A validation begins."""

    def validated(self, validated: Validated) -> None:
        """A validation is done."""

    def stopped_early(self, stopped: StoppedEarly) -> None:
        """Called when early stopping ends training."""

    def profiled(self, profiled: Profiled) -> None:
        """Called when the profile of some updates is ready."""

    def close(self) -> None:
        """Called when training has ended, for whatever reason."""
