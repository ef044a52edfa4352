"""Attention weights as a picture: source words along the top, written words down the side."""

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
"""Pixels a side that a saved picture has at most: 64 MB while it is drawn."""

BOARD = (303, 215)
"""Pixels of a picture that TensorBoard's Time Series page shows as it is, whatever the window's width; it enlarges
smaller ones and shrinks larger ones, both without smoothing, so that letters become jagged."""

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

    The colours always run from 0 to 1, so that two pictures can be compared. Words keep their order from the left in
    every script, so that a monotone alignment is always a falling diagonal; the letters of right-to-left words run as
    they should. The picture grows with the sentence up to a limit. Beyond it the cells shrink, only every second,
    third … word is written, and a cell stands for the largest weight among those that would share a pixel.
    The figure belongs to no pyplot state: it needs no display, may be drawn in any thread, and goes with its last
    reference.

    Args:
        weights: Shares from 0 to 1, one row a written word and one column a source word.
        src_words: The source's words.
        tgt_words: The words that were written.
        title: What stands above the picture.
        size: Width and height in pixels at 100 dpi, for a picture that is shown at that size, such as BOARD; without
            it the picture is as large as the sentence needs, with a colour bar.
        unknown: Positions of source words that the model does not know; they get a mark.

    Raises:
        ValueError: The weights do not fit the words.
        UserError: matplotlib is not installed.
    """
    if weights.shape != (len(tgt_words), len(src_words)):
        raise ValueError(
            f"weights of shape {tuple(weights.shape)} for {len(tgt_words)} produced and {len(src_words)} source words; "
            "expected one row a produced word and one column a source word"
        )
    with needs("plot"):
        from heed.viz import drawing  # noqa: PLC0415 - matplotlib takes half a second

    marked = [word + MARK if place in unknown else word for place, word in enumerate(src_words)]
    return drawing.draw(as_array(weights), marked, tgt_words, title, size)


def save(figure: "matplotlib.figure.Figure", path: Path) -> None:
    """Write the figure as PNG or SVG, whichever the name ends in; SVG holds the words as outlines and needs no font."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise UserError(f"picture {path} ends in {path.suffix!r}; expected .png or .svg")
    # Twice as fine as on a page, if that is not too large.
    mark = {"Software": "heed"} if path.suffix.lower() == ".png" else {"Creator": "heed"}
    figure.savefig(path, dpi=min(2 * DPI, LARGEST / max(figure.get_size_inches())), metadata=mark)
