"""The pronouncing dictionary, read from a small file in its format, from a folder and from a server."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from heed import bundle
from heed.data import cmudict as module
from heed.data.cmudict import FILE, divide
from heed.data.readers import read_corpus
from heed.errors import UserError
from tests.support.commands import forked

WORDS = [f"word{number:c}" for number in range(97, 123)]
DICTIONARY = "".join(
    f"{word} W ER1 D\n{word}(2) W AO1 R D # old\n{word}(3) W ER0 D\n" if word < "wordk" else f"{word} W ER1 D Z # new\n"
    for word in WORDS
)
SIZES = {"valid": 5, "test": 8}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "dictionary"
    folder.mkdir()
    (folder / FILE).write_text(DICTIONARY)
    monkeypatch.setattr(module, "DIGESTS", {FILE: hashlib.sha256(DICTIONARY.encode()).hexdigest()})
    return folder


@pytest.fixture
def url(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("HEED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(root))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_word_and_its_pronunciations_are_read_without_stress(root: Path) -> None:
    """Catches comments or numbers among phonemes, stress marks, and pronunciations that are equal without stress."""
    known = module.pronunciations(root / FILE)
    assert list(known) == WORDS
    assert known["worda"] == ["W ER D", "W AO R D"]
    assert known["wordz"] == ["W ER D Z"]


def test_other_pronunciations_are_used_for_training_and_as_further_references(root: Path) -> None:
    """Catches a second pronunciation that counts as an error, and references of another word."""
    corpus = read_corpus({"reader": "cmudict", "root": str(root), **SIZES})
    train, test = corpus.read("train"), corpus.read("test")
    several = [word for word in WORDS if word < "wordk"]
    assert all(train.src.count(word) == (2 if word in several else 1) for word in set(train.src))
    assert len(test) == 8
    for number, word in enumerate(test.src):
        assert test.tgt[number] == ("W ER D" if word in several else "W ER D Z")
        assert [lines[number] for lines in test.further] == (["W AO R D"] if word in several else [None])
    assert (corpus.src_lang, corpus.tgt_lang) == ("letters", "phonemes")


def test_no_word_is_in_two_splits(root: Path) -> None:
    """Catches a word of the test split whose second pronunciation is used for training, and a word that is lost."""
    corpus = read_corpus({"reader": "cmudict", "root": str(root), **SIZES})
    words = [set(corpus.read(split).src) for split in ("train", "valid", "test")]
    assert [len(each) for each in words] == [13, 5, 8]
    assert set.union(*words) == set(WORDS)


def test_a_word_stays_in_its_split() -> None:
    """Catches a split that depends on the other words of the dictionary."""
    before, after = (divide(words, SIZES)["test"] for words in (WORDS, [word for word in WORDS if word != "wordc"]))
    assert len(set(before) - set(after)) <= 1


def test_it_is_fetched_once_and_checked(url: str, root: Path, tmp_path: Path) -> None:
    """Catches a file that differs from the published one, and a download at every start."""
    settings = {"reader": "cmudict", "url": url, **SIZES}
    fetched = read_corpus(settings).read("test")
    (root / FILE).unlink()
    assert read_corpus(settings).read("test") == fetched
    (tmp_path / "cache" / "cmudict" / FILE).write_text("worda W ER1 D\n")
    with pytest.raises(UserError, match=r"cmudict\.dict is not the published file: its sha256"):
        read_corpus(settings).read("test")


def test_the_recipe_is_trained_and_scored_by_error_rates(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches settings that exclude each other, phonemes in several subwords, and reports without error rates."""
    monkeypatch.chdir(tmp_path)
    few = ["trainer.max_epochs=null", "trainer.max_steps=2", "trainer.validate_steps=2", "heatmaps=0"]
    corpus = [f"corpus.root={root}", *(f"corpus.{split}={size}" for split, size in SIZES.items())]
    trained = forked(tmp_path, "train", "experiment=g2p", *corpus, *few)
    assert trained.code == 0, trained.err
    assert "best model by PER" in trained.out + trained.err
    found = bundle.load(tmp_path / "runs" / "cmudict" / "model")
    assert found.tgt.pieces(found.tgt.encode("W ER D")) == ["▁", "W", "▁", "ER", "▁", "D"]
    assert found.src.encode("WordA") == found.src.encode("worda")
    assert {"per", "loss"} <= found.about["valid"].keys()
    evaluated = forked(tmp_path, "evaluate", "model=runs/cmudict/model", "heatmaps=0", "search.max_len=2")
    assert evaluated.code == 0, evaluated.err
    report = json.loads((tmp_path / "runs/cmudict/evaluate/test/report.json").read_text())
    assert report["wer"] == 100.0
    assert report["per"] > 0
    assert "PER signature" in evaluated.out


@pytest.mark.parametrize("sizes", [{"valid": -1}, {"test": 60_000}])
def test_impossible_sizes_are_refused_in_one_line(sizes: dict[str, int]) -> None:
    """Catches a test split that leaves nothing to train on."""
    with pytest.raises(UserError, match="expected 0 or more, 50,000 together at most"):
        read_corpus({"reader": "cmudict", **sizes})
