"""A key that does not exist: a similar key, or the existing keys, are suggested."""

from pathlib import Path

import pytest

from heed.cli.config import compose
from heed.cli.keys import Keys, known_keys, suggestion
from heed.cli.overrides import parsed
from heed.errors import UserError


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("translate", ["search.beamsize=5"], "did you mean search.beam_size, a setting of search=beam?"),
        ("translate", ["search=beam", "search.beamsize=5"], "did you mean search.beam_size? ("),
        ("translate", ["search.nbest=5"], "search.n_best, a setting of search=beam, search=mbr or search=sample?"),
        ("translate", ["search.zzz=5"], "search.zzz; search=greedy has max_len, min_len, name, no_repeat_ngram ("),
        ("train", ["corpus=multi30k", "corpus.src=de"], "corpus=multi30k has name, pair, reader, root, test, url ("),
        (
            "train",
            ["corpus=multi30k", "corpus.languages=[de,en]"],
            "corpus=multi30k has name, pair, reader, root, test, url",
        ),
        ("train", ["corpus=multi30k", "corpus.pairs=de-en"], "did you mean corpus.pair?"),
        ("train", ["model.attention.haeds=3"], "did you mean model.attention.heads, a setting of attention=multi_head"),
        ("train", ["model.lr=3"], "did you mean optim.lr?"),
        ("serve", ["limits.foo=3"], "limits has beam_size, characters, max_len, seconds, sentences, waiting, weights"),
    ],
)
def test_a_wrong_key_is_reported_with_one_of_its_own_group(name: str, overrides: list[str], message: str) -> None:
    """Catches search.name suggested for search.beamsize only because both begin with `search.`."""
    with pytest.raises(UserError) as refused:
        compose(name, overrides)
    assert message in str(refused.value)


@pytest.fixture(scope="module")
def keys() -> Keys:
    found = known_keys("train", [parsed("corpus=multi30k")], [])
    assert found is not None
    return found


def test_a_letter_too_few_never_leads_out_of_the_group(keys: Keys) -> None:
    """Catches a suggestion from another group because the group's name is compared too."""
    wrong = []
    for key in (*keys.known, *keys.elsewhere):
        group, dot, name = key.rpartition(".")
        typed = f"{group}{dot}{name[:-1]}"
        if len(name) > 3 and typed not in keys.known and f"did you mean {group}{dot}" not in suggestion(typed, keys):
            wrong.append(typed)
    assert wrong == []


def test_a_key_unlike_all_others_is_answered_with_the_keys_of_its_group(keys: Keys) -> None:
    """Catches a misleading suggestion, and a list with keys of an option that is not chosen."""
    assert suggestion("corpus.xyzzy", keys) == "; corpus=multi30k has name, pair, reader, root, test, url"
    assert suggestion("subwords.xyzzy", keys).startswith("; subwords=unigram has byte_fallback, character_coverage, ")
    assert suggestion("xyzzy", keys) == ""


@pytest.mark.parametrize("content", ["train: [a, b\n", "- train\n", "hid_dim: !!python/name:os.system\n"])
def test_an_option_without_settings_does_not_hide_the_mistake(tmp_path: Path, content: str) -> None:
    """Catches a traceback about a faulty option that was not chosen, when another key is misspelt."""
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/unfinished.yaml").write_text(content)
    with pytest.raises(UserError, match=r"did you mean optim\.lr\?"):
        compose("train", ["optim.lrr=0.1"], [tmp_path])
