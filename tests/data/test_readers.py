"""Corpus readers by name: one registration serves training, evaluation and sweeps, and settings are checked first."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from heed import extensions
from heed.data import registry
from heed.data.corpus import Corpus, Pairs
from heed.data.named import own_corpus
from heed.data.readers import read_corpus, reader, register
from heed.data.text_files import files
from heed.errors import UserError
from tests.support.commands import forked

OUTSIDE = """
from functools import partial
from pathlib import Path
from heed.data.corpus import Corpus, Pairs
from heed.data.readers import register

def _read(folder, split):
    lines = (folder / f"{split}.txt").read_text(encoding="utf-8").splitlines()
    return Pairs(*map(list, zip(*(line.split(" = ") for line in lines))))

@register("equations")
def equations(name: str, folder: Path, splits: tuple[str, ...] = ("train", "valid", "test")) -> Corpus:
    return Corpus(name, "en", "fr", {split: partial(_read, folder, split) for split in splits})
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed distribution with a reader, not yet imported, and text for it."""
    site = tmp_path / "site"
    about = site / "equations-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "heed_equations.py").write_text(OUTSIDE, encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: equations\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[heed.extensions]\nequations = heed_equations\n", encoding="utf-8")
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.txt").write_text(f"one {split} = un {split}\n", encoding="utf-8")
    monkeypatch.setattr(registry, "_READERS", dict(registry._READERS))
    monkeypatch.syspath_prepend(str(site))
    extensions.load.cache_clear()
    yield site
    sys.modules.pop("heed_equations", None)
    extensions.load.cache_clear()


def settings(tmp_path: Path) -> dict[str, Any]:
    return {"reader": "equations", "name": "outside", "folder": str(tmp_path)}


def test_a_reader_of_an_installed_extension_is_known_by_its_name(outside: Path, tmp_path: Path) -> None:
    """Catches a reader that training knows, but not evaluation, which reads its name from a model folder."""
    assert read_corpus(settings(tmp_path)).read("train").src == ["one train"]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump({"corpus": settings(tmp_path)}), encoding="utf-8")
    own = own_corpus({"corpus": settings(tmp_path)}, tmp_path / "run" / "model")
    assert own.read("test").tgt == ["un test"]


def test_importing_a_module_registers_its_reader(outside: Path, tmp_path: Path) -> None:
    """Catches a reader that can only be used if it is installed."""
    (outside / "equations-1.0.dist-info" / "entry_points.txt").unlink()
    with pytest.raises(UserError, match=r"corpus\.reader=equations: there is no such reader; expected files, tsv,"):
        read_corpus(settings(tmp_path))
    importlib.import_module("heed_equations")
    assert read_corpus(settings(tmp_path) | {"splits": ["train"]}).splits.keys() == {"train"}


@pytest.mark.parametrize("key", ["folder", "splits"])
def test_an_untrusted_folder_cannot_make_any_reader_read_files_outside(outside: Path, tmp_path: Path, key: str) -> None:
    """Catches paths that are checked only for heed's own readers, and paths in lists that are not checked."""
    inside = {"reader": "equations", "name": "outside", "folder": "here"}
    elsewhere = {"folder": "/etc", "splits": ["../../etc/passwd"]}[key]
    with pytest.raises(UserError, match="outside"):
        own_corpus({"corpus": inside | {key: elsewhere}}, tmp_path / "copied" / "model")
    with pytest.raises(UserError, match="outside"):
        own_corpus({"corpus": inside | {"folder": "ftp://somewhere/text"}}, tmp_path / "copied" / "model")


def test_an_extension_that_cannot_be_imported_is_named_and_harms_no_built_in_reader(
    outside: Path, tmp_path: Path
) -> None:
    """Catches a traceback from a module outside heed, and one broken extension that stops all of heed."""
    (outside / "heed_equations.py").write_text("import nothing_of_this_name", encoding="utf-8")
    assert reader("files") is files
    with pytest.raises(UserError, match=r"extension heed_equations of equations cannot be imported .*uninstall"):
        read_corpus(settings(tmp_path))


def test_a_name_is_registered_once() -> None:
    """Catches an extension that silently replaces one of heed's readers; loading a module again is allowed."""
    assert register("files")(reader("files")) is files
    with pytest.raises(ValueError, match=r"corpus reader files is already registered by heed\.data\..*files"):

        @register("files")
        def other(name: str) -> Corpus:
            raise NotImplementedError


FILES = {"reader": "files", "name": "n", "src_lang": "en", "tgt_lang": "fr", "train": "t"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {},
            r"^corpus\.reader=None: expected the name of a reader, such as files, tsv, reverse, dates, cmudict, "
            r"multi30k, tatoeba, tiny, mix$",
        ),
        ({"reader": "file"}, r"^corpus\.reader=file: there is no such reader; expected .*; did you mean files\?$"),
        (FILES | {"src_lan": "en"}, r"^corpus\.src_lan=en: there is no such key; did you mean src_lang\?$"),
        (FILES | {"tgt_lang": "???"}, r"^corpus\.tgt_lang: has no value; give corpus\.tgt_lang=…$"),
        (FILES | {"name": 3}, r"^corpus\.name=3: should be a valid string$"),
        ({"reader": "reverse", "train": "3"}, r"^corpus\.train=3: should be a valid integer$"),
        ({"reader": "reverse", "train": 3.0}, r"^corpus\.train=3\.0: should be a valid integer$"),
        ({"reader": "multi30k", "pair": "en-it"}, r"^corpus\.pair=en-it: should be 'en-de', 'en-fr', 'de-en' or"),
        ({"reader": "files"}, r"corpus\.name: has no value.*; corpus\.src_lang: has no value.*; corpus\.tgt_lang: "),
        ({"reader": "tiny", "src_lang": "de"}, r"^corpus\.src_lang=de: should be 'en' or 'fr'$"),
        ({"reader": "tiny", "src_lang": "fr"}, r"^corpus\.src_lang=fr and corpus\.tgt_lang=fr; expected en and fr,"),
    ],
)
def test_settings_that_a_reader_does_not_take_are_refused_in_one_line(given: dict[str, Any], message: str) -> None:
    """Catches a misspelt key that is ignored, and a traceback about arguments of an internal function."""
    with pytest.raises(UserError, match=message):
        read_corpus(given)


def test_correct_settings_are_accepted() -> None:
    assert read_corpus({"reader": "reverse", "train": 5, "valid": 0, "test": 0}).splits.keys() == {"train"}
    assert read_corpus(FILES).tgt_lang == "fr"


def test_the_tiny_corpus_is_found_in_any_directory_and_in_both_directions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a corpus that is only found in a checkout, and gold links that are not exchanged with the sides."""
    monkeypatch.chdir(tmp_path)
    forward, backward = (
        read_corpus({"reader": "tiny"}),
        read_corpus({"reader": "tiny", "src_lang": "fr", "tgt_lang": "en"}),
    )
    for split in ("train", "valid", "test"):
        there, back = forward.read(split), backward.read(split)
        assert (there.src, there.tgt) == (back.tgt, back.src)
        assert there.gold is not None
        assert back.gold is not None
        for src, tgt, line, turned in zip(there.src, there.tgt, there.gold, back.gold, strict=True):
            links = [link.replace("?", "-").split("-") for link in line.split()]
            assert turned.split() == [f"{j}{link[len(i)]}{i}" for link, (i, j) in zip(line.split(), links, strict=True)]
            assert all(int(i) < len(src.split()) and int(j) < len(tgt.split()) for i, j in links)


def test_a_reader_from_outside_works_in_the_commands(
    outside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a reader that training knows and evaluation refuses; its config is in a folder of the user."""
    monkeypatch.chdir(tmp_path)
    group = tmp_path / "configs" / "corpus"
    group.mkdir(parents=True)
    (group / "equations.yaml").write_text(yaml.safe_dump({**settings(tmp_path), "name": "own"}), encoding="utf-8")
    for split in ("train", "valid", "test"):
        lines = (f"{number} {split} = {split} {number}\n" for number in range(8))
        (tmp_path / f"{split}.txt").write_text("".join(lines), encoding="utf-8")
    sizes = ("emb_dim", "enc_dim", "hid_dim", "readout_dim", "attended_dim", "attention.att_dim")
    small = [f"model.{size}=8" for size in sizes]
    few = ["subwords=char", "trainer.max_epochs=null", "trainer.max_steps=2", "trainer.validate_steps=2", "heatmaps=0"]
    trained = forked(tmp_path, "train", "corpus=equations", *few, *small)
    assert trained.code == 0, trained.err
    evaluated = forked(tmp_path, "evaluate", "model=runs/own/model", "heatmaps=0", "search.max_len=2")
    assert evaluated.code == 0, evaluated.err
    assert "own, test, 8 sentences" in evaluated.out


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file", "pairs.json"), ValueError("line 3: no pair")])
def test_an_error_of_a_reader_is_one_line(error: Exception) -> None:
    """Catches a missing file of a reader that is reported as a removed run folder."""

    def read() -> Pairs:
        raise error

    with pytest.raises(UserError, match=r"^corpus mine cannot be read \(split train\): .*(pairs\.json|line 3: no)"):
        Corpus("mine", "en", "fr", {"train": read}).read("train")
