"""Ensembles: several models that translate together."""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heed.models.attention import AttentionMemory
from heed.models.decoder import State

Part = TypeVar("Part", State, AttentionMemory)
AnyModel = TypeVar("AnyModel", bound=nn.Module)


class Members(tuple[Part, ...]):
    """The states, or the memories, of all members."""

    def select(self, index: Int[Tensor, " chosen"]) -> "Members[Part]":
        """The rows at `index`, in this order, of every member."""
        return Members(part.select(index) for part in self)


class Ensemble(nn.Module):
    """Models with the same two vocabularies, each with the same weight.

    Probabilities are averaged, not log-probabilities. The mean of distributions is a distribution, so scores and
    perplexities have the same meaning as for a single model, and no single member can rule out a word. Attention
    weights are averaged too.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(models)

    def encode(
        self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]
    ) -> tuple[Members[State], Members[AttentionMemory]]:
        """Encode sources with every member: the first states and the memories."""
        states, memories = zip(*(member.encode(src, src_len) for member in self._each()), strict=True)
        return Members(states), Members(memories)

    def step(
        self, token: Int[Tensor, " batch"], state: Members[State], memory: Members[AttentionMemory]
    ) -> tuple[Float[Tensor, "batch vocab"], Members[State], Float[Tensor, "batch src"]]:
        """Log-probabilities of the next subword, the states after `token`, and the mean attention weights."""
        members = zip(self._each(), state, memory, strict=True)
        steps = [member.step(token, its_state, its_memory) for member, its_state, its_memory in members]
        logits, states, weights = zip(*steps, strict=True)
        return mean_probability(logits), Members(states), torch.stack(weights).mean(0)

    def forward(
        self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"], tgt_in: Int[Tensor, "batch tgt"]
    ) -> tuple[Float[Tensor, "batch tgt vocab"], Float[Tensor, "batch tgt src"]]:
        """Log-probabilities and mean weights for the subword after each one of `tgt_in`, which starts with BOS."""
        logits, weights = zip(*(member(src, src_len, tgt_in) for member in self._each()), strict=True)
        return mean_probability(logits), torch.stack(weights).mean(0)

    def _each(self) -> list[Any]:
        """The members: modules that satisfy `heed.search.model.Model` and can be called like a `Seq2Seq`."""
        return list(self.members)


def mean_probability(logits: Sequence[Float[Tensor, "*shape vocab"]]) -> Float[Tensor, "*shape vocab"]:
    """The log of the mean of the models' probabilities."""
    log_probabilities = torch.stack([torch.log_softmax(one.float(), dim=-1) for one in logits])
    return log_probabilities.logsumexp(0) - math.log(len(logits))


def ensemble(models: Sequence[AnyModel]) -> AnyModel | Ensemble:
    """An ensemble of the models; a single model is returned unchanged."""
    return models[0] if len(models) == 1 else Ensemble(models)
