"""A model as ONNX against the model itself, on batches and lengths that no example had."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto
from torch import Tensor

import heed
from heed import bundle
from heed.errors import UserError
from heed.export.onnx import export_onnx
from heed.export.onnx_encode import encode_graph
from heed.export.onnx_graph import model_of
from heed.export.onnx_step import step_graph
from heed.models.seq2seq import Seq2Seq
from heed.onnx_model import ENCODE, STEP, OnnxModel, OnnxPrecision
from heed.search.beam import beam
from heed.search.greedy import greedy
from tests.support import model_folder
from tests.support.models import BOS, EOS, KINDS, sentences, small_model, targets

OPTIONS: list[dict[str, Any]] = [
    *(dict(score=kind, query=query) for kind in KINDS for query in ("previous", "current")),
    dict(layer_norm=True),
    dict(layer_norm=True, enc_layers=3, dec_layers=2, score="coverage", query="current"),
    dict(layer_norm=True, bidirectional=False, enc_layers=2),
    dict(enc_layers=3, dec_layers=3, score="multi_head"),
    dict(bidirectional=False),
    dict(tie="decoder", query="current"),
    dict(tie="all", tgt_vocab=20),
    dict(score="multi_head", heads=4, att_dim=8, query="current", dec_layers=2),
    dict(score="article", positions=3),
]
"""Every kind of attention with either query, and every option of encoder and decoder; the last knows few positions."""


def exported(folder: Path, model: Seq2Seq, precision: OnnxPrecision = "float32") -> OnnxModel:
    """The two graphs of a model, read back from files."""
    for name, graph in ((ENCODE, encode_graph(model, precision)), (STEP, step_graph(model, precision))):
        (folder / name).write_bytes(model_of(graph, "0").SerializeToString())
    return OnnxModel(folder)


def named(options: dict[str, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in options.items())


def difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


@pytest.mark.filterwarnings("ignore:source of")
@pytest.mark.parametrize("options", OPTIONS, ids=named)
def test_logits_and_attention_are_the_models(tmp_path: Path, options: dict[str, Any]) -> None:
    """Catches gates in another order, a loop as long as an example, padding that is read, and an option left out."""
    model = small_model(sharp=2.0, **options)
    other = exported(tmp_path, model)
    vocab = options.get("tgt_vocab", 12)

    for lengths, width in (([4, 1, 7], None), ([2], None), ([9, 3, 8, 1, 5], 11), ([6, 6], 6)):
        src, src_len = sentences(lengths, width)
        tgt = targets(len(lengths), 6, vocab=vocab)
        with torch.inference_mode():
            for one, another in zip(model(src, src_len, tgt), other(src, src_len, tgt), strict=True):
                assert difference(one, another) < 1e-4


@pytest.mark.filterwarnings("ignore:source of")
@pytest.mark.parametrize("options", OPTIONS, ids=named)
def test_what_a_search_starts_from_is_the_models(tmp_path: Path, options: dict[str, Any]) -> None:
    """Catches a state or a memory that only happens to give the right words, such as coverage that begins too late."""
    model = small_model(sharp=2.0, **options)
    other = exported(tmp_path, model)
    src, src_len = sentences([5, 2, 8], 10)

    with torch.inference_mode():
        (state, memory), (another, its_memory) = model.encode(src, src_len), other.encode(src, src_len)
    assert all(difference(one, two) < 1e-4 for one, two in zip(state, another, strict=True))
    assert torch.equal(memory.mask, its_memory.mask)
    assert difference(memory.values, its_memory.values) < 1e-4
    assert difference(memory.keys * memory.mask.unsqueeze(2), its_memory.keys * memory.mask.unsqueeze(2)) < 1e-4
