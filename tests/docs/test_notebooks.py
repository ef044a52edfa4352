"""A notebook equals the text that it is made from, so `make notebooks` was not forgotten."""

from pathlib import Path

import jupytext
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"


@pytest.mark.parametrize("text", sorted(FOLDER.glob("*.md")), ids=lambda path: path.stem)
def test_notebook_is_that_of_the_text(text: Path) -> None:
    expected, written = jupytext.read(text), jupytext.read(text.with_suffix(".ipynb"))
    assert [(cell.cell_type, cell.source) for cell in written.cells] == [
        (cell.cell_type, cell.source) for cell in expected.cells
    ]
    assert not any(cell.get("outputs") for cell in written.cells)
