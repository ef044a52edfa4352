"""A file that appears while a command works, after its check: the file is kept, and so is the command's output."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heed.alignment import Text, align_text, write
from heed.cli.output_lines import one_line
from heed.cli.translate_lines import write_translations
from heed.errors import UserError
from heed.export.page import write_page
from heed.files import replace_folder
from heed.maps import Map
from heed.translator import load
from tests.support import model_folder

FOREIGN = "years of work"


def kept(refused: UserError) -> str:
    """The output of the refused command, read from the path in its message."""
    found = re.search(r"; what was to be written is in (\S+)$", str(refused))
    assert found, refused
    return Path(found[1]).read_text(encoding="utf-8")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return model_folder.write(tmp_path / "model")


def test_translations_do_not_replace_a_file_that_has_appeared(tmp_path: Path, model: Path) -> None:
    """Catches a file of another program that is lost because the finished output is renamed over it."""
    output = tmp_path / "late.fr"

    def waiting() -> Iterator[list[bytes]]:
        yield [b"a dog barks"]
        output.write_text(FOREIGN)
        yield [b"a cat"]

    translator = load(model)
    with pytest.raises(UserError, match=r"^output=.*late\.fr already exists; remove it, or choose") as refused:
        write_translations(str(output), waiting(), lambda lines, _first: translator.translate(lines), one_line, None)
    assert output.read_text() == FOREIGN
    assert kept(refused.value).count("\n") == 2


@pytest.mark.parametrize("late", ["a.align", "a.align.report.json", "a.npz"])
def test_an_alignment_does_not_replace_a_file_that_has_appeared(tmp_path: Path, model: Path, late: str) -> None:
    text = Text(["a dog barks"], ["un chien aboie"], ["0-0 1-1 2-2"], "a.gold")
    aligned = align_text(load(model), text, keep_maps=True)
    (tmp_path / late).write_text(FOREIGN)

    with pytest.raises(UserError, match=r"already exists|exists and was not written") as refused:
        write(aligned, tmp_path / "a.align", tmp_path / "a.npz")
    assert (tmp_path / late).read_text() == FOREIGN
    part = re.search(r"; what was to be written is in (\S+)$", str(refused.value))
    assert part
    assert Path(part[1]).name.startswith(f".{late}.")
    assert Path(part[1]).stat().st_size > 0


def test_weights_do_not_replace_a_file_that_appears_while_they_are_written(tmp_path: Path, model: Path) -> None:
    """Catches a check that is made only before the links, which are written first."""
    weights = tmp_path / "a.npz"
    aligned = align_text(load(model), Text(["a dog barks"], ["un chien aboie"]), keep_maps=True)

    class Maps(list[Map]):
        def __iter__(self) -> Iterator[Map]:
            weights.write_text(FOREIGN)
            return super().__iter__()

    with pytest.raises(UserError, match=r"^weights=.*a\.npz already exists; remove it, or choose") as refused:
        write(replace(aligned, maps=Maps(aligned.maps)), tmp_path / "a.align", weights)
    assert weights.read_text() == FOREIGN
    part = re.search(r"; what was to be written is in (\S+)$", str(refused.value))
    assert part
    with np.load(part[1]) as arrays:
        np.testing.assert_array_equal(arrays["0"], aligned.maps[0].between_words)


def test_a_page_does_not_replace_a_file_that_has_appeared(tmp_path: Path, model: Path) -> None:
    output = tmp_path / "late.html"

    class Examples(list[str]):
        def __iter__(self) -> Iterator[str]:
            output.write_text(FOREIGN)
            return super().__iter__()

    with pytest.raises(UserError, match=r"late\.html exists and is not a page of heed") as refused:
        write_page([model], output, examples=Examples(["a dog barks"]))
    assert output.read_text() == FOREIGN
    assert kept(refused.value).startswith("<!")


def test_a_folder_does_not_replace_one_that_has_appeared(tmp_path: Path) -> None:
    """Catches a foreign file that is removed because it has the name of one of heed's files."""
    folder = tmp_path / "late"

    def check() -> None:
        if (folder / "config.json").exists():
            raise UserError("late is of another program")

    def fill(new: Path) -> None:
        (new / "config.json").write_text("{}")
        folder.mkdir()
        (folder / "config.json").write_text(FOREIGN)

    with pytest.raises(UserError, match="another program"):
        replace_folder(folder, fill, ["config.json"], check)
    assert (folder / "config.json").read_text() == FOREIGN
    assert [path.name for path in tmp_path.iterdir()] == ["late"]
