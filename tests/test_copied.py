"""Unknown words of a translation become the source words that the model attended to."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from heed.copied import with_addresses, with_source_words
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
    """Pieces that spell a text, in which X is unknown."""
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
def test_a_word_takes_the_place_of_what_is_unknown(source: str, written: str, expected: str) -> None:
    """Catches letters of both words side by side, punctuation twice, and a word of other spelling than was typed."""
    (line,) = read_lines([source], LETTERS, spaced=True)
    before = written_line(of_text(written), LETTERS, spaced=True)
    after = with_source_words(before, attending([1] * len(before.ids), line), line, LETTERS, spaced=True)
    assert (after.text, after.words) == (expected, expected.split())
    assert (after.ids, after.word_index, after.unknown) == (before.ids, before.word_index, before.unknown)


def test_each_takes_the_word_that_it_attended_to_itself() -> None:
    """Catches attention of the letters beside it, and of the neighbour."""
    (line,) = read_lines(["一 二 三"], LETTERS, spaced=True)
    before = written_line(of_text("X a bX"), LETTERS, spaced=True)
    columns = [2 if piece == UNK else 0 for piece in before.ids]
    columns[before.ids.index(UNK)] = 1
    assert with_source_words(before, attending(columns, line), line, LETTERS, spaced=True).text == "二 a 三"


def test_text_without_spaces_is_copied_into_as_well() -> None:
    """Catches words of both sides that are set apart, and a source character lost on the way."""
    (line,) = read_lines(["ねこが東京がねる。"], KANA, spaced=False)
    assert "東京" in line.words
    place = line.words.index("東京")
    before = written_line(KANA.encode("いぬX東がねる"), KANA, spaced=False)
    after = with_source_words(before, attending([place] * len(before.ids), line), line, KANA, spaced=False)
    assert after.text == "いぬ東京がねる"
    assert "東京" in after.words


def test_what_is_known_stays_and_an_empty_source_has_nothing_to_give() -> None:
    """Catches a text that changes for no reason."""
    known = written_line(LETTERS.encode("a b"), LETTERS, spaced=True)
    (line,) = read_lines(["a b"], LETTERS, spaced=True)
    assert with_source_words(known, attending([0] * len(known.ids), line), line, LETTERS, spaced=True) is known
    (empty,) = read_lines([""], LETTERS, spaced=True)
    unknown = written_line([UNK], LETTERS, spaced=True)
    assert with_source_words(unknown, torch.ones(2, 1), empty, LETTERS, spaced=True) is unknown


def test_the_translator_does_it_when_asked(tmp_path: Path) -> None:
    """Catches a switch that does nothing, and one that is on."""

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
    """Catches an address that is changed, lost or written twice instead of another, and one of another kind."""
    line = addressed(source, target, weights)
    assert line.text == expected
    assert line.words == expected.split()


def test_an_address_of_the_prefix_stays() -> None:
    """Catches a translation that begins otherwise than it was asked to."""
    line = addressed("http://one.a", "｟url｠ a ｟url｠", [[0.9], [0.1]], given=["http://mine.b"])
    assert line.text == "http://mine.b a http://one.a"


def test_a_word_may_take_an_address_and_a_word_for_what_is_unknown() -> None:
    """Catches a symbol that is replaced together with unknown letters beside it."""
    [src], ids = read_lines(["語 https://a.org/"], KEEPING), KEEPING.encode("語｟url｠語")
    rows = torch.full((len(ids) + 1, len(src.ids) + 1), 0.01)
    for row, piece in enumerate(ids):
        rows[row, next(i for i, other in enumerate(src.ids) if other == piece)] = 0.9
    line = with_source_words(written_line(ids, KEEPING, True), rows, src, KEEPING, spaced=True)
    assert with_addresses(line, rows, src, (KEEPING, KEEPING)).text.count("https://a.org/") == 1
