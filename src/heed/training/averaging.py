"""Averages of the weights, which generalise better than the last weights.

An average is a separate model beside the one that is trained. The two are never swapped, so a checkpoint can never
contain one in place of the other.
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from heed.models.seq2seq import Seq2Seq


def moving_average(model: Seq2Seq, decay: float) -> AveragedModel:
    """An exponential moving average (Polyak and Juditsky 1992), to be updated with the weights.

    The decay rises to its value as (1 + t) / (10 + t) after t updates; otherwise the first, random weights would stay
    in the average for long.
    """

    def fold_in(averaged: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        done = int(updates)
        rising = min(decay, (1 + done) / (10 + done))
        get_ema_multi_avg_fn(rising)(list(averaged), list(current), updates)

    return AveragedModel(model, multi_avg_fn=fold_in).requires_grad_(False)


class MeanOfLast(nn.Module):
    """The mean of the weights at its last `count` updates, such as the last validations.

    Vaswani et al. 2017 (arXiv 1706.03762, section 6.1) average their last checkpoints in this way.
    """

    def __init__(self, model: Seq2Seq, count: int) -> None:
        super().__init__()
        self.mean = AveragedModel(model)
        # Modules, because buffers would be sent from rank to rank at every step; parameters are not.
        self.snapshots = nn.ModuleList(deepcopy(model) for _ in range(count))
        self.seen: Tensor
        self.register_buffer("seen", torch.tensor(0))
        self.requires_grad_(False)

    @property
    def module(self) -> nn.Module:
        """The model with the mean weights."""
        return self.mean.module

    def update_parameters(self, model: Seq2Seq) -> None:
        """Replace the oldest weights by these and compute the mean again, so that rounding errors do not accumulate."""
        self.snapshots[int(self.seen) % len(self.snapshots)].load_state_dict(model.state_dict())
        self.seen += 1
        self.mean.n_averaged.zero_()
        for weights in self.snapshots[: int(self.seen)]:
            self.mean.update_parameters(weights)


Average = AveragedModel | MeanOfLast
