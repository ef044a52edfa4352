"""The graph `encode`, which computes `heed.models.seq2seq.Seq2Seq.encode`."""

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from heed.export.onnx_attention import Memory, attend, project
from heed.export.onnx_graph import BOOL, FLOAT, INT32, INT64, Graph, Precision, value
from heed.models.attention import Article
from heed.models.decoder import Decoder
from heed.models.encoder import Encoder
from heed.models.seq2seq import Seq2Seq


def encode_graph(model: Seq2Seq, precision: Precision) -> Any:
    """The graph; docs/deploy.md lists its inputs and outputs."""
    graph = Graph("encode", precision)
    real = _mask(graph, "src_len")
    states, summary = _encoder(graph, model.encoder, real)
    mask = real if model.attend_end else _without_end(graph)
    attention = model.decoder.attention
    zeros = graph.zeros(graph.size("src", 0), graph.size("src", 1))
    memory = Memory(project(graph, attention, states, mask), states, mask, zeros)
    hidden, coverage, attended = _initial_state(graph, model.decoder, summary, memory)
    inputs = [value("src", INT64, "batch", "src"), value("src_len", INT64, "batch")]
    outputs = [hidden, coverage, attended, memory.keys, states, mask]
    return graph.finished(inputs, list(zip(outputs, encoded(model), strict=True)))


def encoded(model: Seq2Seq) -> list[Any]:
    """The outputs: the decoder's state and its memory."""
    return [*state_values(model), *memory_values(model)]


def state_values(model: Seq2Seq, prefix: str = "") -> list[Any]:
    """Names, types and shapes of a decoder's state."""
    cells = model.decoder.cells
    return [
        value(f"{prefix}hidden", FLOAT, "batch", len(cells), cast(nn.GRUCell, cells[0]).hidden_size),
        value(f"{prefix}coverage", FLOAT, "batch", "src"),
        value(f"{prefix}attended", FLOAT, "batch", model.decoder.attention.attn_combine.out_features),
    ]


def memory_values(model: Seq2Seq) -> list[Any]:
    """Names, types and shapes of the memory."""
    attention = model.decoder.attention
    key = attention.attn.key.out_features if hasattr(attention.attn, "key") else attention.key_size
    return [
        value("keys", FLOAT, "batch", 1 if isinstance(attention.attn, Article) else "src", key),
        value("values", FLOAT, "batch", "src", attention.value_size),
        value("mask", BOOL, "batch", "src"),
    ]


def _mask(graph: Graph, length: str) -> str:
    """True at the positions of each sentence, false at padding."""
    zero, one = graph.constant(0, "int64"), graph.constant(1, "int64")
    positions = graph.add("Range", zero, graph.squeezed(graph.size("src", 1), 0), one)
    return graph.add("Less", graph.unsqueezed(positions, 0), graph.unsqueezed(length, 1))


def _without_end(graph: Graph) -> str:
    """True at real positions except the last, EOS, unless it is the only one."""
    one = graph.constant(1, "int64")
    return _mask(graph, graph.add("Max", graph.add("Sub", "src_len", one), one))


def embedded(graph: Graph, name: str, embedding: nn.Embedding, ids: str) -> str:
    """Embeddings times √emb_dim, as in `heed.models.embedding`."""
    rows = graph.look_up(graph.matrix(f"{name}.embedding.weight", embedding.weight), ids)
    return graph.add("Mul", rows, graph.constant(math.sqrt(embedding.embedding_dim)))


def _encoder(graph: Graph, encoder: Encoder, mask: str) -> tuple[str, str]:
    """States of all positions, zero at padding, and the last states of all directions, concatenated."""
    states, summary = embedded(graph, "encoder", encoder.embedding, "src"), ""
    real = graph.unsqueezed(mask, 2)
    for layer in range(encoder.gru.num_layers):
        run = _normalised_layer if encoder.norm_input else _layer
        states, summary = run(graph, encoder, layer, states, real)
    return states, summary


def _layer(graph: Graph, encoder: Encoder, layer: int, inputs: str, real: str) -> tuple[str, str]:
    """A layer with ONNX's own GRU, which skips padding; with `linear_before_reset` its equations are those of torch."""
    gru, name = encoder.gru, f"encoder.gru.l{layer}"
    parts = {part: _stacked(gru, part, layer) for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    read, hidden = (graph.floats(graph.matrix(f"{name}.{part}", parts[part])) for part in ("weight_ih", "weight_hh"))
    bias = graph.vector(f"{name}.bias", torch.cat((parts["bias_ih"], parts["bias_hh"]), dim=1))
    words = graph.add("Transpose", inputs, perm=[1, 0, 2])
    length = graph.add("Cast", "src_len", to=INT32)
    states, last = graph.add_several(
        "GRU", 2, words, read, hidden, bias, length,
        hidden_size=gru.hidden_size, direction="bidirectional" if gru.bidirectional else "forward",
        linear_before_reset=1,
    )  # fmt: skip
    width = len(parts["weight_ih"]) * gru.hidden_size
    ordered = graph.reshaped(graph.add("Transpose", states, perm=[2, 0, 1, 3]), 0, 0, width)
    whole = graph.add("Mul", ordered, graph.add("Cast", real, to=FLOAT))
    return whole, graph.reshaped(graph.add("Transpose", last, perm=[1, 0, 2]), 0, width)


def _directions(gru: nn.GRU) -> tuple[str, ...]:
    return ("", "_reverse")[: 2 if gru.bidirectional else 1]


def _stacked(gru: nn.GRU, part: str, layer: int) -> Tensor:
    """A parameter of all directions, with the gates in ONNX's order: update, reset, candidate."""
    return torch.stack([_reordered(getattr(gru, f"{part}_l{layer}{end}")) for end in _directions(gru)])


def _reordered(gates: Tensor) -> Tensor:
    reset, update, candidate = gates.detach().chunk(3)
    return torch.cat((update, reset, candidate))


def _normalised_layer(graph: Graph, encoder: Encoder, layer: int, inputs: str, real: str) -> tuple[str, str]:
    """A layer with layer normalisation, which ONNX's GRU does not support, as a loop (Scan) in each direction."""
    pairs = [_scan(graph, encoder, layer, number, inputs, real) for number in range(len(_directions(encoder.gru)))]
    states, last = ([*part] for part in zip(*pairs, strict=True))
    joined = graph.add("Concat", *states, axis=2)
    return graph.add("Mul", joined, graph.add("Cast", real, to=FLOAT)), graph.add("Concat", *last, axis=1)


def _scan(graph: Graph, encoder: Encoder, layer: int, direction: int, inputs: str, real: str) -> tuple[str, str]:
    gru = encoder.gru
    end, number = _directions(gru)[direction], layer * len(_directions(gru)) + direction
    weight_ih, weight_hh, bias_ih, bias_hh = (
        getattr(gru, f"{part}_l{layer}{end}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    name = f"encoder.gru.l{layer}{end}"
    # may be stored as bytes, but is multiplied in float32, as in ONNX's GRU
    turned, hidden = (
        graph.add("Transpose", graph.floats(graph.matrix(f"{name}.{part}", weight)), perm=[1, 0])
        for part, weight in (("weight_ih", weight_ih), ("weight_hh", weight_hh))
    )
    product = graph.add("Add", graph.add("MatMul", inputs, turned), graph.vector(f"{name}.bias_ih", bias_ih))
    norm = cast(nn.LayerNorm, encoder.norm_input[number])
    x = graph.normalised(product, f"encoder.norm_input.{number}", norm.weight, norm.bias)
    start = graph.zeros(graph.size(inputs, 0), graph.ints(gru.hidden_size))
    body = _body(encoder, number, hidden, bias_hh)
    last, states = graph.add_several(
        "Scan", 2, start, x, real,
        body=body, num_scan_inputs=2, scan_input_axes=[1, 1], scan_input_directions=[direction, direction],
        scan_output_axes=[1], scan_output_directions=[direction],
    )  # fmt: skip
    return states, last


def _body(encoder: Encoder, number: int, hidden: str, bias_hh: Tensor) -> Any:
    """One step of the loop; at padding the state does not change."""
    size = encoder.gru.hidden_size
    graph = Graph(f"encoder.step.{number}")
    product = graph.add("MatMul", "state", hidden)
    norm = cast(nn.LayerNorm, encoder.norm_hidden[number])
    s = graph.add("Add", product, graph.vector(f"encoder.gru.bias_hh.{number}", bias_hh))
    s = graph.normalised(s, f"encoder.norm_hidden.{number}", norm.weight, norm.bias)
    new = graph.add("Where", "real", update(graph, "x", s, "state"), "state")
    inputs = [
        value("state", FLOAT, "batch", size),
        value("x", FLOAT, "batch", 3 * size),
        value("real", BOOL, "batch", 1),
    ]
    outputs = [value("new_state", FLOAT, "batch", size), value("kept_state", FLOAT, "batch", size)]
    return graph.finished(inputs, [(new, output) for output in outputs])


def update(graph: Graph, x: str, s: str, state: str) -> str:
    """The next state from the products of input and state, as `heed.models.cell.Cell.update` computes it."""
    x_reset, x_update, x_candidate = graph.add_several("Split", 3, x, axis=-1)
    s_reset, s_update, s_candidate = graph.add_several("Split", 3, s, axis=-1)
    reset = graph.add("Sigmoid", graph.add("Add", x_reset, s_reset))
    gate = graph.add("Sigmoid", graph.add("Add", x_update, s_update))
    candidate = graph.add("Tanh", graph.add("Add", x_candidate, graph.add("Mul", reset, s_candidate)))
    return graph.add("Add", candidate, graph.add("Mul", gate, graph.add("Sub", state, candidate)))


def _initial_state(graph: Graph, decoder: Decoder, summary: str, memory: Memory) -> tuple[str, str, str]:
    bridge, layers = decoder.bridge, len(decoder.cells)
    flat = graph.add("Tanh", graph.linear(summary, "decoder.bridge", bridge.weight, bridge.bias))
    hidden = graph.reshaped(flat, 0, layers, bridge.out_features // layers)
    if decoder.query == "current":
        first = attend(graph, decoder.attention, graph.part(hidden, 0, axis=1), memory)
        return hidden, first.weights, first.output
    size = graph.ints(decoder.attention.attn_combine.out_features)
    return hidden, memory.coverage, graph.zeros(graph.size("src", 0), size)
