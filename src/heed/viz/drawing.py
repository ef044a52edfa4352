"""Draw heatmaps with matplotlib. Use it through heed.viz.heatmap, which can be imported without matplotlib."""

import io
import math
from collections.abc import Sequence
from typing import Any
from unicodedata import category

import numpy as np
from jaxtyping import Float32
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Affine2D, Bbox

from heed.viz.fonts import families, readable
from heed.viz.heatmap import DPI

FONT_SIZE = 10  # points; one line is 0.17 inches high
SMALL_FONT_SIZE = 6.5  # points, for images of a given size: 9 pixels, the smallest size that is easy to read
SMALLEST_CELL, LARGEST_CELL = 0.25, 0.5  # inches: neighbouring 45-degree labels do not overlap from 0.25
SHORTEST_BAR, LONGEST_BAR = 1.2, 4.0  # inches
MARGIN = 0.1  # inches around everything
LONGEST_LABEL = 40  # characters; otherwise a web address would make the image wider than its map
LONGEST_SMALL_LABEL, LARGEST_SMALL_CELL, SMALL_MARGIN = 12, 0.3, 0.03  # characters and inches, likewise
LONGEST_SIDE = 16.0  # inches, of the cells: 64 words at the smallest size
MOST_CELLS = 1600  # in each direction: one pixel per cell at 100 dpi


class Picture(Figure):
    """A figure that a notebook shows as an image even if pyplot is not imported."""

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png")
        return png.getvalue()


def draw(
    weights: Float32[np.ndarray, "tgt src"],
    src_words: Sequence[str],
    tgt_words: Sequence[str],
    title: str,
    size: tuple[int, int] | None,
) -> Figure:
    """Draw the figure; its size is given in pixels, or depends on the sentence."""
    figure = Picture(dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), label="attention")
    _draw_cells(axes, weights)
    rows, columns = (max(1, length) for length in weights.shape)
    labels = [*map(_printable, src_words)], [*map(_printable, tgt_words)], _printable(title)
    if size:
        _fit_size(figure, axes, labels, (columns, rows), (size[0] / DPI, size[1] / DPI))
        return figure
    cell = min(LARGEST_CELL, max(SMALLEST_CELL, 5.0 / max(columns, rows)))
    width, height = min(LONGEST_SIDE, cell * columns), min(LONGEST_SIDE, cell * rows)
    _write(axes, labels, _every(width / columns, SMALLEST_CELL), _every(height / rows, SMALLEST_CELL))
    bar = figure.add_axes((0.0, 0.0, 1.0, 1.0), label="colour bar")
    figure.colorbar(axes.images[0], cax=bar, label="attention weight", ticks=[0.0, 0.5, 1.0])
    _fit_sentence(figure, axes, bar, width, height)
    return figure


Labels = tuple[Sequence[str], Sequence[str], str]
"""Source words, target words and title."""


def _draw_cells(axes: Axes, weights: Float32[np.ndarray, "tgt src"]) -> None:
    tgt, src = (max(1, length) for length in weights.shape)  # an empty hypothesis gets one empty row without a label
    cells = np.zeros((tgt, src), np.float32)
    cells[: weights.shape[0], : weights.shape[1]] = weights
    axes.imshow(
        _largest(cells),
        cmap="Blues",
        vmin=0.0,
        vmax=1.0,
        aspect="auto",
        interpolation="nearest",
        extent=(-0.5, src - 0.5, tgt - 0.5, -0.5),
    )
    axes.tick_params(which="both", length=0)
    if max(tgt, src) * SMALLEST_CELL <= LONGEST_SIDE:  # grid lines would hide smaller cells
        axes.set_xticks(np.arange(src + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(tgt + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="0.88", linewidth=0.5)


def _largest(cells: Float32[np.ndarray, "rows columns"]) -> Float32[np.ndarray, "fewer_rows fewer_columns"]:
    """The maximum over neighbouring cells that would share a pixel."""
    for axis in (0, 1):
        step = math.ceil(cells.shape[axis] / MOST_CELLS)
        if step > 1:
            cells = np.maximum.reduceat(cells, np.arange(0, cells.shape[axis], step), axis=axis)
    return cells


def _every(cell: float, label: float) -> int:
    """The step between labelled words, for these sizes of a cell and of a label in inches."""
    return max(1, math.ceil(label / cell - 1e-6))


def _write(
    axes: Axes,
    labels: Labels,
    every_column: int,
    every_row: int,
    font_size: float = FONT_SIZE,
    longest: int = LONGEST_LABEL,
) -> None:
    """Write every `step`-th word, or all words if there is enough room."""
    src, tgt = labels[0][::every_column], labels[1][::every_row]
    texts = [_shorten(text, longest) for text in (*src, *tgt)] + [_shorten(labels[2], 2 * LONGEST_LABEL)]
    shown = readable(texts)
    # parse_math=False: otherwise words such as "$" and "a_1$" would be parsed as formulas
    text: dict[str, Any] = {"family": families(texts), "fontsize": font_size, "parse_math": False}
    axes.xaxis.tick_top()
    axes.set_xticks(range(0, len(labels[0]), every_column), shown[: len(src)], **text)
    axes.tick_params(axis="x", labelrotation=45, labelrotation_mode="xtick")
    axes.set_yticks(range(0, len(labels[1]), every_row), shown[len(src) : -1], **text)
    axes.set_title(shown[-1], loc="left", **text)


def _printable(text: str) -> str:
    # control characters and lone surrogates are invalid in SVG
    return "".join("\N{REPLACEMENT CHARACTER}" if category(char) in ("Cc", "Cs") else char for char in text)


def _shorten(word: str, longest: int) -> str:
    return word if len(word) <= longest else word[: longest - 1] + "…"


def _fit_sentence(figure: Figure, axes: Axes, bar: Axes, width: float, height: float) -> None:
    """Set the size of the cells, then the size of the figure from everything drawn, so that no label is cut."""
    bar_height = min(LONGEST_BAR, max(SHORTEST_BAR, height))
    boxes = {
        axes: Bbox.from_bounds(0.0, 0.0, width, height),
        bar: Bbox.from_bounds(width + 0.2, height - bar_height, 0.15, bar_height),
    }
    figure.set_size_inches(1.0, 1.0)  # so that positions, which are fractions of the figure, are in inches
    for part, box in boxes.items():
        part.set_position(box)
    drawn = figure.get_tightbbox().padded(MARGIN)
    figure.set_size_inches(drawn.width, drawn.height)
    to_shares = Affine2D().translate(-drawn.x0, -drawn.y0).scale(1 / drawn.width, 1 / drawn.height)
    for part, box in boxes.items():
        part.set_position(box.transformed(to_shares))


def _fit_size(figure: Figure, axes: Axes, labels: Labels, cells: tuple[int, int], size: tuple[float, float]) -> None:
    """Set the size of the figure in inches, and use what the labels leave for the cells."""
    line = SMALL_FONT_SIZE * 1.3 / 72
    figure.set_size_inches(*size)
    _write(axes, labels, 1, 1, SMALL_FONT_SIZE, LONGEST_SMALL_LABEL)
    box = _beside_labels(figure, axes, cells, size)
    # slanted labels need more width than the height of a line
    every_column, every_row = _every(box.width / cells[0], line * math.sqrt(2)), _every(box.height / cells[1], line)
    _write(axes, labels, every_column, every_row, SMALL_FONT_SIZE, LONGEST_SMALL_LABEL)
    for _ in range(2):  # how far the last label extends depends on its position
        box = _beside_labels(figure, axes, cells, size)
        axes.set_position(box.transformed(Affine2D().scale(1 / size[0], 1 / size[1])))


def _beside_labels(figure: Figure, axes: Axes, cells: tuple[int, int], size: tuple[float, float]) -> Bbox:
    """The area that the current labels leave for the cells, in inches."""
    drawn, own = figure.get_tightbbox(), axes.get_position().transformed(Affine2D().scale(*size))
    left, right = own.x0 - drawn.x0 + SMALL_MARGIN, drawn.x1 - own.x1 + SMALL_MARGIN
    above, below = drawn.y1 - own.y1 + SMALL_MARGIN, own.y0 - drawn.y0 + SMALL_MARGIN
    width = max(SMALLEST_CELL, min(size[0] - left - right, LARGEST_SMALL_CELL * cells[0]))
    height = max(SMALLEST_CELL, min(size[1] - above - below, LARGEST_SMALL_CELL * cells[1]))
    return Bbox.from_bounds(left, size[1] - above - height, width, height)
