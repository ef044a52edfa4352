"""Several models that translate as one."""

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
    """What each member has: its state, or what it attends to."""

    def select(self, index: Int[Tensor, " chosen"]) -> "Members[Part]":
        """The rows at `index`, in that order, of every member."""
        return Members(part.select(index) for part in self)


class Ensemble(nn.Module):
    """Models of the same two vocabularies, each with the same say in every word.

    Their probabilities are averaged, not their log-probabilities: the mean of distributions is one, so that scores and
    perplexities mean what they mean for a single model, and no member can forbid a word alone. The attention weights
    are the mean of theirs.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(models)

    def encode(
        self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]
    ) -> tuple[Members[State], Members[AttentionMemory]]:
        """Every member's first state, and what each will attend to."""
        states, memories = zip(*(member.encode(src, src_len) for member in self._each()), strict=True)
        return Members(states), Members(memories)

    def step(
        self, token: Int[Tensor, " batch"], state: Members[State], memory: Members[AttentionMemory]
    ) -> tuple[Float[Tensor, "batch vocab"], Members[State], Float[Tensor, "batch src"]]:
        """Log-probabilities of the next word, the states after `token`, and the mean weights."""
        members = zip(self._each(), state, memory, strict=True)
        steps = [member.step(token, its_state, its_memory) for member, its_state, its_memory in members]
        logits, states, weights = zip(*steps, strict=True)
        return mean_probability(logits), Members(states), torch.stack(weights).mean(0)

    def forward(
        self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"], tgt_in: Int[Tensor, "batch tgt"]
    ) -> tuple[Float[Tensor, "batch tgt vocab"], Float[Tensor, "batch tgt src"]]:
        """Log-probabilities and mean weights for the word after each word of `tgt_in`, which starts with BOS."""
        logits, weights = zip(*(member(src, src_len, tgt_in) for member in self._each()), strict=True)
        return mean_probability(logits), torch.stack(weights).mean(0)

    def _each(self) -> list[Any]:
        """The members; modules that are models (`heed.search.model.Model`) and can be called like a `Seq2Seq`."""
        return list(self.members)


def mean_probability(logits: Sequence[Float[Tensor, "*shape vocab"]]) -> Float[Tensor, "*shape vocab"]:
    """Log of the mean of the probabilities that the logits stand for."""
    each = torch.stack([torch.log_softmax(one.float(), dim=-1) for one in logits])
    return each.logsumexp(0) - math.log(len(logits))


def ensemble(models: Sequence[AnyModel]) -> AnyModel | Ensemble:
    """The models as one; a single one is itself."""
    return models[0] if len(models) == 1 else Ensemble(models)
