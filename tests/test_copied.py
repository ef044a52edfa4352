"""Unknown words of a translation become the source words that the model attended to."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from heed.copied import with_addresses, with_copied_words
from heed.maps import Line, read_lines, written_line
from heed.search.greedy import Hypothesis
from heed.search.registry import register
from heed.text.subwords import UNK, Subwords
from heed.translator import load
from tests.support.model_folder import write

LETTERS = Subwords.train(["the a b c d e . , l'eau! ( )"] * 5, "char", 40, normalization="identity")
KANA = Subwords.train(["ねこがねる。", "いぬがねる。"] * 5, "char", 40, normalization="identity")


def attending(columns: list[int], source: Line) -> Tensor:
    """Each subword attends to the first subword of the source word of this number, and a little to `</s>`."""
    weights = torch.zeros(len(columns) + 1, len(source.ids) + 1)
    weights[:, -1] = 0.6
    for row, word in enumerate(columns):
        weights[row, source.word_index.index(word)] = 0.4
    return weights


def of_text(text: str) -> list[int]:
    """Subwords that spell a text, with <unk> for X."""
    return [UNK if one == UNK else one for one in LETTERS.encode(text)]


@pytest.mark.parametrize(
    ("source", "written", "expected"),
    [
        ("the 猫 .", "a X .", "a 猫 ."),
        ("the 猫.", "a X.", "a 猫."),
        ("the U.S.", "a X.", "a U.S."),
        ("the U.S.", "a X", "a U.S."),
        ("a «Zoë»", "b (X)", "b (Zoë)"),
        ("a pizza", "a bXa", "a pizza"),
        ("a pizza", "a bXcXa, b", "a pizza, b"),
        ("the 猫", "l'X!", "l'猫!"),
        ("a 🙂🙂", "a X", "a 🙂🙂"),
        ("a 🙂", "a X.", "a 🙂."),
    ],
)
def test_unknown_subwords_are_replaced_by_a_source_word(source: str, written: str, expected: str) -> None:
    """Catches letters of both words in one word, doubled punctuation, and a word whose spelling was normalised."""
    (line,) = read_lines([source], LETTERS, spaced=True)
    before = written_line(of_text(written), LETTERS, spaced=True)
    after = with_copied_words(before, attending([1] * len(before.ids), line), line, LETTERS, spaced=True)
    assert (after.text, after.words) == (expected, expected.split())
    assert (after.ids, after.word_index, after.unknown) == (before.ids, before.word_index, before.unknown)


def test_each_unknown_subword_takes_the_word_that_it_attended_to() -> None:
    """Catches the attention of letters in the same word, or of another word, being used."""
    (line,) = read_lines(["一 二 三"], LETTERS, spaced=True)
    before = written_line(of_text("X a bX"), LETTERS, spaced=True)
    columns = [2 if piece == UNK else 0 for piece in before.ids]
    columns[before.ids.index(UNK)] = 1
    assert with_copied_words(before, attending(columns, line), line, LETTERS, spaced=True).text == "二 a 三"


def test_unknown_subwords_are_replaced_in_text_without_spaces() -> None:
    """Catches spaces between the words of both sides, and a source character that is lost."""
    (line,) = read_lines(["ねこが東京がねる。"], KANA, spaced=False)
    assert "東京" in line.words
    place = line.words.index("東京")
    before = written_line(KANA.encode("いぬX東がねる"), KANA, spaced=False)
    after = with_copied_words(before, attending([place] * len(before.ids), line), line, KANA, spaced=False)
    assert after.text == "いぬ東京がねる"
    assert "東京" in after.words


@pytest.mark.parametrize(
    ("subwords", "prefix", "rest", "expected"),
    [
        (LETTERS, "a Zoë", ". b c X", "a Zoë. b c 猫"),
        (LETTERS, "Zoë Ünal's", " a X", "Zoë Ünal's a 猫"),
        (LETTERS, "a Zoë", "'X.", "a Zoë'猫."),
        (KANA, "いぬ東", "がねるX", "いぬ東がねる猫"),
    ],
)
@pytest.mark.parametrize("replace_unk", [True, False])
def test_unknown_words_of_the_prefix_stay_as_typed(
    subwords: Subwords, prefix: str, rest: str, expected: str, replace_unk: bool
) -> None:
    """Catches a word that the user gave, replaced by a source word, and punctuation after it that is lost."""
    spaced = subwords is LETTERS
    (line,) = read_lines(["猫"], subwords, spaced=spaced)
    (begun,) = read_lines([prefix], subwords, spaced=spaced)
    ids = [*begun.ids, *subwords.encode(f"a{rest}")[len(subwords.encode("a")) :]]
    before = written_line(ids, subwords, spaced=spaced)
    after = with_copied_words(before, attending([0] * len(ids), line), line, subwords, spaced, begun, replace_unk)
    assert after.text == (expected if replace_unk else expected.replace("猫", "⁇"))
    assert "".join(after.words) == after.text.replace(" ", "")


def test_known_words_and_translations_of_an_empty_source_do_not_change() -> None:
    """Catches a text that changes although it has no unknown subword or the source has no word."""
    known = written_line(LETTERS.encode("a b"), LETTERS, spaced=True)
    (line,) = read_lines(["a b"], LETTERS, spaced=True)
    assert with_copied_words(known, attending([0] * len(known.ids), line), line, LETTERS, spaced=True) is known
    (empty,) = read_lines([""], LETTERS, spaced=True)
    unknown = written_line([UNK], LETTERS, spaced=True)
    assert with_copied_words(unknown, torch.ones(2, 1), empty, LETTERS, spaced=True) is unknown


def test_the_translator_replaces_unknown_words_only_on_request(tmp_path: Path) -> None:
    """Catches replace_unk that is ignored, and one that is on by default."""

    @register("unknowing")
    def unknowing(model: object, src: Tensor, src_len: Tensor, bos_id: int, eos_id: int) -> list[Hypothesis]:
        weights = torch.zeros(2, src.size(1))
        weights[:, 0] = 1
        return [Hypothesis([UNK], 0.0, weights[:, :length]) for length in src_len.tolist()]

    translator = load(write(tmp_path / "model"))
    assert translator.translate("猫 barks", "unknowing").text == "⁇"
    replaced = translator.translate(["猫 barks", ""], "unknowing", replace_unk=True)
    assert [one.text for one in replaced] == ["猫", ""]
    assert replaced[0].words == ["猫"]
    assert replaced[0].shown().tgt == ["猫⁇"]


LINES = ["see https://a.org/x now", "write to me@a.org now", "a b."]
KEEPING = Subwords.train(LINES * 3, "char", 60, normalization="identity", keep=["url", "email"])


def addressed(source: str, target: str, weights: list[list[float]], given: Sequence[str] = ()) -> Line:
    """The text that replaces the symbols of a target whose subwords attend to the source like this."""
    [src], ids = read_lines([source], KEEPING), KEEPING.encode(target)
    rows = torch.full((len(ids) + 1, len(src.ids) + 1), 0.01)
    symbols, typed = ([i for i, piece in enumerate(line) if piece in KEEPING.kept] for line in (ids, src.ids))
    for row, own in zip(symbols, weights, strict=True):
        for column, weight in zip(typed, own, strict=True):
            rows[row, column] = weight
    return with_addresses(written_line(ids, KEEPING, spaced=True), rows, src, (KEEPING, KEEPING), given)


@pytest.mark.parametrize(
    ("source", "target", "weights", "expected"),
    [
        ("see https://never.seen/é_(1)?a=b", "a ｟url｠.", [[0.2]], "a https://never.seen/é_(1)?a=b."),
        ("http://one.a http://two.b", "｟url｠ a ｟url｠", [[0.2, 0.5], [0.4, 0.3]], "http://two.b a http://one.a"),
        ("http://one.a http://two.b", "｟url｠ a ｟url｠", [[0.2, 0.5], [0.3, 0.9]], "http://one.a a http://two.b"),
        ("http://one.a", "｟url｠ a ｟url｠", [[0.2], [0.1]], "http://one.a a http://one.a"),
        ("x@y.org http://one.a", "｟url｠ ｟email｠", [[0.9, 0.1], [0.1, 0.9]], "http://one.a x@y.org"),
        ("a b", "a ｟url｠", [[]], "a ｟url｠"),
        ("see ｟url｠ b", "a ｟url｠", [[0.5]], "a ｟url｠"),
    ],
)
def test_addresses_are_put_back_as_they_were_typed(
    source: str, target: str, weights: list[list[float]], expected: str
) -> None:
    """Catches an address that is changed, lost or written twice instead of another, or that is of another kind."""
    line = addressed(source, target, weights)
    assert line.text == expected
    assert line.words == expected.split()


def test_an_address_of_the_prefix_is_kept() -> None:
    """Catches a translation that does not begin with its prefix."""
    line = addressed("http://one.a", "｟url｠ a ｟url｠", [[0.9], [0.1]], given=["http://mine.b"])
    assert line.text == "http://mine.b a http://one.a"


def test_an_address_and_unknown_subwords_can_be_in_one_word() -> None:
    """Catches a symbol that is replaced together with unknown letters beside it."""
    [src], ids = read_lines(["語 https://a.org/"], KEEPING), KEEPING.encode("語｟url｠語")
    rows = torch.full((len(ids) + 1, len(src.ids) + 1), 0.01)
    for row, piece in enumerate(ids):
        rows[row, next(i for i, other in enumerate(src.ids) if other == piece)] = 0.9
    line = with_copied_words(written_line(ids, KEEPING, True), rows, src, KEEPING, spaced=True)
    assert with_addresses(line, rows, src, (KEEPING, KEEPING)).text.count("https://a.org/") == 1
