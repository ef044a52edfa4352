"""Heatmaps of attention weights: source words along the top, target words down the side."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from heed.errors import UserError, needs
from heed.viz.entries import as_array

if TYPE_CHECKING:
    import matplotlib.figure

DPI = 100
LARGEST = 4000
"""The largest width and height of a saved image in pixels; drawing it takes 64 MB."""

BOARD = (303, 215)
"""The size in pixels of an image that TensorBoard's Time Series page shows unscaled, whatever the window's width. It
scales other sizes without smoothing, which makes letters jagged."""

MARK = "⁇"


def heatmap(
    weights: Float[Tensor, "tgt src"] | Float[np.ndarray, "tgt src"],
    src_words: Sequence[str],
    tgt_words: Sequence[str],
    title: str = "",
    *,
    size: tuple[int, int] | None = None,
    unknown: Collection[int] = (),
) -> "matplotlib.figure.Figure":
    """Draw one sentence's attention; row i is what the model attended to while it wrote tgt_words[i].

    Colours always cover the range from 0 to 1, so that heatmaps can be compared. Words are ordered from left to right
    in every script, so that a monotone alignment is always a falling diagonal; letters within right-to-left words are
    drawn correctly. The image grows with the sentence up to a limit. Beyond it, cells shrink, only every second, third
    … word is labelled, and a cell shows the maximum of the weights that would share a pixel.
    The figure is not part of pyplot's state: it needs no display, can be drawn in any thread, and is freed with its
    last reference.

    Args:
        weights: Shares from 0 to 1, with a row for each target word and a column for each source word.
        src_words: The source words.
        tgt_words: The target words.
        title: The title above the heatmap.
        size: Width and height in pixels at 100 dpi, such as BOARD; without it, the size depends on the sentence, and
            there is a colour bar.
        unknown: Positions of source words that the model does not know; they get a mark.

    Raises:
        ValueError: The weights do not fit the words.
        UserError: matplotlib is not installed.
    """
    if weights.shape != (len(tgt_words), len(src_words)):
        raise ValueError(
            f"weights of shape {tuple(weights.shape)} for {len(tgt_words)} target and {len(src_words)} source words; "
            "expected a row for each target word and a column for each source word"
        )
    with needs("plot"):
        from heed.viz import drawing  # noqa: PLC0415 - matplotlib takes half a second

    marked = [word + MARK if place in unknown else word for place, word in enumerate(src_words)]
    return drawing.draw(as_array(weights), marked, tgt_words, title, size)


def save(figure: "matplotlib.figure.Figure", path: Path) -> None:
    """Write the figure as PNG or SVG, depending on the ending; SVG has words as outlines and needs no font.

    Raises:
        UserError: the path has another ending.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise UserError(f"heatmap {path} ends in {path.suffix!r}; expected .png or .svg")
    # double resolution, unless that is too large
    mark = {"Software": "heed"} if path.suffix.lower() == ".png" else {"Creator": "heed"}
    figure.savefig(path, dpi=min(2 * DPI, LARGEST / max(figure.get_size_inches())), metadata=mark)
