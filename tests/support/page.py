"""Models and texts for tests of the page, and functions that run its engine under node."""

import json
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from heed.architecture import Architecture, build
from heed.bundle import Bundle
from heed.export.packed import Arrays, Precision, join_block, pack_model, subword_header
from heed.export.page import engine_settings
from heed.text.subwords import EOS, Subwords

SCRIPTS = Path(__file__).parents[1] / "export" / "web"

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
"""Texts that have a meaning of their own to one of the steps."""


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


def segment(subwords: Subwords, lines: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """For each line the ids of its words and the decoded text, from the page's engine."""
    arrays = Arrays()
    block = join_block({"source": subword_header(subwords, arrays)}, arrays)
    answers: list[dict[str, Any]] = _run("segment.mjs", block, list(lines), folder)
    return answers


def translate(
    bundle: Bundle, requests: Sequence[dict[str, Any]], folder: Path, precision: Precision = "float32"
) -> list[dict[str, Any]]:
    """The results of the page's engine for requests {line, settings, begin}."""
    block = pack_model(bundle.model, engine_settings(bundle.architecture), bundle.src, bundle.tgt, precision)
    answers: list[dict[str, Any]] = _run("translate.mjs", block, list(requests), folder)
    return answers


def _run(script: str, block: bytes, requests: object, folder: Path) -> Any:
    (folder / "block").write_bytes(block)
    (folder / "requests.json").write_text(json.dumps(requests), encoding="utf-8")
    command: list[str | Path] = ["node", SCRIPTS / script, folder / "block", folder / "requests.json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
