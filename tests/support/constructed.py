"""Models with weights set by hand, so that the dependencies of each word are known."""

import math
from typing import Any

import torch

from heed.architecture import Architecture, build
from heed.bundle import Bundle
from heed.models.seq2seq import Seq2Seq
from heed.text.subwords import BOS, EOS, Subwords
from heed.translator import Translator
from tests.support.models import small_model

SOURCE, TARGET = "four three two one", "one two three four"

STATE = math.tanh(3)
"""The value of an encoder state at the index of its word. All other values are 0."""

SCALE, SCALE_OF_END = 4.0, 6.0
"""Factors of the output layer, for words and for `</s>`. If all attention weights are equal, `</s>` is written."""


def reversing(back: bool = False) -> Translator:
    """A translator of SOURCE to TARGET, or `back`. It copies the one word to which it attends.

    Encoder states are one-hot vectors of their own word. The decoder's state is the last word, which determines the
    position. The output of attention reaches only the output layer.
    """
    words = Subwords.train([SOURCE, TARGET] * 4, kind="word", vocab_size=20)
    written = words.encode_lines([SOURCE if back else TARGET])[0]
    size = len(words)
    sizes: dict[str, Any] = dict(emb_dim=size, enc_dim=size, hid_dim=size, readout_dim=size, attended_dim=1)
    choices: dict[str, Any] = dict(bidirectional=False, query="current", dropout=0.0)
    attention = {"score": "article", "positions": 6}
    architecture = Architecture(**sizes, **choices, attention=attention)
    model = build(architecture, size, size).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        _set_weights(model, written)
    languages = ("y", "x") if back else ("x", "y")
    about = dict(zip(("src_lang", "tgt_lang"), languages, strict=True))
    return Translator(Bundle(model, words, words, architecture, about))


def _set_weights(model: Seq2Seq, written: list[int]) -> None:
    size, encoder, decoder = model.decoder.output.out_features, model.encoder, model.decoder
    same = torch.eye(size)
    for embedding in (encoder.embedding, decoder.embedding):
        embedding.weight.copy_(same / math.sqrt(size))
    for name, recurrent in (("_l0", encoder.gru), ("", decoder.cells[0])):
        getattr(recurrent, f"bias_ih{name}")[
            size : 2 * size
        ] = -60.0  # the update gate lets nothing of the past through
        getattr(recurrent, f"weight_ih{name}")[2 * size :, :size] = 3 * same
    positions = decoder.attention.state_dict()["attn.weight"]
    for position, last in zip(reversed(range(len(written))), [BOS, *written], strict=False):
        positions[position, last] = 60 / STATE
    positions[len(written), written[-1]] = 60 / STATE
    decoder.readout.weight[:, size : 2 * size] = same
    decoder.output.weight.copy_(SCALE * same)
    decoder.output.weight[EOS] *= SCALE_OF_END / SCALE


def without_attention(kind: str, query: str) -> Seq2Seq:
    """A model that attends but does not use the result."""
    model = small_model(score=kind, query=query, sharp=2.0)
    hid = model.decoder.bridge.out_features
    with torch.no_grad():
        for parameter in model.decoder.attention.attn_combine.parameters():
            parameter.zero_()
        model.decoder.readout.weight[:, hid : hid + model.decoder.bridge.in_features] = 0
    return model
