"""Attention in three steps: score and normalise, sum, combine.

Every kind of attention here is the one module `Attn`; only its score differs. In the equations s is the decoder's state
(the query), h_j the encoder's state at source position j (the key), and e_j the energy that the score gives to j.
"""

import math
import warnings
from typing import NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from heed.models.product import Linear


class Memory(NamedTuple):
    """What a decoder attends to: computed once for a source sentence, carried along, never kept on a module.

    `covered`, the weights that each position has had so far, is zero here; a decoder puts in its own at every step.
    """

    keys: Float[Tensor, "batch keys key"]
    values: Float[Tensor, "batch src value"]
    mask: Bool[Tensor, "batch src"]
    covered: Float[Tensor, "batch src"]

    def select(self, index: Int[Tensor, " chosen"]) -> "Memory":
        """The memories of the sentences at `index`, in that order; a sentence may be chosen more than once."""
        return Memory(*(part.index_select(0, index) for part in self))


class Attended(NamedTuple):
    """What one query gets from a memory."""

    output: Float[Tensor, "batch output"]
    context: Float[Tensor, "batch value"]
    weights: Float[Tensor, "batch src"]


class Article(nn.Linear):
    """e = W [s; h] + b, an energy for each *position*: the location-based score of the article that heed starts from.

    It never looks at the word that stands at a position, and knows a fixed number of positions (Luong et al. 2015,
    arXiv 1508.04025, eq. 8, of which this is a relative with the encoder's state as a second input). Where a sentence
    has a state for each word, h is their mean.
    """

    def __init__(self, query_size: int, key_size: int, positions: int) -> None:
        super().__init__(query_size + key_size, positions)

    def project(
        self, keys: Float[Tensor, "batch keys key"], mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch 1 key"]:
        """One key for a sentence: the one that is given, or the mean over real words."""
        if keys.size(1) == 1:
            return keys
        real = mask.unsqueeze(-1).to(keys.dtype)
        return (keys * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)

    def forward(  # type: ignore[override]
        self, query: Float[Tensor, "batch query"], memory: Memory
    ) -> Float[Tensor, "batch src"]:
        """Energies; positions past the last known one get minus infinity, and a warning says which."""
        energies = super().forward(torch.cat((query, memory.keys[:, 0]), dim=1))
        src, positions = memory.mask.size(1), self.out_features
        if src <= positions:
            return energies[:, :src]
        warnings.warn(
            f"source of {src} positions, attention with {positions}: "
            f"positions {positions + 1} to {src} cannot be attended; train with a larger model.positions",
            stacklevel=2,
        )
        return nn.functional.pad(energies, (0, src - positions), value=-math.inf)


class Additive(nn.Module):
    """e_j = vᵀ tanh(W s + b + U h_j)  (Bahdanau et al. 2015, arXiv 1409.0473, appendix A.1.2)."""

    def __init__(self, query_size: int, key_size: int, att_dim: int) -> None:
        super().__init__()
        self.query = Linear(query_size, att_dim)
        self.key = nn.Linear(key_size, att_dim, bias=False)
        self.energy = nn.Linear(att_dim, 1, bias=False)

    def project(
        self, keys: Float[Tensor, "batch src key"], mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch src att"]:
        """U h_j for every position: the larger product, the same for every query, so done once."""
        return self.key(keys)

    def forward(self, query: Float[Tensor, "batch query"], memory: Memory) -> Float[Tensor, "batch src"]:
        """Energies of one query for every source position."""
        # tanh x = 2 sigmoid(2 x) - 1, and in place: this is by far the largest tensor of a step, and on a CPU torch's
        # tanh takes five times as long as its sigmoid
        squashed = (self.query(query).unsqueeze(1) + memory.keys).mul_(2).sigmoid_()
        return 2 * self.energy(squashed).squeeze(-1).to(self.energy.weight.dtype) - self.energy.weight.sum()


class Coverage(Additive):
    """e_j = vᵀ tanh(W s + b + U h_j + w C_j), C_j the weights that j has had so far (Tu et al. 2016, arXiv 1601.04811).

    What was translated is seen to be translated: against words said twice or never. Their linguistic coverage, with
    every source word worth one target word.
    """

    def __init__(self, query_size: int, key_size: int, att_dim: int) -> None:
        super().__init__(query_size, key_size, att_dim)
        self.coverage = nn.Linear(1, att_dim, bias=False)

    def forward(self, query: Float[Tensor, "batch query"], memory: Memory) -> Float[Tensor, "batch src"]:
        """Energies of one query for every source position."""
        return super().forward(query, memory._replace(keys=memory.keys + self.coverage(memory.covered.unsqueeze(2))))


class Dot(nn.Module):
    """e_j = sᵀ h_j  (Luong et al. 2015, arXiv 1508.04025, section 3.1)."""

    def __init__(self, query_size: int, key_size: int, _: int) -> None:
        super().__init__()
        if query_size != key_size:
            raise ValueError(
                f"a dot product needs query and key of one size, got query {query_size} and key {key_size}: "
                "make them equal, or use the score 'general', which learns a matrix between them"
            )

    def project(
        self, keys: Float[Tensor, "batch src key"], mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch src key"]:
        """The keys as they are."""
        return keys

    def forward(self, query: Float[Tensor, "batch query"], memory: Memory) -> Float[Tensor, "batch src"]:
        """Energies of one query for every source position."""
        return torch.bmm(memory.keys, query.unsqueeze(2)).squeeze(2)


class ScaledDot(Dot):
    """e_j = sᵀ h_j / √d, d the size of s and h_j  (Vaswani et al. 2017, arXiv 1706.03762, eq. 1)."""

    def forward(self, query: Float[Tensor, "batch query"], memory: Memory) -> Float[Tensor, "batch src"]:
        """Energies of one query for every source position."""
        return super().forward(query / math.sqrt(query.size(1)), memory)


class General(Dot):
    """e_j = sᵀ W h_j  (Luong et al. 2015, arXiv 1508.04025, section 3.1)."""

    def __init__(self, query_size: int, key_size: int, _: int) -> None:
        super().__init__(query_size, query_size, _)
        self.key = nn.Linear(key_size, query_size, bias=False)

    def project(
        self, keys: Float[Tensor, "batch src key"], mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch src query"]:
        """W h_j for every position, done once for all queries."""
        return self.key(keys)


Score = Article | Additive | Dot
SCORES: dict[str, type[Score]] = {
    "article": Article,
    "additive": Additive,
    "coverage": Coverage,
    "general": General,
    "dot": Dot,
    "scaled_dot": ScaledDot,
}


class Attn(nn.Module):
    """The article's module: weights from a query and keys, a weighted sum of the values, and W [query; sum].

    Constructor, parameter names and numbers are the article's; batches, padding and other scores are added.
    `value_size1` is the width of the score: the number of positions for `article`, of the tanh layer for `additive`,
    without meaning for the others. `value_size2` is the size of a value.
    """

    def __init__(
        self,
        query_size: int,
        key_size: int,
        value_size1: int,
        value_size2: int,
        output_size: int,
        score: str = "article",
    ) -> None:
        super().__init__()
        if score not in SCORES:
            raise ValueError(f"score must be one of {', '.join(SCORES)}, got '{score}'")
        self.query_size, self.key_size, self.value_size = query_size, key_size, value_size2
        self.attn: Score = SCORES[score](query_size, key_size, value_size1)
        self.attn_combine = Linear(query_size + value_size2, output_size)

    def memory(
        self,
        keys: Float[Tensor, "batch keys key"],
        values: Float[Tensor, "batch src value"],
        mask: Bool[Tensor, "batch src"],
    ) -> Memory:
        """What does not depend on the query, computed once for a sentence. `mask` is true at real words."""
        check_size("key", keys.size(2), self.key_size)
        check_size("value", values.size(2), self.value_size)
        if keys.size(1) != values.size(1) and not (isinstance(self.attn, Article) and keys.size(1) == 1):
            raise ValueError(
                f"{values.size(1)} values need as many keys, got {keys.size(1)}: "
                "only the score 'article' takes one key for all of them"
            )
        return Memory(self.attn.project(keys, mask), values, mask, values.new_zeros(values.shape[:2]))

    def attend(self, query: Float[Tensor, "batch query"], memory: Memory) -> Attended:
        """The three steps for one query."""
        weights = normalise(self.attn(query, memory).to(query.dtype), memory.mask)
        context = torch.bmm(weights.unsqueeze(1), memory.values).squeeze(1)
        output = self.attn_combine(torch.cat((query, context), dim=1))
        return Attended(output, context, weights)

    def forward(
        self,
        q: Float[Tensor, "batch 1 query"],
        k: Float[Tensor, "batch keys key"],
        v: Float[Tensor, "batch src value"],
        mask: Bool[Tensor, "batch src"] | None = None,
    ) -> tuple[Float[Tensor, "batch 1 output"], Float[Tensor, "batch src"]]:
        """Output and weights, as the article calls it; without a mask every position is real."""
        if mask is None:
            mask = torch.ones(v.shape[:2], dtype=torch.bool, device=v.device)
        check_size("query", q.size(2), self.query_size)
        attended = self.attend(q[:, 0], self.memory(k, v, mask))
        return attended.output.unsqueeze(1), attended.weights


class MultiHeadAttn(Attn):
    """Additive attentions side by side, each over its own share of score and values, so that they can look apart.

    Heads as in Vaswani et al. 2017 (arXiv 1706.03762, section 3.2.2), scored as in Bahdanau et al. 2015. The weights
    that it reports are the mean over heads.
    """

    def __init__(
        self, query_size: int, key_size: int, value_size1: int, value_size2: int, output_size: int, heads: int
    ) -> None:
        super().__init__(query_size, key_size, value_size1, value_size2, output_size, score="additive")
        if heads < 1 or value_size1 % heads or value_size2 % heads:
            raise ValueError(f"{heads} heads cannot share a score of {value_size1} and values of {value_size2} evenly")
        self.heads = heads

    def attend(self, query: Float[Tensor, "batch query"], memory: Memory) -> Attended:
        """The three steps for one query, in every head at once."""
        score = cast(Additive, self.attn)
        # tanh x = 2 sigmoid(2 x) - 1, without the 1: all positions have it in common, and softmax does not see it
        squashed = (score.query(query).unsqueeze(1) + memory.keys).mul_(2).sigmoid_()
        energies = (squashed * (2 * score.energy.weight[0])).unflatten(2, (self.heads, -1)).sum(3)
        weights = torch.softmax(energies.masked_fill(~memory.mask.unsqueeze(2), -math.inf), dim=1)
        context = torch.einsum("bsh,bshv->bhv", weights, memory.values.unflatten(2, (self.heads, -1))).flatten(1)
        output = self.attn_combine(torch.cat((query, context), dim=1))
        return Attended(output, context, weights.mean(2))


def check_size(name: str, given: int, expected: int) -> None:
    """ValueError, with both sizes, where a tensor is not what its attention was built for."""
    if given != expected:
        raise ValueError(f"a {name} of size {given} for attention with {name}s of size {expected}: make them equal")


def normalise(energies: Float[Tensor, "batch src"], mask: Bool[Tensor, "batch src"]) -> Float[Tensor, "batch src"]:
    """Softmax over the real positions; padding gets exactly zero."""
    return torch.softmax(energies.masked_fill(~mask, -math.inf), dim=1)
