"""The corpora that a model folder may name."""

import pickle
from pathlib import Path

import pytest
import yaml

from heed.data.named import UnreadableCorpus, own_corpus
from heed.errors import UserError


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        (None, "names no corpus"),
        ({}, "names no corpus"),
        ("files", "names no corpus"),
        ({"reader": "os.system", "command": "true"}, "names no corpus"),
        ({"reader": ["files"]}, "names no corpus"),
        ({"reader": "files", "name": "x"}, "src_lang, tgt_lang"),
        ({"reader": "reverse", "test": "x"}, "test"),
        ({"reader": "reverse", "_target_": "os.system"}, "_target_"),
        ({"reader": "reverse", "seed": {"_target_": "os.getcwd"}}, "seed"),
    ],
)
def test_a_model_folder_can_only_name_a_corpus(corpus: object, message: str) -> None:
    """Catches a folder from an untrusted source that makes evaluate call any function."""
    with pytest.raises(UserError, match=message):
        own_corpus({"corpus": corpus}, Path("model"))


def test_the_reason_is_known_without_the_advice() -> None:
    """Catches advice to give a text in a command that has no setting for it, and an error that pickling changes."""
    with pytest.raises(UnreadableCorpus) as refused:
        own_corpus({}, Path("model"))
    copy = pickle.loads(pickle.dumps(refused.value))
    assert copy.reason == "the model folder names no corpus that can be read"
    assert str(copy) == f"{copy.reason}; give the text to use (see --help)"


def test_what_a_model_folder_says_is_not_resolved() -> None:
    """Catches a folder that copies an environment variable into a report."""
    assert (
        own_corpus({"corpus": {"reader": "reverse", "name": "${oc.env:HOME}"}}, Path("model")).name == "${oc.env:HOME}"
    )


def test_a_run_may_be_evaluated_on_the_text_it_was_trained_on_wherever_that_is(tmp_path: Path) -> None:
    """Catches text outside the working directory that must be given again for every evaluation of a user's own run."""
    settings = {"name": "far", "src_lang": "en", "tgt_lang": "fr", "test": str(tmp_path / "test")}
    for lang in ("en", "fr"):
        (tmp_path / f"test.{lang}").write_text("a\n", encoding="utf-8")
    about = {"corpus": {"reader": "files"} | settings}
    with pytest.raises(UserError, match="outside"):
        own_corpus(about, tmp_path / "run" / "model")
    (tmp_path / "run").mkdir()
    config = {"corpus": {"_target_": "heed.data.text_files.files"} | settings}
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    assert own_corpus(about, tmp_path / "run" / "model").read("test").src == ["a"]
    with pytest.raises(UserError, match="outside"):
        own_corpus({"corpus": about["corpus"] | {"test": "/etc/passwd"}}, tmp_path / "run" / "model")
