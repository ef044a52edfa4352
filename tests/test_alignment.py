"""Texts aligned from Python."""

from pathlib import Path

import pytest

from heed.alignment import Text, align_text, own_text, read_text, write
from heed.errors import UserError
from heed.metrics.alignment import write_pharaoh
from heed.translator import Translator, load
from tests.support.model_folder import SOURCES, TARGETS, write_lines
from tests.support.model_folder import write as write_model


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    return load(write_model(tmp_path_factory.mktemp("alignment") / "model"))


def test_a_text_in_memory_is_aligned_and_scored(translator: Translator, capfd: pytest.CaptureFixture[str]) -> None:
    """Catches links that differ from those of `Translator.align`, scores of other links, and a library that prints."""
    links = [sorted(one) for one in align_text(translator, Text(SOURCES, TARGETS), threshold=0.2).links]
    assert links == translator.align(SOURCES, TARGETS, threshold=0.2)

    gold = [write_pharaoh(frozenset(one)) for one in links]
    again = align_text(translator, Text(SOURCES, TARGETS, gold), threshold=0.2)
    assert again.scores is not None
    assert again.scores.aer == 0.0
    assert align_text(translator, Text(SOURCES, TARGETS, gold), level="piece").scores is None
    assert capfd.readouterr() == ("", "")


def test_files_are_read_and_written(translator: Translator, tmp_path: Path) -> None:
    """Catches a gold link to a word that does not exist, and a report that is written without gold."""
    paths = [str(tmp_path / name) for name in ("a.en", "a.fr", "gold")]
    for path, lines in zip(paths, (SOURCES, TARGETS, ["7-0"] * len(SOURCES)), strict=True):
        write_lines(Path(path), lines)
    with pytest.raises(UserError, match="gold, line 1: alignment link 7-0 in a pair of"):
        align_text(translator, read_text(*paths))

    write(align_text(translator, read_text(paths[0], paths[1])), tmp_path / "out" / "a.align")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.align"]


def test_a_folder_without_a_corpus_has_no_text(translator: Translator) -> None:
    """Catches a KeyError for a model that was trained elsewhere."""
    with pytest.raises(UserError, match="the model folder names no corpus"):
        own_text(translator)
