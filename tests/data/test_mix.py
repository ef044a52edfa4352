"""Several corpora as one: what each part gives, what is left out, and the errors of a wrong part."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from heed.data.cleaning import SCORED, clean
from heed.data.corpus import Corpus, Pairs
from heed.data.named import own_corpus
from heed.data.prepared import fingerprint
from heed.data.readers import read_corpus
from heed.data.summary import summarise, table
from heed.errors import UserError
from tests.support.commands import forked

OWN = {"reader": "tiny", "train": "valid", "valid": "test", "test": "train"}


def write(prefix: Path, en: str, fr: str) -> str:
    for lang, lines in (("en", en), ("fr", fr)):
        prefix.with_name(f"{prefix.name}.{lang}").write_text(lines.replace("/", "\n") + "\n", encoding="utf-8")
    return str(prefix)


def mix(**parts: Mapping[str, Any]) -> Corpus:
    return read_corpus({"reader": "mix", "parts": parts})


@pytest.fixture
def three(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """A corpus with validation and test splits, and two further parts with pairs that must not be used for training."""
    own = write(tmp_path / "own", "a/b/c", "A/B/C")
    valid, test = write(tmp_path / "valid", "v", "V"), write(tmp_path / "test", "t", "T")
    further = write(tmp_path / "further", "d/ v/e/a/e", "D/X/T/A/E")
    turned = write(tmp_path / "turned", "f/g/v", "F/G/H")
    return {
        "own": dict(reader="files", src_lang="en", tgt_lang="fr", train=own, valid=valid, test=test),
        "further": dict(reader="files", train=further, weight=0.5),
        "turned": dict(reader="files", train=turned, src_lang="fr", tgt_lang="en", weight=2),
    }


def test_parts_follow_one_another_and_the_first_gives_the_rest(three: dict[str, dict[str, Any]]) -> None:
    """Catches a part that is lost, one that is read in the wrong direction, and a validation split of another part."""
    corpus = mix(**three)
    train = corpus.read("train")
    assert (corpus.src_lang, corpus.tgt_lang) == ("en", "fr")
    assert train.src == ["a", "b", "c", "d", "a", "e", "F", "G"]
    assert train.tgt == ["A", "B", "C", "D", "A", "E", "f", "g"]
    assert list(train.part) == [0, 0, 0, 1, 1, 1, 2, 2]
    assert [corpus.read(split).src for split in ("valid", "test")] == [["v"], ["t"]]


def test_text_of_valid_or_test_is_left_out_and_counted(three: dict[str, dict[str, Any]]) -> None:
    """Catches training on a sentence, of either side and in either direction, that the model is scored on."""
    parts = mix(**three).read("train").parts
    assert [(part.name, part.weight, part.read, part.scored) for part in parts] == [
        ("own", 1, 3, 0),
        ("further", 0.5, 5, 2),
        ("turned", 2, 3, 1),
    ]


def test_each_part_is_counted_with_duplicates_across_parts(three: dict[str, dict[str, Any]]) -> None:
    """Catches a duplicate of two parts that is used twice, and counts under the name of another part."""
    corpus = mix(**three)
    kept, report = clean(corpus.read("train"))
    assert kept.src == ["a", "b", "c", "d", "e", "F", "G"]
    assert list(kept.part) == [0, 0, 0, 1, 1, 2, 2]
    assert [(one.read, one.kept) for one in report.parts] == [(3, 3), (5, 2), (3, 2)]
    assert [one.dropped["duplicate"] for one in report.parts] == [0, 1, 0]
    assert (report.read, report.dropped[SCORED], report.kept) == (11, 3, 7)
    shown = table(summarise(report, {"train": kept, "valid": corpus.read("valid")}, {}))
    assert re.search(r"readings in an epoch +3 +1 +4\n", shown + "\n")
    assert re.search(r"in valid or test +0 +2 +1\n", shown)


def test_a_part_alone_is_the_corpus_itself() -> None:
    """Catches a mix that reorders or drops pairs of its first part, so that it cannot be compared with it."""
    alone, mixed = read_corpus(OWN), mix(own=OWN)
    one, other = alone.read("train"), mixed.read("train")
    assert (one.src, one.tgt, one.gold) == (other.src, other.tgt, other.gold)


def test_both_directions_need_no_setting_of_their_own() -> None:
    """Catches alignments that are not exchanged with the text, and a second direction that is read as the first."""
    corpus = mix(there=OWN, back=OWN | {"src_lang": "fr", "tgt_lang": "en"})
    train, half = corpus.read("train"), len(read_corpus(OWN).read("train"))
    assert (train.src[half:], train.tgt[half:]) == (train.tgt[:half], train.src[:half])
    assert train.gold is not None
    assert train.gold[0].split()[0].split("-") == train.gold[half].split()[0].split("-")[::-1]


def test_a_language_that_a_part_does_not_give_is_that_of_the_first(tmp_path: Path) -> None:
    """Catches a part that must repeat both languages to give one of them."""
    train = write(tmp_path / "more", "d", "D")
    more = mix(a={"reader": "tiny"}, b={"reader": "files", "train": train, "src_lang": "en"})
    assert more.read("train").tgt[-1] == "D"


def test_a_part_of_weight_0_is_not_read(three: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """Catches a pair dropped as the duplicate of one that is never read, and a refusal because of the weight 0."""
    three["own"]["weight"] = 0
    kept, report = clean(mix(**three).read("train"))
    assert kept.src == ["d", "a", "e", "F", "G"]
    assert report.parts[0].read == 0


def test_no_validation_split_is_drawn_from_a_further_part(tmp_path: Path) -> None:
    """Catches pairs of a further part that are kept from training for a validation split that is never used."""
    lines = "/".join(f"w{number}" for number in range(100))
    extra = {"reader": "files", "train": write(tmp_path / "extra", lines, lines)}
    assert [part.read for part in mix(own=OWN, extra=extra).read("train").parts] == [500, 100]


def test_alignments_of_only_some_parts_are_not_used(three: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """Catches links of one part that are assigned to the pairs of another."""
    own = three["own"]
    Path(f"{own['train']}.align").write_text("0-0\n0-0\n0-0\n")
    assert mix(**three).read("train").gold is None
    assert mix(own=own, more=three["further"] | {"weight": 0}).read("train").gold == ["0-0"] * 3


def test_another_weight_changes_the_fingerprint(three: dict[str, dict[str, Any]]) -> None:
    """Catches a run that continues with other weights, and a cached corpus with the weights of another run."""
    train = [mix(**three).read("train"), mix(**three).read("train")]
    three["further"]["weight"] = 0.6
    train.append(mix(**three).read("train"))
    names = [fingerprint({"train": each}) for each in train]
    assert names[0] == names[1] != names[2]
    assert fingerprint({"train": Pairs(train[0].src, train[0].tgt)}) != names[0]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "corpus.parts: has no value; give corpus.parts=…, such as '{own: {reader: tiny}}'"),
        ({"a": {"reader": "tiyn"}}, "corpus.parts.a.reader=tiyn: there is no such reader; expected"),
        ({"a": {"reader": "files", "train": "x"}}, "corpus.parts.a.src_lang: has no value; give corpus.parts.a.src_l"),
        ({"a": OWN, "b": {"reader": "reverse"}}, "corpus.parts.b is from digits to reversed; expected en to fr as in"),
        ({"a": OWN | {"weight": -1}}, "corpus.parts.a.weight=-1: should be a number from 0 to 1000"),
        ({"a": OWN | {"weight": float("nan")}}, "corpus.parts.a.weight=NaN: should be a number from 0 to 1000"),
        ({"a": OWN | {"weight": True}}, "corpus.parts.a.weight=true: should be a number from 0 to 1000"),
        ({"a": OWN | {"wieght": 1}}, "corpus.parts.a.wieght=1: there is no such key"),
        ({"a": OWN | {"weight": 0}}, "corpus.parts: every weight is 0; give one part a larger weight"),
        ({"a": {"reader": "mix"}}, "corpus.parts.a.reader=mix: should be the name of another reader, such as files"),
        ({"a": {"reader": "tiny", "src_lang": "fr"}}, "corpus.parts.a: corpus.parts.a.src_lang=fr and"),
        (
            {"a": dict(reader="files", src_lang="en", tgt_lang="de"), "b": {"reader": "tiny"}},
            "corpus.parts.b is from en to fr; expected en to de",
        ),
        (
            {"a": dict(reader="files", src_lang="fr", tgt_lang="de"), "b": {"reader": "tiny"}},
            "corpus.parts.b is from en to fr; expected fr to de",
        ),
        ({"a": "tiny"}, "corpus.parts="),
    ],
)
def test_a_wrong_part_is_one_line(parts: dict[str, Any], message: str) -> None:
    """Catches a wrong part that ends in a traceback, or only in the middle of a run."""
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        mix(**parts)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"reader": "files"}, "corpus mix-b has no train split; set corpus.parts.b.train=…"),
        ({"reader": "files", "train": "corpus"}, "corpus.en does not exist; check the path"),
        (
            {"reader": "multi30k", "root": "/none", "pair": "fr-en"},
            "/none/train.fr.gz does not exist; copy it there",
        ),
    ],
)
def test_a_part_that_cannot_be_read_is_named(part: dict[str, Any], message: str) -> None:
    """Catches advice about a key of another corpus, and a file name that is taken for a key."""
    with pytest.raises(UserError, match=f"^corpus.parts.b: {re.escape(message)}"):
        mix(a={"reader": "tiny"}, b=part).read("train")


def test_a_model_folder_finds_its_mix_again(three: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """Catches an evaluation that cannot find the corpus of its own run, and untrusted paths inside a part."""
    settings = {"reader": "mix", "name": "mix", "parts": three}
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(UserError, match="outside"):
        own_corpus({"corpus": settings}, run / "model")
    (run / "config.yaml").write_text(yaml.safe_dump({"corpus": settings}), encoding="utf-8")
    assert own_corpus({"corpus": settings}, run / "model").read("test").src == ["t"]


def test_an_untrusted_model_folder_names_no_server_in_a_part() -> None:
    """Catches a request to an address that an untrusted model folder names."""
    fetched = {"reader": "multi30k", "url": "http://127.0.0.1:9/"}
    corpus = own_corpus({"corpus": {"reader": "mix", "parts": {"own": fetched}}}, Path("model"))
    assert "127.0.0.1" not in repr(corpus.splits)


def test_parts_can_be_given_on_the_command_line(tmp_path: Path) -> None:
    """Catches a mix that can only be described in a file, and a part that cannot be changed or added by its name."""
    one = "corpus.parts={own: {reader: tiny, weight: 2}}"
    more = "+corpus.parts.more={reader: reverse}"
    changed = ["corpus.parts.own.weight=3", "corpus.parts.more.weight=0.5"]  # the second has no weight before
    shown = forked(tmp_path, "train", "corpus=mix", one, more, *changed, "--cfg", "job")
    assert yaml.safe_load(shown.out)["corpus"]["parts"] == {
        "own": {"reader": "tiny", "weight": 3},
        "more": {"reader": "reverse", "weight": 0.5},
    }
