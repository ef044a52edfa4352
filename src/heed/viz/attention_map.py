"""An interactive attention map of one sentence, for notebooks and other pages."""

import html
import math
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from jaxtyping import Float32

from heed.viz.entries import Candidate, Weights, check_shares, plain_candidate, plain_source
from heed.viz.page import fill, pack

VISIBLE = 0.05  # as in web/weights.mjs: smaller shares are not listed
END = "</s> (end of the source)"


def map_html(
    source_words: Sequence[str],
    words: Sequence[str],
    weights: Weights,
    *,
    title: str | None = None,
    score: float | None = None,
    alignment: Iterable[tuple[int, int]] | None = None,
    candidates: Sequence[Candidate] | None = None,
    source_text: str | None = None,
    text: str | None = None,
    unknown: Collection[int] = (),
    src_lang: str | None = None,
    tgt_lang: str | None = None,
) -> str:
    """An HTML fragment that shows one translation with its attention, for Jupyter's `_repr_html_`.

    The map is in an `iframe` with `srcdoc` that cannot access the page around it. So it works in classic notebooks,
    JupyterLab, VS Code and Colab, without conflicts with styles and keys of the page. Below it is a collapsed table of
    the strongest links in plain HTML, for viewers that remove frames or scripts.

    Args:
        source_words: The source's words, as typed.
        words: The words of the translation.
        weights: Shares from 0 to 1, a row for each of `words`, a column for each source word, and one more for the
            source's end if it is known.
        title: A heading; default "Attention".
        score: The search's score of the translation.
        alignment: Pairs (source word, target word), counted from 0, to mark in the map.
        candidates: Further translations of the same source, to choose from.
        source_text: The source as typed, if it is not its words joined by spaces.
        text: The same for the translation.
        unknown: Positions of source words that the model does not know; they get a mark.
        src_lang: The source's language code, in any usual form, for `lang` attributes.
        tgt_lang: The translation's language.

    Raises:
        ValueError: The weights are not shares or do not fit the words, or a pair is outside the sentence.

    Example:
        >>> import numpy as np
        >>> fragment = map_html(["the", "cat"], ["le", "chat"], np.eye(2))
        >>> fragment.startswith("<iframe") and fragment.endswith("</details>")
        True
    """
    heading = title or "Attention"
    pairs = sorted(set(alignment or ()))
    _check_inside(pairs, len(source_words), len(words))
    best = Candidate(words, math.nan if score is None else score, weights, text)
    table = _table(source_words, words, weights)
    page = fill(
        "notebook.html",
        ("card.css", "notebook.css"),
        "notebook.mjs",
        src_lang,
        tgt_lang,
        title=html.escape(heading),
        score="" if score is None else f"score {score:.2f}".replace("-", "−"),
        table=table,
        entry=pack(_plain(source_words, source_text, unknown, [best, *(candidates or ())], pairs)),
    )
    height = _height((source_words, words), len(candidates or ()))
    return (
        f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" title="{html.escape(heading)}" '
        f'style="display: block; width: 100%; height: {height}px; '
        'border: 1px solid #8886; border-radius: 8px; resize: vertical; overflow: auto"></iframe>\n'
        f"<details><summary>{html.escape(heading)}, as a table</summary>{table}</details>"
    )


def _plain(
    source_words: Sequence[str],
    source_text: str | None,
    unknown: Collection[int],
    candidates: Sequence[Candidate],
    alignment: Sequence[tuple[int, int]],
) -> dict[str, object]:
    """The translation as an `Entry` of web/sentences.mjs."""
    best, *others = candidates
    return {
        **plain_source(source_words, source_text, unknown),
        **dict.fromkeys(("reference", "referenceText", "forced", "bleu", "entropy", "coverage")),
        "candidates": [
            plain_candidate(best, source_words, 1, alignment),
            *(plain_candidate(other, source_words, 1) for other in others),
        ],
        "sure": [],
        "possible": [],
    }


def _check_inside(pairs: Iterable[tuple[int, int]], src_len: int, tgt_len: int) -> None:
    for src, tgt in pairs:
        if not (0 <= src < src_len and 0 <= tgt < tgt_len):
            raise ValueError(f"aligned pair {src}-{tgt}; expected pairs within {src_len} source and {tgt_len} words")


def _height(words: Sequence[Sequence[str]], others: int) -> int:
    """The height of the frame in pixels, because it cannot set its own; larger content scrolls.

    It assumes a page width of 720 pixels, in which words are in two rows if they fit, otherwise in columns.
    """
    letters = max(sum(map(len, side)) * 8 + len(side) * 16 for side in words)
    middle = 160 if letters < 720 else 40 + 32 * max(map(len, words))
    return min(700, 250 + middle + (30 + 34 * others if others else 0))


def _table(source_words: Sequence[str], words: Sequence[str], weights: Weights) -> str:
    """A table of target words and the source words that they attend to, in HTML without style or script."""
    shares = check_shares(weights, len(words), len(source_words), "map")
    columns = [*source_words, END][: shares.shape[1]]
    lines = "".join(
        f'<tr><th scope="row">{html.escape(word)}</th><td>{html.escape(_strongest(columns, row))}</td></tr>'
        for word, row in zip(words, shares, strict=True)
    )
    head = '<tr><th scope="col">Word</th><th scope="col">attends to</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{lines}</tbody></table>"


def _strongest(columns: Sequence[str], row: Float32[np.ndarray, " columns"]) -> str:
    order = sorted(range(len(columns)), key=lambda column: -row[column])
    named = [f"{columns[column]} {row[column]:.0%}" for column in order if row[column] >= VISIBLE]
    return ", ".join(named) or "no word with 5% or more"
