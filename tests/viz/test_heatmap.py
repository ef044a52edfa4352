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
from heed.viz.heatmap import BOARD, DPI, LARGEST, heatmap, save

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
    assert x.y0 > y.y1, "the first target word is above the second"
    assert max(x.x1, y.x1) < axes.bbox.x0, "target words are left of the map"
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
    """Labels at 45 degrees that start one cell apart are cell / sqrt(2) apart, which must exceed a line's height."""
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


def test_dollar_signs_take_room() -> None:
    """Catches a formula by the width of the drawn label: its two dollar signs would not be drawn."""
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


def test_a_very_long_sentence_is_bounded_and_its_words_stay_apart() -> None:
    """Catches a picture that grows without end, and labels that cover each other where cells are small."""
    figure = long_sentence(300)
    drawn(figure)
    assert max(figure.get_size_inches()) < 22
    side = attention(figure).get_yticklabels()
    assert [label.get_text() for label in side] == [f"mot{number}" for number in range(0, 300, 5)]
    boxes = [label.get_window_extent() for label in side]
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))


def test_each_word_of_a_long_sentence_stands_at_its_own_cell() -> None:
    """Catches a label at another word's cell if only some labels are shown, and cells shifted by merging."""
    figure = heatmap(torch.eye(2000), [f"s{n}" for n in range(2000)], [f"t{n}" for n in range(2000)])
    drawn(figure)
    axes = attention(figure)
    for place, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
        assert label.get_text() == f"t{place:.0f}"
    assert cells(figure).shape == (1000, 1000)
    np.testing.assert_array_equal(cells(figure), np.eye(1000))


def test_a_single_large_weight_is_seen_however_long_the_sentence() -> None:
    """Catches a weight that is lost between two pixels."""
    weights = torch.zeros(3000, 3000)
    weights[1234, 2345] = 1.0
    figure = heatmap(weights, ["w"] * 3000, ["w"] * 3000)
    assert cells(figure).max() == 1.0
    inside = drawn(figure)[100:-100, 100:-300]
    assert (inside.mean(axis=2) < 150).any()


def test_a_long_sentence_with_a_short_translation_keeps_rows_that_can_be_read() -> None:
    figure = heatmap(torch.rand(3, 400), [f"s{n}" for n in range(400)], ["a", "b", "c"])
    drawn(figure)
    assert attention(figure).bbox.height / 3 >= 0.25 * DPI - 0.5
    assert len(attention(figure).get_yticklabels()) == 3


MEMORY = """
import resource, sys, torch
from pathlib import Path
from heed.viz.heatmap import heatmap, save

def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

save(heatmap(torch.eye(2), ["a", "b"], ["x", "y"]), Path(sys.argv[1]))
before = megabytes()
words = [f"word{number}" for number in range(240)]
save(heatmap(torch.eye(240), words, words), Path(sys.argv[1]))
print(megabytes() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_very_long_sentence_needs_little_memory(ending: str, tmp_path: Path) -> None:
    """Catches a picture at full resolution of a sentence of 240 words, which took more than 5 GB."""
    command = [sys.executable, "-c", MEMORY, str(tmp_path / f"map.{ending}")]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert float(result.stdout) < 600
    assert (tmp_path / f"map.{ending}").stat().st_size < 2_000_000
    if ending == "png":
        with Image.open(tmp_path / "map.png") as image:
            assert max(image.size) <= LARGEST


@pytest.mark.parametrize(("tgt", "src"), [(1, 1), (3, 4), (12, 10), (24, 22), (60, 60), (200, 200), (0, 3), (40, 2)])
def test_a_picture_of_a_given_size_has_that_size_and_cuts_nothing(tgt: int, src: int) -> None:
    """Catches a picture that TensorBoard would shrink, words beyond its edge, and words that cover each other."""
    figure = heatmap(
        torch.rand(tgt, src), [f"word{n}" for n in range(src)], [f"mot{n}" for n in range(tgt)], "a title", size=BOARD
    )
    pixels = drawn(figure)
    assert pixels.shape[:2] == BOARD[::-1]
    page = Bbox.from_bounds(0, 0, *BOARD)
    for text in labels(figure):
        box = text.get_window_extent()
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text.get_text()
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, text.get_text()
        assert float(text.get_fontsize()) * DPI / 72 >= 9, "nine pixels are the least that can be read"
    side = [label.get_window_extent() for label in attention(figure).get_yticklabels()]
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in pairwise(side))
    box = attention(figure).bbox
    if min(src, tgt) >= 10:
        assert box.width * box.height > 0.4 * BOARD[0] * BOARD[1], "the cells get most of the picture"


def test_a_dozen_words_are_all_written_at_the_size_of_the_board() -> None:
    figure = heatmap(torch.rand(12, 12), ["words"] * 12, ["worte"] * 12, size=BOARD)
    assert len(attention(figure).get_yticklabels()) == 12
    assert len(attention(figure).get_xticklabels()) == 12


def test_an_unknown_word_keeps_its_letters_and_gets_a_mark() -> None:
    figure = heatmap(torch.eye(2), ["Pizza", "cat"], ["⁇", "chat"], unknown={0})
    assert [label.get_text() for label in attention(figure).get_xticklabels()] == ["Pizza⁇", "cat"]


def test_arrays_are_drawn_as_tensors_are() -> None:
    assert np.array_equal(drawn(heatmap(CROSSING.numpy(), SRC, TGT)), drawn(heatmap(CROSSING, SRC, TGT)))


def test_without_matplotlib_pages_can_be_made_and_one_line_names_the_extra() -> None:
    """Catches an import of matplotlib by modules that do not draw, and a traceback instead of one line."""
    code = (
        "import sys, torch; sys.modules['matplotlib'] = None\n"
        "import heed.viz.gallery, heed.viz.attention_map, heed.viz.interlinear\n"
        "from heed.errors import UserError; from heed.viz.heatmap import heatmap\n"
        "try: heatmap(torch.eye(1), ['a'], ['x'])\n"
        "except UserError as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout == "matplotlib is not installed; install it with: pip install 'heed[plot]'\n"


def test_an_empty_translation_is_an_empty_row() -> None:
    """Catches an error for an empty translation of an untrained model, which would end the training."""
    figure = heatmap(torch.zeros(0, 3), ["a", "b", "c"], [])
    drawn(figure)
    assert not cells(figure).any()
    assert attention(figure).get_yticklabels() == []


def test_weights_may_be_half_precision_and_need_gradients() -> None:
    figure = heatmap(torch.eye(2, dtype=torch.bfloat16).requires_grad_(), ["a", "b"], ["x", "y"])
    np.testing.assert_array_equal(cells(figure), np.eye(2))


def test_labels_that_do_not_fit_the_weights_are_refused() -> None:
    """Catches maps labelled one off, as when the column of </s> is left in."""
    with pytest.raises(ValueError, match=r"shape \(2, 3\) for 2 target and 2 source words"):
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
    """Catches pyplot: it keeps all figures in global state, and may need a display, which a server does not have."""
    code = (
        "import sys, torch; from heed.viz.heatmap import heatmap;"
        "figure = heatmap(torch.eye(2), ['a', 'b'], ['x', 'y']); figure.canvas.draw();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    env = {
        name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


def test_a_figure_is_freed_with_its_last_reference() -> None:
    """Catches pictures kept alive, hundreds of them in a long training."""
    figure = weakref.ref(heatmap(CROSSING, SRC, TGT))
    gc.collect()
    assert figure() is None


def test_several_threads_draw_the_same_as_one() -> None:
    def png(number: int) -> bytes:
        buffer = io.BytesIO()
        heatmap(torch.eye(3).roll(number, 0), ["a", "b", "c"], ["$x$", "y", str(number)]).savefig(buffer)
        return buffer.getvalue()

    alone = [png(number) for number in range(6)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(png, range(6))) == alone


def test_a_notebook_shows_the_picture() -> None:
    """Catches `<Figure size 344x278>` instead of the picture, which IPython shows if pyplot is not imported."""
    shown = heatmap(CROSSING, SRC, TGT)
    png = shown._repr_png_()  # type: ignore[attr-defined]  # IPython calls this method
    assert Image.open(io.BytesIO(png)).size == tuple(round(inches * DPI) for inches in shown.get_size_inches())
