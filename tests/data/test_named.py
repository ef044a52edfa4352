"""What a model folder can name as its corpus."""

import pytest

from heed.data.named import own_corpus
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
    """Catches a folder from a stranger that makes evaluate call what it likes."""
    with pytest.raises(UserError, match=message):
        own_corpus({"corpus": corpus})


def test_what_a_model_folder_says_is_not_resolved() -> None:
    """Catches a folder that reads the environment into a report."""
    assert own_corpus({"corpus": {"reader": "reverse", "name": "${oc.env:HOME}"}}).name == "${oc.env:HOME}"
