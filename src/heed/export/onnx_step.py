"""The graph `step`, which computes `heed.models.decoder.Decoder.step`."""

from typing import Any, NamedTuple, cast

from heed.export.onnx_attention import Attended, Memory, attend
from heed.export.onnx_encode import embedded, memory_values, state_values, update
from heed.export.onnx_graph import FLOAT, INT64, Graph, Precision, value
from heed.models.cell import Cell
from heed.models.decoder import Decoder
from heed.models.seq2seq import Seq2Seq


class State(NamedTuple):
    """Names of the values of a decoder's state; shapes as in `heed.models.decoder.State`."""

    hidden: str
    coverage: str
    attended: str


def step_graph(model: Seq2Seq, precision: Precision) -> Any:
    """The graph; docs/deploy.md lists its inputs and outputs."""
    graph, decoder = Graph("step", precision), model.decoder
    word = embedded(graph, "decoder", decoder.embedding, "token")
    memory = Memory("keys", "values", "mask", "coverage")
    state, attended = _advance(graph, decoder, word, State("hidden", "coverage", "attended"), memory)
    top = graph.part(state.hidden, len(decoder.cells) - 1, axis=1)
    deep = graph.add("Concat", top, attended.context, word, axis=1)
    readout = graph.linear(deep, "decoder.readout", decoder.readout.weight, decoder.readout.bias)
    logits = graph.linear(readout, "decoder.output", decoder.output.weight, decoder.output.bias)
    inputs = [value("token", INT64, "batch"), *state_values(model), *memory_values(model)]
    named = [
        value("logits", FLOAT, "batch", decoder.output.out_features),
        *state_values(model, "next_"),
        value("weights", FLOAT, "batch", "src"),
    ]
    outputs = [logits, *state, attended.weights]
    return graph.finished(inputs, list(zip(outputs, named, strict=True)))


def _advance(graph: Graph, decoder: Decoder, word: str, state: State, memory: Memory) -> tuple[State, Attended]:
    """Attend and then read the last subword, or read it, attend and run the second cell, if there is one."""
    if decoder.query == "previous":
        state, attended = _attend(graph, decoder, state, memory)
        return _read(graph, decoder, word, state), attended
    state, attended = _attend(graph, decoder, _read(graph, decoder, word, state), memory)
    return _read_attended(graph, decoder, state), attended


def _attend(graph: Graph, decoder: Decoder, state: State, memory: Memory) -> tuple[State, Attended]:
    attended = attend(graph, decoder.attention, graph.part(state.hidden, 0, axis=1), memory)
    coverage = graph.add("Add", state.coverage, attended.weights)
    return State(state.hidden, coverage, attended.output), attended


def _read(graph: Graph, decoder: Decoder, word: str, state: State) -> State:
    """Run every layer of the GRU on the output of the layer below."""
    inputs, layers = word if decoder.second_cell else graph.add("Concat", word, state.attended, axis=1), []
    for number, cell in enumerate(decoder.cells):
        inputs = _cell(graph, f"decoder.cells.{number}", cast(Cell, cell), inputs, graph.part(state.hidden, number, 1))
        layers.append(graph.unsqueezed(inputs, 1))
    return state._replace(hidden=graph.add("Concat", *layers, axis=1))


def _read_attended(graph: Graph, decoder: Decoder, state: State) -> State:
    """Run the second cell of a conditional GRU, if there is one, on the output of attention."""
    if not decoder.second_cell:
        return state
    before = graph.part(state.hidden, 0, axis=1)
    after = _cell(graph, "decoder.second_cell", decoder.second_cell, state.attended, before)
    return state._replace(hidden=graph.unsqueezed(after, 1))


def _cell(graph: Graph, name: str, cell: Cell, inputs: str, state: str) -> str:
    x = graph.linear(inputs, f"{name}.input", cell.weight_ih, cell.bias_ih)
    s = graph.linear(state, f"{name}.hidden", cell.weight_hh, cell.bias_hh)
    if cell.norm_input is not None and cell.norm_hidden is not None:
        x = graph.normalised(x, f"{name}.norm_input", cell.norm_input.weight, cell.norm_input.bias)
        s = graph.normalised(s, f"{name}.norm_hidden", cell.norm_hidden.weight, cell.norm_hidden.bias)
    return update(graph, x, s, state)
