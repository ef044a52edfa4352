"""How a caller sees a training: `Reporter` is called with what happens, and by itself does nothing.

    class Lines(Reporter):
        def validated(self, validated: Validated) -> None:
            print(validated.step, validated.scores)

Methods are called in the process of rank 0 alone, from the training loop: what they take, training takes longer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from heed.data.summary import Summary
from heed.training.sums import Sums


@dataclass(frozen=True)
class Outline:
    """What is about to be trained, on what and where."""

    summary: Summary
    """Counts of the splits, and what should worry a person about them."""
    parameters: int
    src_vocab: int
    tgt_vocab: int
    steps: int
    steps_per_epoch: int
    validation_steps: int
    """Steps from one validation to the next."""
    metric: str
    """Name of the metric that chooses the best model."""
    device: str
    precision: Literal["float32", "bfloat16"]
    threads: int
    replaced: Path | None
    """Where the files of a run of the same name are kept until the first checkpoint of this one."""


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
    """An earlier start had got to update `step`, from which this one continues."""

    step: int


@dataclass(frozen=True)
class Update:
    """Update `step` of `steps` is done. `loss` and `tokens_per_second` wait for the device: read them now and then."""

    step: int
    steps: int
    sums: Sums
    """Since the last validation."""
    seconds_left: float
    """At the pace of this start, if the run is not stopped early."""
    speed: Callable[[], float]

    @property
    def loss(self) -> float:
        """Mean over the labels since the last validation, in nats."""
        return self.sums.means().loss

    @property
    def tokens_per_second(self) -> float:
        """Target tokens read in a second of training."""
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
    """By the names of the metrics; alignment error only if the corpus has gold alignments."""
    best: bool
    """Whether it is the best validation so far."""
    seconds: float
    """Of the run up to here, all starts together."""


@dataclass(frozen=True)
class StoppedEarly:
    """Training ends after update `step`: `patience` validations in a row were not better by `metric`."""

    step: int
    steps: int
    metric: str
    patience: int


@dataclass(frozen=True)
class Profiled:
    """Where the time of an update goes."""

    table: str
    """The costliest operations."""
    trace: Path
    """A file for chrome://tracing."""


class Reporter:
    """Override the methods for what you want to see."""

    def outlined(self, outline: Outline) -> None:
        """Text, vocabularies and model are ready."""

    def begin(self, begin: Begin) -> None:
        """Training begins or continues."""

    def resumed(self, resumed: Resumed) -> None:
        """Called before `begin` if an earlier start of the run is continued."""

    def update(self, update: Update) -> None:
        """An update is done."""

    def validating(self, validating: Validating) -> None:
        """A validation begins."""

    def validated(self, validated: Validated) -> None:
        """A validation is done."""

    def stopped_early(self, stopped: StoppedEarly) -> None:
        """No better model for long enough; training ends."""

    def profiled(self, profiled: Profiled) -> None:
        """The profile of some updates is ready."""

    def close(self) -> None:
        """Training has ended, whatever ended it."""
