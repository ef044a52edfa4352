"""Sentences with their attention, as data for the pages."""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor

from heed.errors import UserError

Links = frozenset[tuple[int, int]]
"""Pairs (source word, reference word), both counted from 0."""

Weights = Float[Tensor, "tgt columns"] | Float[np.ndarray, "tgt columns"]
"""Shares from 0 to 1: a row for each target word, a column for each source word, and optionally one for the source's
end. The page writes a large share of the end beside the word."""

STEPS = 255  # a weight is stored in one byte, with an error of at most 1/510, which is not visible on a screen
ROUNDING = 1e-3  # how far a weight may be outside 0 to 1, because of sums of softmax outputs in half precision


class Candidate(NamedTuple):
    """A translation from the search, its score, and the attention of its words."""

    words: Sequence[str]
    score: float
    weights: Weights
    text: str | None = None
    """The text, if it is not the words joined by spaces."""
    unknown: frozenset[int] = frozenset()
    """Positions of unknown words."""
    notes: Mapping[int, str] | None = None
    """Notes by word position, for words whose attention should not be trusted. They are drawn dimmed."""


class Entry(NamedTuple):
    """One test sentence; candidates are sorted best first, and the scores are those of the best.

    An undefined score is NaN: the page shows a dash and sorts it last.
    """

    source: Sequence[str]
    reference: Sequence[str]
    candidates: Sequence[Candidate]
    bleu: float  # 0 to 100
    entropy: float  # nats, mean over the target words
    coverage: float  # 0 to 1, share of the source words that were attended to
    forced: Weights | None = None  # weights of the reference, if there was a forced pass
    gold: tuple[Links, Links] | None = None  # sure and possible links of the reference: heed.metrics.alignment.Gold
    source_text: str | None = None
    """The source as typed, if it is not the words joined by spaces; likewise for the reference below."""
    reference_text: str | None = None
    unknown: frozenset[int] = frozenset()
    """Positions of source words that the model does not know."""


def plain_entry(entry: Entry, number: int) -> dict[str, object]:
    """One entry as data for the gallery's script: the type `Entry` of web/sentences.mjs.

    Raises:
        ValueError: No candidate, or weights that are not shares or do not fit the words.
        UserError: A gold link is outside its sentence.
    """
    if not entry.candidates:
        raise ValueError(f"sentence {number} has no candidate; expected at least one, which may be empty")
    sure, possible = entry.gold or (frozenset(), frozenset())
    return {
        **plain_source(entry.source, entry.source_text, entry.unknown),
        "reference": list(entry.reference),
        "referenceText": own_text(entry.reference_text, entry.reference),
        "candidates": [plain_candidate(candidate, entry.source, number) for candidate in entry.candidates],
        "forced": None if entry.forced is None else _bytes(entry.forced, entry.reference, entry.source, number),
        "sure": _inside(sure, entry, number),
        "possible": _inside(possible - sure, entry, number),
        "bleu": _finite(entry.bleu),
        "entropy": _finite(entry.entropy),
        "coverage": _finite(entry.coverage),
    }


def plain_source(words: Sequence[str], text: str | None, unknown: Iterable[int]) -> dict[str, object]:
    """The fields of an entry that describe the source."""
    return {"source": list(words), "sourceText": own_text(text, words), "sourceUnknown": sorted(unknown)}


def plain_candidate(
    candidate: Candidate, source: Sequence[str], number: int, aligned: Iterable[tuple[int, int]] = ()
) -> dict[str, object]:
    """A candidate as data for the script; `aligned` are pairs (source word, target word) to mark."""
    return {
        "words": list(candidate.words),
        "text": own_text(candidate.text, candidate.words),
        "score": _finite(candidate.score),
        "weights": _bytes(candidate.weights, candidate.words, source, number),
        "unknown": sorted(candidate.unknown),
        "notes": dict(candidate.notes or {}),
        "aligned": sorted(aligned),
    }


def own_text(text: str | None, words: Sequence[str]) -> str | None:
    """The text, or None if it is only the words joined by spaces, as in most languages."""
    return None if text == " ".join(words) else text


def as_array(weights: Weights) -> Float32[np.ndarray, "tgt columns"]:
    """Weights of any device and precision as a numpy array."""
    if isinstance(weights, Tensor):
        return weights.detach().cpu().float().numpy()
    return weights.astype(np.float32)


def check_shares(weights: Weights, tgt_len: int, src_len: int, sentence: str) -> Float32[np.ndarray, "tgt columns"]:
    """The weights as an array of shares. Raise ValueError, with the sentence, if they are invalid."""
    if weights.shape not in ((tgt_len, src_len), (tgt_len, src_len + 1)):
        raise ValueError(
            f"{sentence}: weights of shape {tuple(weights.shape)} for {tgt_len} target and {src_len} source words; "
            "expected a row for each target word, a column for each source word, and optionally one for </s>"
        )
    shares = as_array(weights)
    if not ((shares >= -ROUNDING) & (shares <= 1 + ROUNDING)).all():  # also false for NaN
        raise ValueError(f"{sentence}: weights from {shares.min():g} to {shares.max():g}; expected shares from 0 to 1")
    return shares.clip(0, 1)


def _finite(score: float) -> float | None:
    return round(score, 4) if math.isfinite(score) else None


def _bytes(weights: Weights, tgt_words: Sequence[str], src_words: Sequence[str], number: int) -> str:
    """Weights, row by row, one byte each, in base64."""
    shares = check_shares(weights, len(tgt_words), len(src_words), f"sentence {number}")
    return base64.b64encode((shares * STEPS).round().astype(np.uint8).tobytes()).decode()


def _inside(links: Links, entry: Entry, number: int) -> list[tuple[int, int]]:
    for src, tgt in sorted(links):
        if src >= len(entry.source) or tgt >= len(entry.reference):
            raise UserError(
                f"gold link {src}-{tgt} of sentence {number}, which has {len(entry.source)} source and "
                f"{len(entry.reference)} reference words, counted from 0; align the text with this tokenisation"
            )
    return sorted(links)
