"""Attention in three steps: score and normalise, sum, combine.

Every kind of attention is the one module `Attn` with another score. In the equations, s is the decoder's state (the
query), h_j the encoder's state at source position j (the key), and e_j the energy that the score gives to position j.
"""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

LARGEST = 65536
"""The upper limit of sizes: far more than can be trained, but a typing error must not fill the memory."""


class AttentionMemory(NamedTuple):
    """The memory that a decoder attends to: computed once for a source sentence and passed as an argument.

    `keys` are the encoder's states after the score's `project`. `mask` is true at positions that may get a weight.
    `coverage` is the sum of the weights of each position so far: zero in a new memory, set by the decoder at every
    step.
    """

    keys: Float[Tensor, "batch keys key"]
    values: Float[Tensor, "batch src value"]
    mask: Bool[Tensor, "batch src"]
    coverage: Float[Tensor, "batch src"]

    def select(self, index: Int[Tensor, " chosen"]) -> "AttentionMemory":
        """The memories of the sentences at `index`, in this order; sentences may be repeated."""
        return AttentionMemory(*(part.index_select(0, index) for part in self))


class Attended(NamedTuple):
    """The result of attention for one query: W [s; context], the context Σ a_j v_j, and the weights a."""

    output: Float[Tensor, "batch output"]
    context: Float[Tensor, "batch value"]
    weights: Float[Tensor, "batch src"]


@runtime_checkable
class Score(Protocol):
    """The interface of a score, which rates how well a query and a source position match: an `nn.Module`.

    It is constructed with `(query_size, key_size, **settings)`; settings are its own. The `forward` of an `nn.Module`
    is `__call__` here. A score with several heads has their number in an attribute `heads`.
    """

    def project(self, keys: Float[Tensor, "batch src key"], mask: Bool[Tensor, "batch src"]) -> Float[Tensor, "..."]:
        """Compute `memory.keys`, batch first: the part that does not depend on the query, computed once per sentence.

        `mask` is true at real positions. Values at padding are ignored, because they are masked after scoring.
        """

    def __call__(
        self, query: Float[Tensor, "batch query"], memory: AttentionMemory
    ) -> Float[Tensor, "batch src"] | Float[Tensor, "batch src heads"]:
        """Energies of one query for every source position; a softmax over the positions turns them into weights."""


SCORES: dict[str, Callable[..., Score]] = {}
"""All scores by name."""

AnyScore = TypeVar("AnyScore", bound=Callable[..., Score])


def register_score(name: str) -> Callable[[AnyScore], AnyScore]:
    """Register a score by name, for use in an architecture: `@register_score("mine")` above its class.

    Raises:
        ValueError: another score has this name.
    """

    def register(score: AnyScore) -> AnyScore:
        if SCORES.setdefault(name, score) is not score:
            raise ValueError(f"the score '{name}' is already registered ({SCORES[name]}); choose another name")
        return score

    return register


@register_score("article")
class Article(nn.Linear):
    """e = W [s; h] + b, an energy for each *position*: the location-based score of the article that heed starts from.

    It does not use the word at a position, and has a fixed number of positions (Luong et al. 2015, arXiv 1508.04025,
    eq. 8, is similar, without h). If a sentence has a key for each word, h is their mean. The article is
    attention注意力机制【对应图的代码讲解】 by 365JHWZGo, December 2021, https://blog.csdn.net/qq_44833392/article/details/121941547.
    """

    def __init__(self, query_size: int, key_size: int, *, positions: int = 64) -> None:
        check_limits("positions", positions)
        super().__init__(query_size + key_size, positions)

    def project(
        self, keys: Float[Tensor, "batch keys key"], mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch 1 key"]:
        """One key for a sentence: the given one, or the mean over real positions."""
        if keys.size(1) == 1:
            return keys
        real = mask.unsqueeze(-1).to(keys.dtype)
        return (keys * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)

    def forward(  # type: ignore[override]
        self, query: Float[Tensor, "batch query"], memory: AttentionMemory
    ) -> Float[Tensor, "batch src"]:
        """Energies; positions beyond the number of the score get minus infinity, with a warning."""
        energies = super().forward(torch.cat((query, memory.keys[:, 0]), dim=1))
        src, positions = memory.mask.size(1), self.out_features
        if src <= positions:
            return energies[:, :src]
        warnings.warn(
            f"the source has {src} positions and attention only {positions}: "
            f"positions {positions + 1} to {src} cannot be attended to; train with a larger model.attention.positions",
            stacklevel=2,
        )
        return nn.functional.pad(energies, (0, src - positions), value=-math.inf)


@register_score("additive")
class Additive(nn.Module):
    """e_j = vᵀ tanh(W s + b + U h_j)  (Bahdanau et al. 2015, arXiv 1409.0473, appendix A.1.2)."""

    def __init__(self, query_size: int, key_size: int, *, att_dim: int = 512) -> None:
        super().__init__()
        check_limits("att_dim", att_dim)
        self.query = nn.Linear(query_size, att_dim)  # W and b
        self.key = nn.Linear(key_size, att_dim, bias=False)  # U
        self.energy = nn.Linear(att_dim, 1, bias=False)  # vᵀ

    def project(
        self, keys: Float[Tensor, "batch src key"], mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch src att"]:
        """U h_j for every position: the larger product, computed once because it is equal for all queries."""
        return self.key(keys)

    def forward(self, query: Float[Tensor, "batch query"], memory: AttentionMemory) -> Float[Tensor, "batch src"]:
        """Energies of one query for every source position."""
        x = self.query(query).unsqueeze(1) + memory.keys
        if x.is_cpu:
            energies = 2 * self.energy(half_tanh_(x)).squeeze(-1).to(self.energy.weight.dtype)
            return energies - self.energy.weight.sum()
        return self.energy(torch.tanh(x)).squeeze(-1)


def half_tanh_(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Replace x in place by (1 + tanh x) / 2, which is sigmoid(2 x).

    The tanh of additive attention is by far the largest tensor of a step, and on a CPU torch's tanh takes five times as
    long as its sigmoid. vᵀ tanh x equals 2 vᵀ half_tanh(x) - Σ v.
    """
    return x.mul_(2).sigmoid_()


@register_score("coverage")
class Coverage(Additive):
    """e_j = vᵀ tanh(W s + b + U h_j + w C_j); C_j is the sum of j's weights so far (Tu et al. 2016, arXiv 1601.04811).

    The score knows what has been translated, which helps against words that are translated twice or never. This is
    their linguistic coverage, in which every source word has the fertility 1.
    """

    def __init__(self, query_size: int, key_size: int, *, att_dim: int = 512) -> None:
        super().__init__(query_size, key_size, att_dim=att_dim)
        self.coverage = nn.Linear(1, att_dim, bias=False)  # w

    def forward(self, query: Float[Tensor, "batch query"], memory: AttentionMemory) -> Float[Tensor, "batch src"]:
        """Energies of one query for every source position."""
        return super().forward(query, memory._replace(keys=memory.keys + self.coverage(memory.coverage.unsqueeze(2))))


@register_score("multi_head")
class MultiHead(Additive):
    """e_jk = v_kᵀ tanh(W_k s + b_k + U_k h_j): parallel additive scores, so that heads attend to several positions.

    Heads as in Vaswani et al. 2017 (arXiv 1706.03762, section 3.2.2), scored as in Bahdanau et al. 2015. Each head has
    its own part of the tanh layer, and sums its own part of every value.
    """

    def __init__(self, query_size: int, key_size: int, *, att_dim: int = 512, heads: int = 4) -> None:
        super().__init__(query_size, key_size, att_dim=att_dim)
        check_limits("heads", heads)
        if att_dim % heads:
            raise ValueError(f"{heads} heads cannot share att_dim={att_dim} evenly")
        self.heads = heads

    def forward(  # an energy for each head
        self, query: Float[Tensor, "batch query"], memory: AttentionMemory
    ) -> Float[Tensor, "batch src heads"]:
        """Energies of one query for every source position, in every head."""
        x = self.query(query).unsqueeze(1) + memory.keys
        # vᵀ tanh x without - Σ v (see half_tanh_), which is equal for all positions and does not affect the softmax
        return (half_tanh_(x) * (2 * self.energy.weight[0])).unflatten(2, (self.heads, -1)).sum(3)


@register_score("dot")
class Dot(nn.Module):
    """e_j = sᵀ h_j  (Luong et al. 2015, arXiv 1508.04025, section 3.1)."""

    def __init__(self, query_size: int, key_size: int) -> None:
        super().__init__()
        if query_size != key_size:
            raise ValueError(
                f"a dot product needs query and key of one size, got query {query_size} and key {key_size}: "
                "make them equal, or use the score 'general', which has a matrix between them"
            )

    def project(
        self, keys: Float[Tensor, "batch src key"], mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch src key"]:
        """The keys, unchanged."""
        return keys

    def forward(self, query: Float[Tensor, "batch query"], memory: AttentionMemory) -> Float[Tensor, "batch src"]:
        """Energies of one query for every source position."""
        return torch.bmm(memory.keys, query.unsqueeze(2)).squeeze(2)


@register_score("scaled_dot")
class ScaledDot(Dot):
    """e_j = sᵀ h_j / √d, d the size of s and h_j  (Vaswani et al. 2017, arXiv 1706.03762, eq. 1)."""

    def forward(self, query: Float[Tensor, "batch query"], memory: AttentionMemory) -> Float[Tensor, "batch src"]:
        """Energies of one query for every source position."""
        return super().forward(query / math.sqrt(query.size(1)), memory)


@register_score("general")
class General(Dot):
    """e_j = sᵀ W h_j  (Luong et al. 2015, arXiv 1508.04025, section 3.1)."""

    def __init__(self, query_size: int, key_size: int) -> None:
        super().__init__(query_size, query_size)
        self.key = nn.Linear(key_size, query_size, bias=False)

    def project(
        self, keys: Float[Tensor, "batch src key"], mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch src query"]:
        """W h_j for every position, computed once for all queries."""
        return self.key(keys)


class Attn(nn.Module):
    """The article's module: weights from a query and keys, a weighted sum of the values, and W [query; sum].

    The article is attention注意力机制【对应图的代码讲解】 by 365JHWZGo (https://blog.csdn.net/qq_44833392/article/details/121941547).
    Constructor, parameter names and numbers are the article's. Batches, padding and other scores were added.

    Args:
        query_size, key_size, value_size2, output_size: the sizes of a query, a key, a value and the output.
        value_size1: the number of positions of the article's score; None if another `score` is given.
        score: another score, built for the same query and key sizes.
    """

    def __init__(
        self,
        query_size: int,
        key_size: int,
        value_size1: int | None,
        value_size2: int,
        output_size: int,
        score: Score | None = None,
    ) -> None:
        super().__init__()
        if (value_size1 is None) == (score is None):
            raise ValueError("give value_size1, the number of positions of the article's score, or another score")
        self.query_size, self.key_size, self.value_size = query_size, key_size, value_size2
        self.attn: Score = score or Article(query_size, key_size, positions=value_size1 or 0)
        heads = getattr(self.attn, "heads", 1)
        if value_size2 % heads:
            raise ValueError(f"{heads} heads cannot share values of size {value_size2} evenly")
        self.attn_combine = nn.Linear(query_size + value_size2, output_size)

    def memory(
        self,
        keys: Float[Tensor, "batch keys key"],
        values: Float[Tensor, "batch src value"],
        mask: Bool[Tensor, "batch src"],
    ) -> AttentionMemory:
        """Compute the part that does not depend on the query, once per sentence. `mask` is true at real positions."""
        check_equal("key", keys.size(2), self.key_size)
        check_equal("value", values.size(2), self.value_size)
        if keys.size(1) != values.size(1) and not (isinstance(self.attn, Article) and keys.size(1) == 1):
            raise ValueError(
                f"{values.size(1)} values need the same number of keys, got {keys.size(1)}: "
                "only the score 'article' takes one key for all of them"
            )
        return AttentionMemory(self.attn.project(keys, mask), values, mask, values.new_zeros(values.shape[:2]))

    def attend(self, query: Float[Tensor, "batch query"], memory: AttentionMemory) -> Attended:
        """The three steps for one query. With several heads, the returned weights are their mean."""
        return self.combine(query, memory, self.weigh(query, memory))

    def weigh(
        self, query: Float[Tensor, "batch query"], memory: AttentionMemory
    ) -> Float[Tensor, "batch src"] | Float[Tensor, "batch src heads"]:
        """The first step: the weights of one query, of each head if the score has several."""
        return normalise(self.attn(query, memory).to(query.dtype), memory.mask)

    def combine(
        self,
        query: Float[Tensor, "batch query"],
        memory: AttentionMemory,
        weights: Float[Tensor, "batch src"] | Float[Tensor, "batch src heads"],
    ) -> Attended:
        """The second and the third step, for the weights of `weigh` or for others."""
        context = weighted_sum(weights, memory.values)
        output = self.attn_combine(torch.cat((query, context), dim=1))
        return Attended(output, context, weights if weights.dim() == 2 else weights.mean(2))

    def forward(
        self,
        q: Float[Tensor, "batch 1 query"],
        k: Float[Tensor, "batch keys key"],
        v: Float[Tensor, "batch src value"],
        mask: Bool[Tensor, "batch src"] | None = None,
    ) -> tuple[Float[Tensor, "batch 1 output"], Float[Tensor, "batch src"]]:
        """Output and weights, with the article's interface; without a mask all positions are real."""
        if mask is None:
            mask = torch.ones(v.shape[:2], dtype=torch.bool, device=v.device)
        check_equal("query", q.size(2), self.query_size)
        attended = self.attend(q[:, 0], self.memory(k, v, mask))
        return attended.output.unsqueeze(1), attended.weights


def normalise(
    energies: Float[Tensor, "batch src *heads"], mask: Bool[Tensor, "batch src"]
) -> Float[Tensor, "batch src *heads"]:
    """Softmax over the real positions; padding gets exactly zero."""
    padding = ~mask if energies.dim() == 2 else ~mask.unsqueeze(2)
    return torch.softmax(energies.masked_fill(padding, -math.inf), dim=1)


def weighted_sum(
    weights: Float[Tensor, "batch src *heads"], values: Float[Tensor, "batch src value"]
) -> Float[Tensor, "batch value"]:
    """Σ_j a_j v_j. With several heads, each sums its own part of the values."""
    if weights.dim() == 2:
        return torch.bmm(weights.unsqueeze(1), values).squeeze(1)
    return torch.einsum("bsh,bshv->bhv", weights, values.unflatten(2, (weights.size(2), -1))).flatten(1)


def check_limits(name: str, size: int, largest: int = LARGEST) -> None:
    """Raise ValueError for a size that is not between 1 and `largest`."""
    if size < 1:
        raise ValueError(f"{name} must be at least 1, got {size}")
    if size > largest:
        raise ValueError(f"{name} must be at most {largest}, got {size}")


def check_equal(name: str, given: int, expected: int) -> None:
    """Raise ValueError, with both sizes, for a tensor of another size than attention was built for."""
    if given != expected:
        raise ValueError(f"a {name} of size {given} for attention with {name}s of size {expected}: make them equal")
