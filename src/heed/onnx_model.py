"""An ONNX model, run by onnxruntime, with the interface that searches and forced passes use."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heed.errors import UserError, needs
from heed.models.attention import AttentionMemory
from heed.models.decoder import State

FORMAT = "onnx 1"
"""The format number in config.json; it changes whenever files, names or shapes change."""

ENCODE, STEP = "encode.onnx", "step.onnx"

FILES = ("config.json", ENCODE, STEP, "source.model", "target.model", "about.json")
"""The files of the folder."""

OnnxPrecision = Literal["float32", "int8"]

STATE, MEMORY = ("hidden", "coverage", "attended"), ("keys", "values", "mask")
"""Inputs of `step` beside `token`; outputs of `encode`."""

NAMES = {
    ENCODE: (["src", "src_len"], [*STATE, *MEMORY]),
    STEP: (["token", *STATE, *MEMORY], ["logits", *(f"next_{name}" for name in STATE), "weights"]),
}
"""The inputs and outputs of both graphs, in order."""


class OnnxModel(nn.Module):
    """The two graphs of a folder, with the methods of `heed.models.seq2seq.Seq2Seq`; runs on the CPU.

    It is a torch module without parameters, so that an `Ensemble` can have it as a member.

    Args:
        folder: a folder written by `heed.export.onnx.export_onnx`.
        tgt_vocab: the size of the target vocabulary.

    Raises:
        UserError: a graph is damaged, or its inputs and outputs fit neither the other graph nor the vocabulary.
        MissingExtra: the package onnxruntime is not installed.
    """

    def __init__(self, folder: Path, tgt_vocab: int) -> None:
        super().__init__()
        self._encode, self._step = (_session(folder / name) for name in (ENCODE, STEP))
        given, read = map(_sizes, (self._encode.get_outputs(), self._step.get_inputs()[1:]))
        if given != read or self._step.get_outputs()[0].shape[1] != tgt_vocab:
            raise UserError(f"{folder}: the two graphs belong to different models; copy the folder again")

    def encode(self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]) -> tuple[State, AttentionMemory]:
        """Encode sources: return the decoder's first state, and the memory that it attends to."""
        hidden, coverage, attended, keys, values, mask = _run(self._encode, NAMES[ENCODE][0], [src, src_len])
        return State(hidden, coverage, attended), AttentionMemory(keys, values, mask, torch.zeros_like(coverage))

    def step(
        self, token: Int[Tensor, " batch"], state: State, memory: AttentionMemory
    ) -> tuple[Float[Tensor, "batch vocab"], State, Float[Tensor, "batch src"]]:
        """Logits of the next subword, the state after `token`, and the attention weights of the next subword."""
        logits, *new, weights = _run(self._step, NAMES[STEP][0], [token, *state, *memory[:3]])
        return logits, State(*new), weights

    def forward(
        self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"], tgt_in: Int[Tensor, "batch tgt"]
    ) -> tuple[Float[Tensor, "batch tgt vocab"], Float[Tensor, "batch tgt src"]]:
        """Logits and attention weights for the subword after each subword of `tgt_in`, which starts with BOS."""
        state, memory = self.encode(src, src_len)
        logits, weights = [], []
        for token in tgt_in.unbind(1):
            scores, state, attended = self.step(token, state, memory)
            logits.append(scores)
            weights.append(attended)
        return torch.stack(logits, dim=1), torch.stack(weights, dim=1)


def _sizes(values: Sequence[Any]) -> list[tuple[str, list[int]]]:
    """The types of inputs or outputs, and their fixed sizes."""
    return [(value.type, [size for size in value.shape[1:] if isinstance(size, int)]) for value in values]


def _run(session: Any, names: Sequence[str], inputs: Sequence[Tensor]) -> list[Tensor]:
    """Run a graph and return all its outputs, without copying."""
    feeds = {name: tensor.contiguous().numpy() for name, tensor in zip(names, inputs, strict=True)}
    return [torch.from_numpy(output) for output in session.run(None, feeds)]


def _session(path: Path) -> Any:
    """A graph ready to run, with torch's number of threads. It is given as bytes, so it cannot refer to other files."""
    with needs("onnx"):
        import onnxruntime  # noqa: PLC0415 - optional
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common class below RuntimeError
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} is damaged ({reason}); copy the folder again, or export the model again") from error
    names = [part.name for part in session.get_inputs()], [part.name for part in session.get_outputs()]
    if names != NAMES[path.name]:
        raise UserError(f"{path} has inputs and outputs {names}, expected {NAMES[path.name]}; export the model again")
    return session
