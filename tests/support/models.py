"""A small model and a few sentences of different lengths."""

from typing import Any

import torch
from torch import Tensor

from heed.architecture import Architecture, build, score_settings
from heed.models.seq2seq import Seq2Seq

KINDS = ("article", "additive", "coverage", "multi_head", "general", "dot", "scaled_dot")
PAD, BOS, EOS = 0, 2, 3
SIZES: dict[str, Any] = dict(
    src_vocab=20, tgt_vocab=12, emb_dim=6, enc_dim=8, hid_dim=8, readout_dim=6, attended_dim=5, att_dim=7, positions=9
)
HEADS = dict(att_dim=8, heads=2)
"""Sizes that heads can share evenly."""


def build_seq2seq(
    src_vocab: int, tgt_vocab: int, pad_id: int = PAD, score: str = "additive", **settings: Any
) -> Seq2Seq:
    """A model from flat settings, which include those of attention; settings that its score lacks are ignored."""
    own = {name: settings.pop(name) for name in ("att_dim", "heads", "positions") if name in settings}
    attention = {name: value for name, value in own.items() if name in score_settings(score)}
    return build(Architecture(**settings, attention={"score": score} | attention), src_vocab, tgt_vocab, pad_id)


def small_model(seed: int = 7, sharp: float = 1.0, **changes: Any) -> Seq2Seq:
    """An untrained model in evaluation mode. With `sharp`, larger weights make its predictions more certain."""
    torch.manual_seed(seed)
    model = build_seq2seq(**(SIZES | (HEADS if changes.get("score") == "multi_head" else {}) | changes)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.mul_(1 if "embedding" in name else sharp)
    return model


def sentences(lengths: list[int], width: int | None = None, seed: int = 3, vocab: int = 20) -> tuple[Tensor, Tensor]:
    """Random sources that end in EOS, padded to `width`, and their lengths."""
    generator = torch.Generator().manual_seed(seed)
    src = torch.full((len(lengths), width or max(lengths)), PAD)
    for row, length in zip(src, lengths, strict=True):
        row[: length - 1] = torch.randint(4, vocab, (length - 1,), generator=generator)
        row[length - 1] = EOS
    return src, torch.tensor(lengths)


def targets(rows: int, length: int, seed: int = 5, vocab: int = 12) -> Tensor:
    """Random decoder inputs that begin with BOS."""
    words = torch.randint(4, vocab, (rows, length), generator=torch.Generator().manual_seed(seed))
    words[:, 0] = BOS
    return words


def rounded(tensor: Tensor) -> bool:
    """Whether all values have at most the 8 bits of bfloat16."""
    return tensor.equal(tensor.bfloat16().to(tensor.dtype))
