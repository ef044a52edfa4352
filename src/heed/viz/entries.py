"""Sentences with their attention, as the pages show them."""

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
"""Shares from 0 to 1: a row for each written word, a column for each source word, and one more for the source's end
if the caller has it. The page writes a large share of the end beside the word."""

STEPS = 255  # a weight is stored in one byte, so it is off by 1/510 at most: less than a screen can show
ROUNDING = 1e-3  # how far outside 0 to 1 a weight may lie: sums of softmax outputs in half precision do


class Candidate(NamedTuple):
    """One translation from the search, its score as the search ranks it, and what each of its words attended to."""

    words: Sequence[str]
    score: float
    weights: Weights
    text: str | None = None
    """As it is written, if that is not the words with spaces between them."""
    unknown: frozenset[int] = frozenset()
    """Positions of words that stand for something outside the vocabulary."""
    notes: Mapping[int, str] | None = None
    """For the positions of words whose row should not be trusted: why not. These rows are drawn dimmed."""


class Entry(NamedTuple):
    """One test sentence; the candidates stand best first and the scores describe the best.

    A score that does not exist is NaN: the page shows a dash and sorts it last.
    """

    source: Sequence[str]
    reference: Sequence[str]
    candidates: Sequence[Candidate]
    bleu: float  # 0 to 100
    entropy: float  # nats, the mean over the produced words
    coverage: float  # 0 to 1, the share of source words that were attended to
    forced: Weights | None = None  # weights of the reference, if it was forced on the model
    gold: tuple[Links, Links] | None = None  # sure and possible links of the reference: heed.metrics.alignment.Gold
    source_text: str | None = None
    """As it was typed, if that is not the words with spaces between them; the same for the reference below."""
    reference_text: str | None = None
    unknown: frozenset[int] = frozenset()
    """Positions of source words that the model does not know. The words are those of the text, as typed."""


def plain_entry(entry: Entry, number: int) -> dict[str, object]:
    """One entry as the gallery's script reads it: the type `Entry` of web/sentences.mjs.

    Raises:
        ValueError: No candidate, or weights that are not shares or do not fit the words.
        UserError: A gold link points outside its sentence.
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
    """The source's part of an entry."""
    return {"source": list(words), "sourceText": own_text(text, words), "sourceUnknown": sorted(unknown)}


def plain_candidate(
    candidate: Candidate, source: Sequence[str], number: int, aligned: Iterable[tuple[int, int]] = ()
) -> dict[str, object]:
    """A candidate as the script reads it; `aligned` are pairs (source word, written word) to mark."""
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
    """The text if it has to be stored: that of most languages is its words with spaces between them."""
    return None if text == " ".join(words) else text


def as_array(weights: Weights) -> Float32[np.ndarray, "tgt columns"]:
    """Weights from any device and of any precision as a numpy array."""
    if isinstance(weights, Tensor):
        return weights.detach().cpu().float().numpy()
    return weights.astype(np.float32)


def check_shares(weights: Weights, tgt_len: int, src_len: int, sentence: str) -> Float32[np.ndarray, "tgt columns"]:
    """The weights as an array of shares; ValueError, with the sentence, if they do not fit the words or are none."""
    if weights.shape not in ((tgt_len, src_len), (tgt_len, src_len + 1)):
        raise ValueError(
            f"{sentence}: weights of shape {tuple(weights.shape)} for {tgt_len} target and {src_len} source words; "
            "expected one row a target word and one column a source word, and perhaps one for the source's end"
        )
    shares = as_array(weights)
    if not ((shares >= -ROUNDING) & (shares <= 1 + ROUNDING)).all():  # false for NaN too
        raise ValueError(f"{sentence}: weights from {shares.min():g} to {shares.max():g}; expected shares from 0 to 1")
    return shares.clip(0, 1)


def _finite(score: float) -> float | None:
    return round(score, 4) if math.isfinite(score) else None


def _bytes(weights: Weights, tgt_words: Sequence[str], src_words: Sequence[str], number: int) -> str:
    """Weights row by row, one byte each, in base64."""
    shares = check_shares(weights, len(tgt_words), len(src_words), f"sentence {number}")
    return base64.b64encode((shares * STEPS).round().astype(np.uint8).tobytes()).decode()


def _inside(links: Links, entry: Entry, number: int) -> list[tuple[int, int]]:
    for src, tgt in sorted(links):
        if src >= len(entry.source) or tgt >= len(entry.reference):
            raise UserError(
                f"gold link {src}-{tgt} of sentence {number}, which has {len(entry.source)} source and "
                f"{len(entry.reference)} reference words counted from 0; align the text as it is split here"
            )
    return sorted(links)
