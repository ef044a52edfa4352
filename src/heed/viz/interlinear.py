"""An alignment for the terminal: each target word above the source word that it attends to most."""

from collections.abc import Iterator, Sequence

from jaxtyping import Float
from rich.cells import cell_len, set_cell_size
from torch import Tensor

GAP = "  "


def interlinear(
    weights: Float[Tensor, "tgt src"], src_words: Sequence[str], tgt_words: Sequence[str], width: int = 80
) -> str:
    """Three lines, wrapped together: target words, the source word that each attends to most, and its share.

    Args:
        weights: Shares from 0 to 1, a row for each of `tgt_words` and a column for each of `src_words`.
        src_words: The source words.
        tgt_words: The target words.
        width: The width of the terminal in cells; most letters take one, Chinese characters two.

    Returns:
        Text without a line break at its end; empty if a side has no words.
    """
    if not (tgt_words and src_words):
        return ""
    largest, place = weights.max(dim=1)
    columns = [
        (word, src_words[index], f"{weight:.0%}")
        for word, index, weight in zip(tgt_words, place.tolist(), largest.tolist(), strict=True)
    ]
    return "\n\n".join(_block(columns) for columns in _wrapped(columns, width))


def _wrapped(columns: Sequence[tuple[str, str, str]], width: int) -> Iterator[list[tuple[str, str, str]]]:
    line: list[tuple[str, str, str]] = []
    for column in columns:
        if line and sum(map(_width, line)) + len(line) * len(GAP) + _width(column) > width:
            yield line
            line = []
        line.append(column)
    yield line


def _block(columns: Sequence[tuple[str, str, str]]) -> str:
    rows = zip(*columns, strict=True)
    widths = [_width(column) for column in columns]
    return "\n".join(
        GAP.join(set_cell_size(cell, size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _width(column: tuple[str, str, str]) -> int:
    return max(map(cell_len, column))  # in cells: a Chinese character takes two
