"""Schedules of the learning rate and of teacher forcing.

Each function returns a function of the number of updates so far. Values depend only on the step, so a resumed run needs
no state for them.
"""

import math
from collections.abc import Callable

from heed.errors import UserError

Schedule = Callable[[int], float]
Number = int | float  # YAML reads 1 as an integer


def warmup_constant(warmup_steps: int = 0) -> Schedule:
    """Factor of the peak learning rate: linear up to 1 over the warm-up, then 1."""
    _at_least("warmup_steps", warmup_steps, 0)
    return lambda step: _rise(step, warmup_steps)


def warmup_inverse_sqrt(warmup_steps: int) -> Schedule:
    """Factor of the peak learning rate: linear up to 1, then falling with 1/√step (Vaswani et al. 2017, equation 3).

    Scaled to reach exactly 1 at the end of the warm-up, so that `lr` in the config is the largest rate of the run.
    """
    _at_least("warmup_steps", warmup_steps, 1)
    return lambda step: min(_rise(step, warmup_steps), math.sqrt(warmup_steps / (step + 1)))


def warmup_cosine(warmup_steps: int, steps: int | None, final: Number = 0.0) -> Schedule:
    """Factor of the peak learning rate: linear up to 1, then half a cosine down to `final` at update `steps`.

    Loshchilov & Hutter 2017, equation 5, without restarts. If `steps` is None, the caller replaces it by the length of
    the run. A run that is shorter than its warm-up only rises.

    Args:
        warmup_steps: the number of updates of the warm-up.
        steps: the update at which `final` is reached.
        final: the factor at the end, from 0 to 1.

    Raises:
        UserError: an argument is out of range, or `steps` is None.
    """
    if steps is None:
        raise UserError("schedule.steps is null, and there is no run to take its length; give a number of updates")
    _at_least("warmup_steps", warmup_steps, 0)
    _at_least("steps", steps, 1)
    if not 0 <= final <= 1:
        raise UserError(f"final is {final}; expected a share of optim.lr, from 0 to 1")
    fall_steps = max(steps - warmup_steps, 1)

    def factor(step: int) -> float:
        done = min(max(step - warmup_steps, 0) / fall_steps, 1.0)
        fall = final + (1 - final) * (1 + math.cos(math.pi * done)) / 2
        return fall if step >= warmup_steps else _rise(step, warmup_steps)

    return factor


def constant(ratio: Number = 1.0) -> Schedule:
    """A constant teacher-forcing ratio; 1 always feeds the reference, 0 always the model's own word."""
    _share("ratio", ratio)
    return lambda step: float(ratio)


def linear(start: Number, end: Number, steps: int) -> Schedule:
    """Teacher-forcing ratio that changes linearly from `start` to `end` at update `steps` (Bengio et al. 2015, 2.4)."""
    _share("start", start)
    _share("end", end)
    _at_least("steps", steps, 1)
    return lambda step: start + (end - start) * min(step / steps, 1.0)


def inverse_sigmoid(k: Number) -> Schedule:
    """Teacher-forcing ratio k / (k + exp(step / k)) (Bengio et al. 2015, 2.4); it is 1/2 at step k·ln k."""
    _at_least("k", k, 1)
    # Written with exp(-x): exp(step / k) overflows after about 710 k updates.
    return lambda step: k * math.exp(-step / k) / (k * math.exp(-step / k) + 1)


def _rise(step: int, warmup_steps: int) -> float:
    return min((step + 1) / warmup_steps, 1.0) if warmup_steps else 1.0


def _at_least(name: str, value: Number, lowest: Number) -> None:
    if value < lowest:
        raise UserError(f"{name} is {value}; expected at least {lowest}")


def _share(name: str, value: Number) -> None:
    if not 0 <= value <= 1:
        raise UserError(f"teacher-forcing {name} is {value}; expected 0 (own words) to 1 (reference words)")
