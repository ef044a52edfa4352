"""Every sentence with its attention as one page that needs no network and no server."""

import base64
import gzip
import hashlib
import html
import json
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from heed.errors import UserError

Links = frozenset[tuple[int, int]]
"""Pairs (source word, reference word), both counted from 0."""

STEPS = 255  # a weight is kept in one byte, so it is off by 1/510 at most: less than a screen can show
ROUNDING = 1e-3  # how far outside 0 to 1 a weight may lie: sums of softmax outputs in half precision do
LONGEST_FIGURE = 16  # characters; a longer summary value, such as a signature, is set small below


class Candidate(NamedTuple):
    """One translation from the search, its score as the search ranks it, and where each of its words looked."""

    words: Sequence[str]
    score: float
    weights: Float[Tensor, "tgt src"]


class Entry(NamedTuple):
    """One test sentence; the candidates stand best first and their scores describe the best.

    A score that cannot be had is NaN: the page shows a dash and sorts it last.
    """

    source: Sequence[str]
    reference: Sequence[str]
    candidates: Sequence[Candidate]
    bleu: float  # 0 to 100
    entropy: float  # nats, the mean over the produced words
    coverage: float  # 0 to 1, the share of source words that were attended to
    forced: Float[Tensor, "tgt src"] | None = None  # weights of the reference, where it was forced on the model
    gold: tuple[Links, Links] | None = None  # sure and possible links of the reference: heed.metrics.alignment.Gold


def gallery(entries: Sequence[Entry], title: str, summary: Mapping[str, str]) -> str:
    """Make the page, an HTML text with its style, its script and its data inside.

    The texts of the sentences stand in it as packed data alone, and the script shows them as text alone. The page's
    own content security policy lets nothing be loaded and nothing run but that script.
    """
    if not entries:
        raise ValueError("no sentence to show; expected at least one")
    style, script = _part("gallery.css"), _part("gallery_map.js") + _part("gallery.js")
    return Template(_part("gallery.html")).substitute(
        title=html.escape(title),
        policy="default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_fingerprint(style)}'; script-src '{_fingerprint(script)}'",
        style=style,
        script=script,
        figures=_definitions({name: value for name, value in summary.items() if len(value) <= LONGEST_FIGURE}),
        notes=_definitions({name: value for name, value in summary.items() if len(value) > LONGEST_FIGURE}),
        count=f"{len(entries):,}",
        entries=_pack([_plain(entry, number) for number, entry in enumerate(entries, start=1)]),
    )


def _part(name: str) -> str:
    return (files("heed.viz") / name).read_text(encoding="utf-8")


def _fingerprint(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _definitions(terms: Mapping[str, str]) -> str:
    return "\n".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>" for name, value in terms.items()
    )


def _pack(plain: object) -> str:
    """JSON, compressed: less than half the size, and base64 has no character that HTML could take for its own."""
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()


def _plain(entry: Entry, number: int) -> dict[str, object]:
    """One entry as the page's script reads it."""
    if not entry.candidates:
        raise ValueError(f"sentence {number} has no candidate; expected at least one, which may be empty")
    sure, possible = entry.gold or (frozenset(), frozenset())
    return {
        "source": list(entry.source),
        "reference": list(entry.reference),
        "candidates": [
            {"words": list(words), "score": _finite(score), "weights": _bytes(weights, words, entry.source, number)}
            for words, score, weights in entry.candidates
        ],
        "forced": None if entry.forced is None else _bytes(entry.forced, entry.reference, entry.source, number),
        "sure": _inside(sure, entry, number),
        "possible": _inside(possible - sure, entry, number),
        "bleu": _finite(entry.bleu),
        "entropy": _finite(entry.entropy),
        "coverage": _finite(entry.coverage),
    }


def _finite(score: float) -> float | None:
    return round(score, 4) if math.isfinite(score) else None


def _bytes(weights: Float[Tensor, "tgt src"], tgt_words: Sequence[str], src_words: Sequence[str], number: int) -> str:
    """Weights row by row, one byte each, in base64."""
    if weights.shape != (len(tgt_words), len(src_words)):
        raise ValueError(
            f"sentence {number}: weights of shape {tuple(weights.shape)} for {len(tgt_words)} target and "
            f"{len(src_words)} source words; expected one row a target word and one column a source word"
        )
    if not bool(((weights >= -ROUNDING) & (weights <= 1 + ROUNDING)).all()):  # false for NaN too
        low, high = float(weights.min()), float(weights.max())
        raise ValueError(f"sentence {number}: weights from {low:g} to {high:g}; expected shares from 0 to 1")
    levels = (weights.detach().cpu().float().clamp(0, 1) * STEPS).round().to(torch.uint8)
    return base64.b64encode(levels.numpy().tobytes()).decode()


def _inside(links: Links, entry: Entry, number: int) -> list[tuple[int, int]]:
    for src, tgt in sorted(links):
        if src >= len(entry.source) or tgt >= len(entry.reference):
            raise UserError(
                f"gold link {src}-{tgt} of sentence {number}, which has {len(entry.source)} source and "
                f"{len(entry.reference)} reference words counted from 0; align the text as it is split here"
            )
    return sorted(links)
