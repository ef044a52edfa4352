"""Averages of the weights, which generalise better than the last weights do.

An average is a model of its own beside the one that is trained: nothing is ever exchanged, so no moment of a run, and
no checkpoint, has the one in the place of the other.
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from heed.models.seq2seq import Seq2Seq


def moving_average(model: Seq2Seq, decay: float) -> AveragedModel:
    """An exponential moving average (Polyak and Juditsky 1992), to be updated with the weights.

    The decay rises to its value as (1 + t) / (10 + t), t the updates so far, or the first weights, which are random,
    would have a part in the average for long.
    """

    def fold_in(averaged: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        done = int(updates)
        rising = min(decay, (1 + done) / (10 + done))
        get_ema_multi_avg_fn(rising)(list(averaged), list(current), updates)

    return AveragedModel(model, multi_avg_fn=fold_in).requires_grad_(False)


class MeanOfLast(nn.Module):
    """The mean of the weights as they were at the last `count` updates of it, such as the last validations.

    Vaswani et al. 2017 (arXiv 1706.03762, section 6.1) average their last checkpoints so.
    """

    def __init__(self, model: Seq2Seq, count: int) -> None:
        super().__init__()
        self.mean = AveragedModel(model)
        # Modules, since parameters are not sent from rank to rank at every step, as buffers are.
        self.snapshots = nn.ModuleList(deepcopy(model) for _ in range(count))
        self.seen: Tensor
        self.register_buffer("seen", torch.tensor(0))
        self.requires_grad_(False)

    @property
    def module(self) -> nn.Module:
        """A model with the mean weights."""
        return self.mean.module

    def update_parameters(self, model: Seq2Seq) -> None:
        """Keep these weights in the place of the oldest, and take the mean anew, so that no error adds up."""
        self.snapshots[int(self.seen) % len(self.snapshots)].load_state_dict(model.state_dict())
        self.seen += 1
        self.mean.n_averaged.zero_()
        for weights in self.snapshots[: int(self.seen)]:
            self.mean.update_parameters(weights)


Average = AveragedModel | MeanOfLast
