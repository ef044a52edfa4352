"""Placeholders on their way from the training text to a translation and its alignment."""

from pathlib import Path

import pytest

from heed.translator import load
from tests.support.commands import forked
from tests.support.model_folder import write_lines
from tests.support.small_run import overrides

NAMES = ["a", "b", "c", "d"]
EN = [f"dear <name>, {one} sees {{0}} of {other}" for one in NAMES for other in NAMES]
FR = [f"cher <name>, {one} voit {{0}} de {other}" for one in NAMES for other in NAMES]

CORPUS = [
    *("corpus=files", "corpus.name=mail", "corpus.src_lang=en", "corpus.tgt_lang=fr"),
    *("corpus.train=mail", "corpus.valid=mail", "corpus.test=mail"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a model has learned sixteen sentences with `<name>` and `{0}`."""
    folder = tmp_path_factory.mktemp("mail")
    write_lines(folder / "mail.en", EN)
    write_lines(folder / "mail.fr", FR)
    small = [one for one in overrides(folder / "runs") if not one.startswith(("corpus", "subwords", "teacher"))]
    wanted = ["subwords.vocab_size=60", "subwords.user_defined_symbols=[<name>,{0}]", "heatmaps=0"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found = forked(folder, "train", *small, *CORPUS, *wanted, "run=mail")
    assert found.code == 0, found.err
    return folder / "runs" / "mail"


def test_placeholders_are_one_piece_and_one_word_for_the_model(folder: Path) -> None:
    """Catches a setting that a shell's or Hydra's grammar changes, and a model that reads `<`, `name`, `>`."""
    pair = load(folder / "model").force("dear <name>, a sees {0}", "cher <name>, a voit {0}")

    for pieces in (pair.source_pieces, pair.pieces):
        assert [piece for piece in pieces if piece in ("<name>", "{0}")] == ["<name>", "{0}"]
    assert pair.source_words == ["dear", "<name>,", "a", "sees", "{0}"]
    assert pair.attention.shape == (5, 5)
    assert {target for _, target in pair.alignment} <= {*range(5)}
    assert pair.unknown_words == []


def test_the_setting_is_part_of_the_run(folder: Path) -> None:
    """Catches a run that goes on with other symbols."""
    assert "user_defined_symbols:\n  - <name>\n  - '{0}'\n" in (folder / "config.yaml").read_text()
