"""Models and texts for the tests of the page."""

import random
import shutil
from typing import Any

import pytest
import torch

from heed.architecture import Architecture, build
from heed.bundle import Bundle
from heed.text.subwords import EOS, Subwords

needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="node is not installed; on Debian: apt-get install nodejs"
)

BLOCKS = (
    (0x20, 0x7E), (0, 0x1F), (0x80, 0x2FF), (0x300, 0x36F), (0x370, 0x6FF), (0x900, 0xEFF), (0x1100, 0x11FF),
    (0x1E00, 0x2BFF), (0x3000, 0x33FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFFFF), (0x1D400, 0x1D7FF),
    (0x1F100, 0x1F9FF), (0x20000, 0x2FFFF), (0xE0000, 0xE01EF), (0x10000, 0x10FFFF),
)  # fmt: skip
"""Ranges of Unicode that normalisation treats in different ways."""

ODD = ("", " ", "  ", "▁", "\u3000", "\ufeff", "\u200b", "\x85", "\x1c", "ﷺ", "ﬁ", "é", "<s>", "<unk>", "<0x41>", "⁇")
"""Texts that one of the steps treats specially."""


def unicode_lines(count: int, seed: int) -> list[str]:
    """Lines of characters from all over Unicode, the same for the same seed; none is a surrogate."""
    choice = random.Random(seed)
    return ["".join(_part(choice) for _ in range(choice.randrange(1, 6))) for _ in range(count)]


def _part(choice: random.Random) -> str:
    first, last = choice.choice(BLOCKS)
    letters = "".join(chr(choice.randint(first, last)) for _ in range(choice.randrange(8)))
    return letters + choice.choice(ODD)


def sized_bundle(
    src: Subwords,
    tgt: Subwords,
    attention: dict[str, Any] | None = None,
    seed: int = 5,
    ending: float = 1.0,
    **settings: Any,
) -> Bundle:
    """A small model with weights so large that it writes a different translation for every sentence.

    The larger `ending`, the sooner it ends.
    """
    sizes: dict[str, Any] = dict(emb_dim=12, enc_dim=16, hid_dim=16, readout_dim=12, attended_dim=10)
    architecture = Architecture(**(sizes | settings), attention=attention or {"score": "additive", "att_dim": 14})
    torch.manual_seed(seed)
    model = build(architecture, len(src), len(tgt)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(torch.randn_like(parameter) * (0.05 if parameter.dim() == 1 else 0.0))
            parameter.mul_(1.0 if "embedding" in name or "norm" in name else 1.8)
        model.decoder.output.bias[EOS] += ending
    return Bundle(model, src, tgt, architecture, {"src_lang": "en", "tgt_lang": "fr", "run": "small"})
