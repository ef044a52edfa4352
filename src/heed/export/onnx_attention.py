"""Attention as ONNX operators: the equations of `heed.models.attention`."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from heed.errors import UserError
from heed.export.onnx_graph import FLOAT, Graph
from heed.models.attention import Additive, Article, Attn, Coverage, Dot, General, MultiHead, ScaledDot


class Attended(NamedTuple):
    """Names of the values that attention returns for one query."""

    output: str
    context: str
    weights: str


class Memory(NamedTuple):
    """Names of the values of the memory; shapes as in `heed.models.attention.AttentionMemory`."""

    keys: str
    values: str
    mask: str
    coverage: str


NAME = "decoder.attention"


def project(graph: Graph, attention: Attn, states: str, mask: str) -> str:
    """Compute the keys, which do not depend on the query."""
    score = attention.attn
    if isinstance(score, Article):
        return _mean(graph, states, mask)
    key = getattr(score, "key", None)
    return states if key is None else graph.linear(states, f"{NAME}.attn.key", key.weight, None)


def _mean(graph: Graph, states: str, mask: str) -> str:
    """The mean over the unmasked positions, one key for each sentence."""
    real = graph.add("Cast", graph.unsqueezed(mask, -1), to=FLOAT)
    total, length = (
        graph.add("ReduceSum", part, graph.ints(1), keepdims=1) for part in (graph.add("Mul", states, real), real)
    )
    return graph.add("Div", total, length)


def attend(graph: Graph, attention: Attn, query: str, memory: Memory) -> Attended:
    """Score and normalise, sum, combine."""
    heads = getattr(attention.attn, "heads", 1)
    energies = _energies(graph, attention, query, memory)
    mask = graph.unsqueezed(memory.mask, -1)
    masked = graph.add("Where", mask, energies, graph.constant(-math.inf))
    weights = graph.add("Softmax", masked, axis=1)  # batch src heads
    context = _weighted_sum(graph, weights, memory.values, heads, attention.value_size)
    both = graph.add("Concat", query, context, axis=1)
    combine = attention.attn_combine
    output = graph.linear(both, f"{NAME}.attn_combine", combine.weight, combine.bias)
    mean = graph.squeezed(weights, 2) if heads == 1 else graph.add("ReduceMean", weights, axes=[2], keepdims=0)
    return Attended(output, context, mean)


def _weighted_sum(graph: Graph, weights: str, values: str, heads: int, size: int) -> str:
    turned = graph.add("Transpose", weights, perm=[0, 2, 1])  # batch heads src
    if heads == 1:
        return graph.squeezed(graph.add("MatMul", turned, values), 1)
    shares = graph.add("Transpose", graph.reshaped(values, 0, 0, heads, size // heads), perm=[0, 2, 1, 3])
    return graph.reshaped(graph.add("MatMul", graph.unsqueezed(turned, 2), shares), 0, size)


def _energies(graph: Graph, attention: Attn, query: str, memory: Memory) -> str:
    """Energies of every position in every head (one head, except for multi_head): batch, source, heads."""
    score: Any = attention.attn
    write = _ENERGIES.get(type(score))
    if write is None:
        known = ", ".join(kind.__name__ for kind in _ENERGIES)
        raise UserError(f"the score {type(score).__name__} cannot be written as ONNX; expected one of {known}")
    return write(graph, score, query, memory)


def _article(graph: Graph, score: Article, query: str, memory: Memory) -> str:
    """An energy for each known position, and minus infinity for later ones, cut to the source's length."""
    both = graph.add("Concat", query, graph.squeezed(memory.keys, 1), axis=1)
    known = graph.linear(both, f"{NAME}.attn", score.weight, score.bias)
    length = graph.size(memory.mask, 1)
    more = graph.add("Max", graph.add("Sub", length, graph.ints(score.out_features)), graph.ints(0))
    pads = graph.add("Concat", graph.ints(0, 0, 0), more, axis=0)
    padded = graph.add("Pad", known, pads, graph.constant(-math.inf))
    return graph.unsqueezed(graph.add("Slice", padded, graph.ints(0), length, graph.ints(1)), 2)


def _additive(graph: Graph, score: Additive, query: str, memory: Memory) -> str:
    asked = graph.linear(query, f"{NAME}.attn.query", score.query.weight, score.query.bias)
    layer = graph.add("Tanh", graph.add("Add", graph.unsqueezed(asked, 1), memory.keys))
    return graph.add("MatMul", layer, graph.constant(_by_head(score), name=f"{NAME}.attn.energy"))


def _by_head(score: Additive) -> Any:
    """The vector v as a matrix: each head's column has its share of v and zeros elsewhere."""
    heads = score.heads if isinstance(score, MultiHead) else 1
    vector = score.energy.weight.detach()[0].numpy()
    owner = np.arange(len(vector)) // (len(vector) // heads)
    return np.where(owner[:, None] == np.arange(heads), vector[:, None], 0)


def _coverage(graph: Graph, score: Coverage, query: str, memory: Memory) -> str:
    weight = graph.vector(f"{NAME}.attn.coverage.weight", score.coverage.weight[:, 0])
    so_far = graph.add("Mul", graph.unsqueezed(memory.coverage, 2), weight)
    return _additive(graph, score, query, memory._replace(keys=graph.add("Add", memory.keys, so_far)))


def _dot(graph: Graph, _score: Dot, query: str, memory: Memory) -> str:
    return graph.add("MatMul", memory.keys, graph.unsqueezed(query, 2))


def _scaled_dot(graph: Graph, score: ScaledDot, query: str, memory: Memory) -> str:
    size = graph.add("Cast", graph.size(query, 1), to=FLOAT)
    return _dot(graph, score, graph.add("Div", query, graph.add("Sqrt", size)), memory)


_ENERGIES: dict[type, Callable[[Graph, Any, str, Memory], str]] = {
    Article: _article,
    Additive: _additive,
    Coverage: _coverage,
    MultiHead: _additive,
    Dot: _dot,
    ScaledDot: _scaled_dot,
    General: _dot,
}
