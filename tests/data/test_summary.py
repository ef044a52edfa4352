"""The summary of a corpus: counts of every split, and warnings."""

import json

import pytest

from heed.data.cleaning import clean
from heed.data.corpus import Pairs
from heed.data.encoded import encode
from heed.data.summary import Summary, leakage, summarise, table
from heed.text.subwords import train_pair


def test_leakage_counts_sources_and_whole_pairs() -> None:
    train = Pairs(["a", "b", "c"], ["1", "2", "3"])
    assert leakage(Pairs(["a", "a", "b", "d"], ["1", "9", "9", "1"]), train) == (3, 1)
    assert leakage(train, train) == (3, 3)
    assert leakage(Pairs([" a", "b "], ["1\t", "9"]), train) == (2, 1)  # white space around a side does not count


def shown(train: Pairs, valid: Pairs) -> str:
    kept, report = clean(train)
    src, tgt = train_pair(kept.src, kept.tgt, kind="char", vocab_size=100)
    splits = {"train": kept, "valid": valid}
    return table(summarise(report, splits, {name: encode(pairs, src, tgt).unk_rates for name, pairs in splits.items()}))


def test_the_table_has_every_split() -> None:
    valid = Pairs(["a cat", "", "a dog"], ["une vache", "", "un boeuf"])
    lines = shown(Pairs(["a dog", "a cat", "", "a cat"], ["un chien", "un chat", "", "un chat"]), valid).splitlines()
    cells = {line[:27].strip(): line[27:].split(maxsplit=1) for line in lines}
    assert cells["pairs read"] == ["4", "3"]
    assert cells["empty"] == ["1", "1 kept"]
    assert cells["duplicate"] == ["1", "–"]
    assert cells["pairs kept"] == ["2", "3"]
    assert cells["source also in train"] == ["–", "2"]
    assert cells["pair also in train"] == ["–", "0"]
    assert cells["<unk> in source subwords"] == ["0.00%", "0.00%"]
    assert cells["<unk> in target subwords"][0] == "0.00%"
    assert float(cells["<unk> in target subwords"][1].rstrip("%")) > 0
    assert max(map(len, lines)) <= 100 or lines[-1].startswith("valid:")


def test_warnings_are_below_the_table() -> None:
    """Catches missing warnings about leakage and unknown subwords, which make scores hard to explain."""
    train = Pairs(["a dog", "a cat"], ["un chien", "un chat"])
    assert shown(train, Pairs(["a dog"], ["un chien"])).splitlines()[-1].startswith("valid: 1 of 1 pairs are also in")
    assert "of the subwords of one side are <unk>" in shown(train, Pairs(["zzyzx"], ["un chat"])).splitlines()[-1]
    assert "valid:" not in shown(train, Pairs(["a tac"], ["un chat"]))


def test_a_summary_survives_json() -> None:
    """Catches a count that is lost when the summary is cached."""
    kept, report = clean(Pairs(["a dog", "a cat", ""], ["un chien", "un chat", ""]))
    src, tgt = train_pair(kept.src, kept.tgt, kind="char", vocab_size=100)
    splits = {"train": kept, "valid": Pairs(["a", ""], ["un", "x"])}
    made = summarise(report, splits, {"valid": encode(splits["valid"], src, tgt).unk_rates})
    assert Summary.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_the_table_is_plain_text_whatever_the_terminal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches colour codes in text that is returned, not printed."""
    pairs = Pairs(["a dog", "a cat"], ["un chien", "un chat"])
    plain = shown(pairs, Pairs(["zzyzx"], ["un chat"]))
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert shown(pairs, Pairs(["zzyzx"], ["un chat"])) == plain
