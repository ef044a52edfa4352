import gc
import io
import os
import subprocess
import sys
import weakref
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray
from PIL import Image

from heed.errors import UserError
from heed.viz.heatmap import DPI, heatmap, save

SRC, TGT = ["the", "black", "cat", "sleeps"], ["le", "chat", "noir", "dort"]
CROSSING = torch.eye(4)[[0, 2, 1, 3]]


def drawn(figure: Figure) -> NDArray[np.uint8]:
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def long_sentence(words: int) -> Figure:
    src = [f"word{i}" * (1 + i % 3) for i in range(words)]
    return heatmap(torch.eye(words), src, [f"mot{i}" for i in range(words)], title=f"{words} words")


def attention(figure: Figure) -> Axes:
    return figure.axes[0]


def cells(figure: Figure) -> NDArray[np.float64]:
    return np.asarray(attention(figure).images[0].get_array())


def labels(figure: Figure) -> list[Text]:
    axes = attention(figure)
    titles = [child for child in axes.get_children() if isinstance(child, Text) and child.get_text()]
    return [*axes.get_xticklabels(), *axes.get_yticklabels(), *titles]


def test_rows_are_produced_words_and_columns_source_words() -> None:
    """Catches a transposed map, a map upside down, and labels of the other side."""
    weights = torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.2, 0.8]])
    figure = heatmap(weights, ["a", "b", "c"], ["x", "y"])
    axes = attention(figure)
    np.testing.assert_allclose(cells(figure), weights.numpy(), atol=1e-6)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    assert axes.xaxis.get_ticks_position() == "top"
    pixels = drawn(figure)
    height = len(pixels)
    boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert all(box.y0 > axes.bbox.y1 for box in boxes), "source words stand above the map"
    x, y = (label.get_window_extent() for label in axes.get_yticklabels())
    assert x.y0 > y.y1, "the first produced word stands above the second"
    assert max(x.x1, y.x1) < axes.bbox.x0, "produced words stand left of the map"
    for row, column in np.ndindex(2, 3):
        right, up = axes.transData.transform((column, row))
        darkness = 255 - pixels[height - 1 - round(up), round(right)].mean()
        assert (darkness > 100) == bool(weights[row, column] > 0.5), f"cell of row {row} and column {column}"


@pytest.mark.parametrize("words", [1, 5, 20, 60])
def test_nothing_is_cut_and_no_label_covers_another(words: int) -> None:
    """Catches labels that leave the picture, and pictures that do not grow with the sentence."""
    figure = long_sentence(words)
    drawn(figure)
    page = Bbox.from_bounds(0, 0, *figure.canvas.get_width_height())
    for text in [*labels(figure), figure.axes[1].yaxis.label, *figure.axes[1].get_yticklabels()]:
        box = text.get_window_extent()
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text.get_text()
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, text.get_text()
    side = [label.get_window_extent() for label in attention(figure).get_yticklabels()]
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(side))


def test_slanted_labels_clear_each_other_at_sixty_words() -> None:
    """At 45 degrees, lines whose feet are a cell apart are cell / sqrt(2) apart, and need a line's height."""
    figure = long_sentence(60)
    drawn(figure)
    cell = attention(figure).bbox.width / 60
    line = attention(figure).get_yticklabels()[0].get_window_extent().height
    assert cell / np.sqrt(2) > line


@pytest.mark.parametrize(("tgt", "src"), [(1, 1), (2, 7), (9, 3), (60, 58)])
def test_cells_are_square(tgt: int, src: int) -> None:
    figure = heatmap(torch.rand(tgt, src), ["w"] * src, ["a rather long word"] * tgt)
    drawn(figure)
    box = attention(figure).bbox
    assert box.width / src == pytest.approx(box.height / tgt, rel=0.01)
    assert box.width / src >= 0.25 * DPI - 0.5


def test_the_picture_grows_with_the_sentence() -> None:
    sizes = [long_sentence(words).get_size_inches() for words in (5, 20, 60)]
    assert all((small < large).all() for small, large in pairwise(sizes))
    assert (sizes[-1] < 20).all()


def test_colours_mean_the_same_in_every_picture() -> None:
    """Catches a scale stretched to the largest weight, which makes attention that has not formed look sharp."""
    faint = heatmap(torch.full((2, 2), 0.25), ["a", "b"], ["x", "y"])
    sharp = heatmap(torch.eye(2), ["a", "b"], ["x", "y"])
    assert attention(faint).images[0].get_clim() == attention(sharp).images[0].get_clim() == (0.0, 1.0)
    colours = attention(faint).images[0].get_cmap()(np.linspace(0, 1, 50))[:, :3].mean(axis=1)
    assert (np.diff(colours) < 0).all(), "darker is always more"
    assert figure_has_colour_bar(faint)


def figure_has_colour_bar(figure: Figure) -> bool:
    return figure.axes[1].get_ylabel() == "attention weight" and figure.axes[1].get_ylim() == (0.0, 1.0)


@pytest.mark.parametrize("word", ["$x_1$", "$$", "$\\frac{$", "a_b^c", "\\alpha", "5$ 6$", "#%&{}"])
def test_words_are_never_read_as_formulas(word: str) -> None:
    """Catches matplotlib's mathtext, which eats dollar signs and raises on unfinished formulas."""
    figure = heatmap(torch.eye(1), [word], [word], title=word)
    drawn(figure)
    assert [label.get_text() for label in labels(figure)] == [word] * 3
    assert not any(label.get_parse_math() for label in labels(figure))


def test_a_formula_is_as_wide_as_its_letters() -> None:
    """The same by the ink: two dollar signs take room, and a formula would not draw them."""
    widths = []
    for word in ("xx", "$xx$"):
        figure = heatmap(torch.eye(1), [word], [word])
        drawn(figure)
        widths.append([label.get_window_extent().width for label in labels(figure)[:2]])
    assert all(formula > bare + 8 for bare, formula in zip(*widths, strict=True))


def test_letters_of_hebrew_words_run_from_right_to_left() -> None:
    """The same word spelt backwards and forced to run from left to right must look the same.

    Catches a matplotlib older than 3.11, which draws letters from left to right whatever their script.
    """
    word = "שלום"
    forced = "\N{LEFT-TO-RIGHT OVERRIDE}" + word[::-1]
    pictures = [drawn(heatmap(torch.eye(1), ["x"], [spelling])) for spelling in (word, forced, word[::-1])]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_arabic_letters_are_joined() -> None:
    """A joined word is narrower than its letters apart."""
    word = "العربية"
    joined = heatmap(torch.eye(1), ["x"], [word])
    apart = heatmap(torch.eye(1), ["x"], ["\N{ZERO WIDTH NON-JOINER}".join(word)])
    assert not np.array_equal(drawn(joined), drawn(apart))
    widths = [attention(figure).get_yticklabels()[0].get_window_extent().width for figure in (joined, apart)]
    assert widths[0] < widths[1]


def test_a_very_long_word_does_not_widen_the_picture_without_end() -> None:
    figure = heatmap(torch.eye(1), ["x"], ["https://example.org/" + "path/" * 100])
    assert attention(figure).get_yticklabels()[0].get_text().endswith("…")
    assert figure.get_size_inches()[0] < 6


def test_an_empty_translation_is_an_empty_row() -> None:
    """An untrained model may produce nothing; the picture of it must not end the training."""
    figure = heatmap(torch.zeros(0, 3), ["a", "b", "c"], [])
    drawn(figure)
    assert not cells(figure).any()
    assert attention(figure).get_yticklabels() == []


def test_weights_may_be_half_precision_and_need_gradients() -> None:
    figure = heatmap(torch.eye(2, dtype=torch.bfloat16).requires_grad_(), ["a", "b"], ["x", "y"])
    np.testing.assert_array_equal(cells(figure), np.eye(2))


def test_labels_that_do_not_fit_the_weights_are_refused() -> None:
    """Catches maps labelled one off, as when the column of </s> is left in."""
    with pytest.raises(ValueError, match=r"shape \(2, 3\) for 2 produced and 2 source words"):
        heatmap(torch.rand(2, 3), ["a", "b"], ["x", "y"])


def test_png_opens_and_is_sharp(tmp_path: Path) -> None:
    figure = heatmap(CROSSING, SRC, TGT)
    save(figure, tmp_path / "map.PNG")
    with Image.open(tmp_path / "map.PNG") as image:
        assert image.size == pytest.approx(figure.get_size_inches() * 2 * DPI, abs=2)
        assert (np.asarray(image.convert("L")) < 60).mean() > 0.05, "the picture is not empty"


@pytest.mark.parametrize("word", ["<script>alert(1)</script>", "-->", "&amp;", "a\x07b", "a\nb", '"'])
def test_svg_is_well_formed_whatever_the_words(word: str, tmp_path: Path) -> None:
    """Catches words that end up as markup, and control characters that no XML reader accepts."""
    save(heatmap(CROSSING, [word, *SRC[1:]], TGT, title=word), tmp_path / "map.svg")
    root = ET.parse(tmp_path / "map.svg").getroot()
    assert root.tag.endswith("svg")
    tags = {element.tag.split("}")[-1] for element in root.iter()}
    assert "path" in tags
    assert not tags & {"script", "text"}, "words are outlines, so that no font is needed to see them"


@pytest.mark.parametrize("name", ["map.gif", "map", "map.svgz"])
def test_other_endings_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected \.png or \.svg"):
        save(heatmap(CROSSING, SRC, TGT), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_needs_no_pyplot_and_no_display() -> None:
    """Catches pyplot's global state: figures that pile up, and a window system that a server has not."""
    code = (
        "import sys, torch; from heed.viz.heatmap import heatmap;"
        "figure = heatmap(torch.eye(2), ['a', 'b'], ['x', 'y']); figure.canvas.draw();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    env = {
        name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


def test_a_figure_goes_with_its_last_reference() -> None:
    """Catches pictures kept alive, hundreds of them in a long training."""
    figure = weakref.ref(heatmap(CROSSING, SRC, TGT))
    gc.collect()
    assert figure() is None


def test_threads_draw_what_one_draws() -> None:
    def png(number: int) -> bytes:
        buffer = io.BytesIO()
        heatmap(torch.eye(3).roll(number, 0), ["a", "b", "c"], ["$x$", "y", str(number)]).savefig(buffer)
        return buffer.getvalue()

    alone = [png(number) for number in range(6)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(png, range(6))) == alone
