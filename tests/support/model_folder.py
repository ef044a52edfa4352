"""A small, untrained model folder, whose translations are meaningless but always the same."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from heed import bundle
from heed.architecture import Architecture, build
from heed.text.subwords import Subwords

SOURCES = ["a dog barks", "the cat sees a dog", "", "two birds sing in the old tree", "the small house is red", "a cat"]
TARGETS = [
    "un chien aboie",
    "le chat voit un chien",
    "",
    "deux oiseaux chantent",
    "la petite maison est rouge",
    "un chat",
]


def write(
    folder: Path,
    about: Mapping[str, object] | None = None,
    sources: Sequence[str] = SOURCES,
    targets: Sequence[str] = TARGETS,
    seed: int = 3,
) -> Path:
    """Write the folder; its vocabularies are trained on the sentences above, or on the given ones."""
    src = Subwords.train(sources, kind="bpe", vocab_size=40)
    tgt = Subwords.train(targets, kind="bpe", vocab_size=40)
    sizes: dict[str, Any] = dict(emb_dim=8, enc_dim=12, hid_dim=12, readout_dim=8, attended_dim=8)
    architecture = Architecture(**sizes, attention={"score": "additive", "att_dim": 8})
    torch.manual_seed(seed)
    model = build(architecture, len(src), len(tgt))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)  # far from uniform, so that translations differ
    bundle.save(folder, model, architecture, src, tgt, about or {"src_lang": "en", "tgt_lang": "fr"})
    return folder


def write_lines(path: Path, lines: list[str]) -> Path:
    """A text file, one sentence a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
