"""Placeholders from the training text to a translation and its alignment."""

import json
from collections.abc import Iterator
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
    """A folder with a model that has learned sixteen sentences with `<name>` and `{0}`."""
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


def test_placeholders_are_one_subword_and_one_word_for_the_model(folder: Path) -> None:
    """Catches a symbol that Hydra's grammar changes, and a model that reads `<`, `name` and `>` separately."""
    pair = load(folder / "model").force("dear <name>, a sees {0}", "cher <name>, a voit {0}")

    for pieces in (pair.source_pieces, pair.pieces):
        assert [piece for piece in pieces if piece in ("<name>", "{0}")] == ["<name>", "{0}"]
    assert pair.source_words == ["dear", "<name>,", "a", "sees", "{0}"]
    assert pair.attention.shape == (5, 5)
    assert {target for _, target in pair.alignment} <= {*range(5)}
    assert pair.unknown_words == []


def test_the_setting_is_part_of_the_run(folder: Path) -> None:
    """Catches symbols that config.yaml lacks: a resumed run could then use other symbols unnoticed."""
    assert "user_defined_symbols:\n  - <name>\n  - '{0}'\n" in (folder / "config.yaml").read_text()


URLS = [f"{start}{one}.{end}" for one in NAMES for start, end in (("https://", "org/x?y=1"), ("www.", "net/(z)"))]
PEOPLE = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]
WITH_URLS = {
    "en": [f"{name} reads {url}, and writes to {name}@{other}.org." for url in URLS for name, other in PEOPLE],
    "fr": [f"{name} lit {url} et écrit à {name}@{other}.org !" for url in URLS for name, other in PEOPLE],
}


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a model that has learned to copy addresses."""
    folder = tmp_path_factory.mktemp("addresses")
    for language, lines in WITH_URLS.items():
        write_lines(folder / f"mail.{language}", lines)
    small = [one for one in overrides(folder / "runs") if not one.startswith(("corpus", "subwords", "teacher"))]
    longer = ["trainer.max_steps=120", "trainer.validate_steps=60", "model.dropout=0", "optim.lr=0.02", "metric=chrf"]
    wanted = ["subwords.vocab_size=60", "subwords.keep=[url,email]", "heatmaps=0", "early_stop=null", "run=mail"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found = forked(folder, "train", *small, *CORPUS, *longer, *wanted)
        assert found.code == 0, found.err
        yield folder


def test_an_address_that_was_never_seen_is_copied_letter_for_letter(addresses: Path) -> None:
    """Catches an address that is spelled in subwords, normalised or lost, in the translation or in the alignment."""
    url, email = "http://never.seen/ЖЖ/Ｘ_(ﬁ)?q=%C3%A9&½#", "someone.else+x@very-new.co.uk"
    source, written = f"b reads {url}, and writes to {email}.", f"b lit {url} et écrit à {email} !"

    found = forked(addresses, "translate", "model=runs/mail/model", stdin=f"{source}\n".encode())

    assert (found.code, found.out) == (0, f"{written}\n")
    one = load("runs/mail/model").translate(source, search="beam", n_best=2, replace_unk=True)
    assert (one.text, one.words) == (written, written.split())
    assert all(i < len(source.split()) and j < len(one.words) for i, j in one.alignment)


def test_validation_and_test_score_the_addresses_themselves(addresses: Path) -> None:
    """Catches scores of texts in which symbols replace the addresses, in validation or in evaluation."""
    found = forked(addresses, "evaluate", "model=runs/mail/model", "heatmaps=0")
    report = json.loads((addresses / "runs/mail/evaluate/test/report.json").read_text())
    best = json.loads((addresses / "runs/mail/report.json").read_text())["best"]

    assert found.code == 0, found.err
    assert (report["exact"], best["bleu"]) == (100, pytest.approx(100))
    assert (addresses / "runs/mail/evaluate/test/hypotheses.txt").read_text().splitlines() == WITH_URLS["fr"]


def test_a_page_that_cannot_copy_is_refused(addresses: Path) -> None:
    """Catches a page that shows symbols instead of addresses."""
    found = forked(addresses, "export", "to=page", "model=runs/mail/model", "output=mail.html")
    assert found.code == 2
    assert "was trained with subwords.keep" in found.line
    assert not (addresses / "mail.html").exists()
