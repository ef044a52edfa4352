"""Attention weights as a picture: source words along the top, produced words down the side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unicodedata import category

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Affine2D, Bbox
from torch import Tensor

from heed.errors import UserError
from heed.viz.fonts import families, readable

DPI = 100
FONT_SIZE = 10  # points; one line is 0.17 inches high
SMALLEST_CELL, LARGEST_CELL = 0.25, 0.5  # inches a side: neighbouring 45-degree labels just clear each other at 0.25
SHORTEST_BAR, LONGEST_BAR = 1.2, 4.0  # inches
MARGIN = 0.1  # inches around everything
LONGEST_LABEL = 40  # characters; a web address would otherwise make the picture wider than its map


def heatmap(
    weights: Float[Tensor, "tgt src"], src_words: Sequence[str], tgt_words: Sequence[str], title: str = ""
) -> Figure:
    """Draw one sentence's attention; row i is where the model looked while it produced tgt_words[i].

    The colours always run from 0 to 1, so that two pictures can be compared, and the picture grows with the sentence.
    Words keep their order from the left in every script, so that a monotone alignment is always a falling diagonal;
    the letters of right-to-left words run as they should (matplotlib shapes text itself since 3.11).
    The figure belongs to no pyplot state: it needs no display, may be drawn in any thread, and goes with its last
    reference.
    """
    if weights.shape != (len(tgt_words), len(src_words)):
        raise ValueError(
            f"weights of shape {tuple(weights.shape)} for {len(tgt_words)} produced and {len(src_words)} source words; "
            "expected one row a produced word and one column a source word"
        )
    figure = Figure(dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), label="attention")
    _draw_cells(axes, weights)
    _label(axes, list(map(_printable, src_words)), list(map(_printable, tgt_words)), _printable(title))
    bar = figure.add_axes((0.0, 0.0, 1.0, 1.0), label="colour bar")
    figure.colorbar(axes.images[0], cax=bar, label="attention weight", ticks=[0.0, 0.5, 1.0])
    _fit(figure, axes, bar)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG or SVG, whichever the name ends in; SVG holds the words as outlines and needs no font."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise UserError(f"picture {path} ends in {path.suffix!r}; expected .png or .svg")
    figure.savefig(path, dpi=2 * DPI)  # twice as fine as on TensorBoard's page


def _draw_cells(axes: Axes, weights: Float[Tensor, "tgt src"]) -> None:
    tgt, src = (max(1, length) for length in weights.shape)  # an empty hypothesis gets one empty row, without a word
    cells = np.zeros((tgt, src))
    cells[: weights.shape[0], : weights.shape[1]] = weights.detach().float().cpu().numpy()
    axes.imshow(cells, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal", interpolation="nearest")
    axes.set_xticks(np.arange(src + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(tgt + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.88", linewidth=0.5)
    axes.tick_params(which="both", length=0)


def _label(axes: Axes, src_words: Sequence[str], tgt_words: Sequence[str], title: str) -> None:
    texts = [*map(_shorten, src_words), *map(_shorten, tgt_words), title]
    shown = readable(texts)
    # parse_math=False: otherwise words such as "$" and "a_1$" would be read as formulas.
    text: dict[str, Any] = {
        "family": families(texts),
        "fontsize": FONT_SIZE,
        "parse_math": False,
    }
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(src_words)), shown[: len(src_words)], **text)
    axes.tick_params(axis="x", labelrotation=45, labelrotation_mode="xtick")
    axes.set_yticks(range(len(tgt_words)), shown[len(src_words) : -1], **text)
    axes.set_title(shown[-1], loc="left", **text)


def _printable(text: str) -> str:
    # Control characters and lone surrogates make invalid SVG.
    return "".join("\N{REPLACEMENT CHARACTER}" if category(char) in ("Cc", "Cs") else char for char in text)


def _shorten(word: str) -> str:
    return word if len(word) <= LONGEST_LABEL else word[: LONGEST_LABEL - 1] + "…"


def _fit(figure: Figure, axes: Axes, bar: Axes) -> None:
    """Give every cell its size, then the figure the size of all that is drawn: so no label is ever cut."""
    tgt, src = len(axes.get_yticks(minor=True)) - 1, len(axes.get_xticks(minor=True)) - 1
    cell = min(LARGEST_CELL, max(SMALLEST_CELL, 5.0 / max(tgt, src)))
    width, height = cell * src, cell * tgt
    bar_height = min(LONGEST_BAR, max(SHORTEST_BAR, height))
    boxes = {
        axes: Bbox.from_bounds(0.0, 0.0, width, height),
        bar: Bbox.from_bounds(width + 0.2, height - bar_height, 0.15, bar_height),
    }
    figure.set_size_inches(1.0, 1.0)  # so that positions, which are shares of the figure, are inches
    for part, box in boxes.items():
        part.set_position(box)
    drawn = figure.get_tightbbox().padded(MARGIN)
    figure.set_size_inches(drawn.width, drawn.height)
    to_shares = Affine2D().translate(-drawn.x0, -drawn.y0).scale(1 / drawn.width, 1 / drawn.height)
    for part, box in boxes.items():
        part.set_position(box.transformed(to_shares))
