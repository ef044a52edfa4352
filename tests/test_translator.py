"""The Translator: results are in order, independent of other lines, and have the right attention."""

import doctest
import math
import pickle
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jaxtyping import config
from torch import Tensor

import heed
import heed.evaluation
import heed.translation
import heed.translator
from heed import bundle
from heed.errors import UserError
from heed.models.seq2seq import Seq2Seq
from heed.search.greedy import Hypothesis, greedy
from heed.search.registry import register
from heed.text.subwords import BOS, EOS
from heed.translation import Translation
from heed.translator import Precision, Translator, device_named, load
from tests.support.model_folder import SOURCES, TARGETS, write, write_lines

SEARCHES: dict[str, dict[str, Any]] = {"greedy": {}, "beam": {"beam_size": 3}, "sample": {"seed": 3}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("run") / "model")


@pytest.fixture(scope="module")
def translator(folder: Path) -> Translator:
    return load(folder, precision="float32")


def texts(translator: Translator, lines: Sequence[str], **options: Any) -> list[str]:
    return [one.text for one in translator.translate(lines, **{"max_len": 12, **options})]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("max_len", [12, None])
def test_a_translation_depends_only_on_its_line(translator: Translator, search: str, max_len: int | None) -> None:
    """Catches an order that is not restored, padding that has an effect, and a length limit for a whole batch."""
    options = {"search": search, "max_len": max_len, **SEARCHES[search]}
    alone = [translator.translate(line, **options).text for line in SOURCES]

    assert len(set(alone)) > 3
    for batch_size in (2, None):
        assert texts(translator, SOURCES, batch_size=batch_size, **options) == alone


def test_a_str_gives_a_translation_and_any_iterable_a_list(translator: Translator) -> None:
    """Catches a str that is read as lines of one letter, and an iterator that is read twice."""
    one = translator.translate("a dog", max_len=12)
    assert isinstance(one, Translation)
    assert [str(each) for each in translator.translate(iter(["a dog", ""]), max_len=12)] == [one.text, ""]
    assert translator.translate([]) == []


def test_an_empty_line_stays_empty(translator: Translator) -> None:
    """Catches a translation of an empty line, empty lines that are dropped, and errors of their empty maps."""
    lines = ["", "a dog", "   ", "\t", "a dog"]
    found = translator.translate(lines, max_len=12, search="beam", n_best=2, prefix="un")

    assert [one.text for one in found if not one.source.strip()] == ["", "", ""]
    assert found[1].text == found[4].text != ""
    assert (found[0].attention.shape, found[0].alignment, found[0].weights(end=True).shape) == ((0, 0), [], (0, 1))


@pytest.mark.parametrize("search", SEARCHES)
def test_attention_belongs_to_the_words_of_both_sides(translator: Translator, search: str) -> None:
    """Catches columns for padding, </s> among the words, and weights of subwords that are lost in sums for words."""
    for one in translator.translate(SOURCES, search, max_len=12, **SEARCHES[search]):
        assert one.source_words == one.source.split()
        assert one.words == one.text.split()
        assert one.attention.shape == (len(one.words), len(one.source_words))
        assert one.attention.dtype == np.float32
        whole = one.weights(end=True)
        assert whole.shape == (len(one.words), len(one.source_words) + 1)
        np.testing.assert_array_equal(whole[:, :-1], one.attention)
        np.testing.assert_allclose(whole.sum(axis=1), 1.0, rtol=1e-5)
        assert one.weights("piece").shape == (len(one.pieces), len(one.source_pieces))
        links = {tgt: int(row.argmax()) for tgt, row in enumerate(one.attention) if row.any()}
        assert one.alignment == [(src, tgt) for tgt, src in links.items()]


def test_what_is_returned_can_be_changed_and_stored(translator: Translator) -> None:
    """Catches an array that is the stored one itself, and a translation that cannot be pickled."""
    one = translator.translate("a dog barks", max_len=12)
    before = one.attention.copy()
    one.attention[:] = 0
    np.testing.assert_array_equal(one.attention, before)
    again = pickle.loads(pickle.dumps(one))
    assert again == one
    np.testing.assert_array_equal(again.attention, before)


class TestNBest:
    @pytest.mark.parametrize(("search", "n_best"), [("beam", 3), ("sample", 4)])
    def test_candidates_are_sorted_best_first(self, translator: Translator, search: str, n_best: int) -> None:
        """Catches lists out of order, a best candidate that is not first, and candidates without attention."""
        (one,) = translator.translate(["a dog barks"], search, n_best=n_best, max_len=12)
        scores = [each.score for each in one.candidates]
        assert len(scores) == n_best
        assert scores == sorted(scores, reverse=True)
        assert one.candidates[0] is one
        for each in one.candidates:
            assert each.attention.shape == (len(each.words), 3)
            assert each.source == "a dog barks"

    def test_n_best_does_not_change_the_best_translation(self, translator: Translator) -> None:
        """Catches a search that ends earlier, with another translation, if fewer candidates are requested."""
        one, several, all_of_them = (
            translator.translate(SOURCES, "beam", max_len=12, n_best=count) for count in (1, 3, None)
        )
        assert [len(each.candidates) for each in all_of_them if each.source] == [5] * 5
        for first, second, third in zip(one, several, all_of_them, strict=True):
            assert first.text == second.text == third.text
            assert first.score == pytest.approx(second.score, abs=1e-5) == pytest.approx(third.score, abs=1e-5)


class TestPrefix:
    @pytest.mark.parametrize("search", SEARCHES)
    @pytest.mark.parametrize("prefix", ["un chien", "la", "deux oiseaux chantent"])
    def test_every_search_begins_with_the_prefix_and_scores_it(
        self, translator: Translator, search: str, prefix: str
    ) -> None:
        """Catches a prefix that is not in the score or in the attention, and prefix words that get more letters."""
        count = len(prefix.split())
        found = translator.translate(SOURCES, search, prefix=prefix, n_best=None, max_len=14, **SEARCHES[search])
        for line in (one for one in found if one.source):
            for one in line.candidates:
                assert one.words[:count] == prefix.split()
                assert one.piece_weights.shape[1] == len(one.src.ids) + 1
                assert len(one.piece_weights) - len(one.tgt.ids) in (0, 1)
                score, rows = stepped(translator, one.src.ids, one.tgt.ids, one.finished)
                length = ((5 + len(rows)) / 6) if search == "beam" else 1.0
                assert one.score == pytest.approx(score / length, abs=1e-4)
                torch.testing.assert_close(one.piece_weights, rows, rtol=1e-4, atol=1e-5)

    def test_a_prefix_of_the_greedy_translation_gives_the_same_translation(self, translator: Translator) -> None:
        """Catches a state that has not read the prefix: greedy search must continue its own beginning as before."""
        for source in filter(None, SOURCES):
            one = translator.translate(source, max_len=14)
            for count in range(1, len(one.words)):
                again = translator.translate(source, max_len=14, prefix=" ".join(one.words[:count]))
                if again.tgt.ids[: len(one.tgt.ids)] != one.tgt.ids:  # alone, those words have other subwords
                    forced = translator.bundle.tgt.encode(" ".join(one.words[:count]))
                    assert forced != one.tgt.ids[: len(forced)]

    def test_each_line_can_have_its_own_prefix(self, translator: Translator) -> None:
        """Catches the prefix of another line, and an empty prefix that changes the translation."""
        prefixes = ["un chat", "", "la", "deux oiseaux chantent", "le", "un"]
        together = translator.translate(SOURCES, prefix=prefixes, max_len=14)
        alone = [
            translator.translate(line, prefix=one, max_len=14) for line, one in zip(SOURCES, prefixes, strict=True)
        ]
        assert [one.text for one in together] == [one.text for one in alone]
        assert texts(translator, SOURCES, prefix="") == texts(translator, SOURCES)
        with pytest.raises(UserError, match="2 prefixes for 6 lines; expected one for all lines, or one for each"):
            translator.translate(SOURCES, prefix=["un", "le"])

    def test_a_prefix_is_never_cut(self, translator: Translator) -> None:
        """Catches a maximum length that cuts the prefix, and a beam search that finds nothing."""
        for search in ("greedy", "beam"):
            one = translator.translate("a dog", search, prefix="la petite maison est rouge", max_len=2)
            assert one.text == "la petite maison est rouge"
            assert not one.finished


@torch.no_grad()
def stepped(translator: Translator, src: list[int], tgt: list[int], finished: bool = True) -> tuple[float, Tensor]:
    """Log-probability and weights of a translation, one subword at a time."""
    model = translator.bundle.model
    assert isinstance(model, Seq2Seq)
    state, memory = model.encode(torch.tensor([[*src, EOS]]), torch.tensor([len(src) + 1]))
    wanted = [*tgt, EOS] if finished else tgt
    total, rows = 0.0, []
    for before, piece in zip([BOS, *wanted], wanted, strict=False):
        logits, state, weights = model.step(torch.tensor([before]), state, memory)
        total += float(torch.log_softmax(logits[0], 0)[piece])
        rows.append(weights[0])
    return total, torch.stack(rows)


class TestForced:
    @pytest.mark.parametrize("batch_size", [1, 2, None])
    def test_forcing_equals_single_steps_along_the_target(self, translator: Translator, batch_size: int | None) -> None:
        """Catches weights or probabilities of the subword before or after, and padding in a sum."""
        found = translator.force(SOURCES, TARGETS, batch_size=batch_size)
        assert [(one.source, one.text) for one in found] == list(zip(SOURCES, TARGETS, strict=True))
        for one in found:
            score, weights = stepped(translator, one.src.ids, one.tgt.ids)
            assert one.score == pytest.approx(score, rel=1e-5)
            torch.testing.assert_close(one.piece_weights, weights, rtol=1e-4, atol=1e-5)
        assert translator.score(SOURCES, TARGETS) == pytest.approx([one.score for one in found], rel=1e-5)
        assert translator.score(SOURCES[0], TARGETS[0]) == pytest.approx(found[0].score, rel=1e-5)

    def test_forcing_its_own_translation_gives_the_search_s_weights(self, translator: Translator) -> None:
        """Catches forced attention that is shifted compared with free attention."""
        compared = 0
        for one in translator.translate(SOURCES, max_len=12):
            if one.source and translator.bundle.tgt.encode(one.text) == one.tgt.ids:
                np.testing.assert_allclose(translator.force(one.source, one.text).attention, one.attention, atol=1e-5)
                compared += 1
        assert compared > 1

    def test_several_models_are_forced_as_one(self, translator: Translator, folder: Path, tmp_path: Path) -> None:
        """Catches scores and weights of only the first model."""
        other = write(tmp_path / "other", seed=4)
        both = load([folder, str(other)]).force(SOURCES, TARGETS)
        each = [one.force(SOURCES, TARGETS) for one in (translator, load(other))]
        for found, *apart in zip(both, *each, strict=True):
            assert found.score > min(one.score for one in apart)
            mean = torch.stack([one.piece_weights for one in apart]).mean(0)
            torch.testing.assert_close(found.piece_weights, mean)

    def test_different_numbers_of_sources_and_targets_are_refused(self, translator: Translator) -> None:
        """Catches pairs that are shifted silently."""
        with pytest.raises(UserError, match="6 sources and 1 targets; expected a target for each source"):
            translator.align(SOURCES, ["un chat"])

    def test_links_come_from_the_forced_pass(self, translator: Translator) -> None:
        """Catches links from other weights, links that are not sorted, and a list of lists for a str."""
        links = translator.align(SOURCES, TARGETS)
        pairs = translator.force(SOURCES, TARGETS)
        assert links == [sorted(one.alignment) for one in pairs]
        assert translator.align(SOURCES[0], TARGETS[0]) == links[0]
        assert links[2] == translator.align("", "un chat") == translator.align("a cat", "") == []

    def test_links_of_the_other_direction_are_merged(self, translator: Translator, tmp_path: Path) -> None:
        """Catches links of the second model whose sides are not swapped, and a model of the same direction."""
        reverse = load(write(tmp_path / "reverse", {"src_lang": "fr", "tgt_lang": "en"}, TARGETS, SOURCES))
        forward, backward = translator.align(SOURCES, TARGETS), reverse.align(TARGETS, SOURCES)
        merged = translator.align(SOURCES, TARGETS, reverse=reverse, symmetrisation="intersection")
        assert merged == [
            sorted(set(one) & {(src, tgt) for tgt, src in other}) for one, other in zip(forward, backward, strict=True)
        ]
        with pytest.raises(UserError, match="translates en to fr; expected a model of the other direction, fr to en"):
            translator.align(SOURCES, TARGETS, reverse=translator)


def test_several_threads_give_the_results_of_one(folder: Path) -> None:
    """Catches state that calls share, and copies of the weights in bfloat16 that are made at the same time."""
    translator = load(folder, precision="bfloat16")
    jobs: list[tuple[str, dict[str, Any]]] = [("greedy", {}), ("beam", {"n_best": 3}), ("sample", {"n_best": 2})] * 4
    results: list[Any] = [None] * len(jobs)
    started = threading.Barrier(len(jobs))

    def work(number: int) -> None:
        search, options = jobs[number]
        started.wait()
        results[number] = translator.translate(SOURCES, search, max_len=12, **options)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = load(folder, precision="bfloat16")
    for (search, options), found in zip(jobs, results, strict=True):
        expected = alone.translate(SOURCES, search, max_len=12, **options)
        assert [[each.text for each in one.candidates] for one in found] == [
            [each.text for each in one.candidates] for one in expected
        ]


def test_progress_is_reported_to_the_caller_and_nobody_else(
    translator: Translator, capfd: pytest.CaptureFixture[str]
) -> None:
    """Catches printed output, counts that fall or do not reach the end, and empty lines that are not counted."""
    done: list[tuple[int, int]] = []
    for search in SEARCHES:
        done.clear()
        translator.translate(SOURCES, search, max_len=5, batch_size=2, progress=lambda *counts: done.append(counts))
        assert done == sorted(done)
        assert len(done) > 1
        assert done[-1] == (len(SOURCES), len(SOURCES))
    done.clear()
    translator.force(SOURCES, TARGETS, batch_size=2, progress=lambda *counts: done.append(counts))
    assert done == [(2, 6), (4, 6), (6, 6)]
    assert capfd.readouterr() == ("", "")


def test_ctrl_c_ends_a_translation_and_not_the_translator(translator: Translator) -> None:
    """Catches an interrupt that is ignored, and a translator that gives other results after an interrupt."""

    def interrupt(*counts: int) -> None:
        raise KeyboardInterrupt

    before = texts(translator, SOURCES)
    with pytest.raises(KeyboardInterrupt):
        translator.translate(SOURCES, max_len=12, batch_size=1, progress=interrupt)
    assert texts(translator, SOURCES) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"search": "greddy"}, "search=greddy: there is no such search; expected .*; did you mean greedy"),
        ({"beam_size": 3}, "search.beam_size=3: search=greedy has no such setting"),
        ({"precision": "float32"}, "search.precision=float32: search=greedy has no such setting"),
        ({"spaced": True}, "search.spaced=true: search=greedy has no such setting"),
        (
            {"search": "beam", "beam_sise": 3},
            "search.beam_sise=3: search=beam has no such setting; did you mean beam_size",
        ),
        ({"search": "beam", "beam_size": "3"}, "search.beam_size=3: should be a valid integer"),
        ({"search": "beam", "beam_size": 0}, "search.beam_size=0: should be 1 to 10000"),
        ({"search": "beam", "n_best": 6}, "search.n_best must be .*, got n_best=6 and beam_size=5"),
        ({"search": "sample", "temperature": 0.0}, "search.temperature=0.0, expected 0.000001 to 1000000"),
        ({"n_best": 2}, "n_best=2: search=greedy returns only one translation; choose search=beam or search=sample"),
        ({"n_best": 0}, "n_best=0, expected 1 or more"),
        ({"batch_size": 0}, "batch_size=0, expected 1 or more"),
        ({"max_len": 0}, "search.max_len must be at least 1, got 0"),
        ({"max_len": 10**20}, f"search.max_len must be at most 1000000, got {10**20}"),
        ({"min_len": 10**20}, "search.min_len must be at least 1 and at most max_len"),
        ({"search": "sample", "temperature": 1e-320}, "expected 0.000001 to 1000000"),
        ({"search": "sample", "temperature": math.inf}, "search.temperature=inf, expected 0.000001 to 1000000"),
        ({"model": 1}, "search.model=1: search=greedy has no such setting"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(translator: Translator, options: dict[str, Any], message: str) -> None:
    """Catches a TypeError about an internal function, and a setting without effect."""
    with pytest.raises(UserError, match=message) as refusal:
        translator.translate("a dog", **options)
    assert "\n" not in str(refusal.value)


def last_word_first(model: Any, src: Tensor, src_len: Tensor, bos_id: int, eos_id: int, times: int = 1) -> Any:
    found = greedy(model, src, src_len, bos_id, eos_id, 5)
    return [
        Hypothesis(one.ids[::-1] * times, one.score, one.attention[: len(one.ids)].repeat(times, 1)) for one in found
    ]


def test_a_search_from_elsewhere_is_found_by_its_name(translator: Translator) -> None:
    """Catches searches that cannot be registered, and a prefix that such a search would silently ignore."""
    register("last_word_first")(last_word_first)
    plain = translator.translate("a dog barks", max_len=5)
    turned = translator.translate("a dog barks", "last_word_first", times=2)
    assert turned.tgt.ids == plain.tgt.ids[::-1] * 2
    with pytest.raises(UserError, match="search=last_word_first does not support a prefix"):
        translator.translate("a dog", "last_word_first", prefix="un")
    with pytest.raises(UserError, match=r"search\.times=x: should be a valid integer"):
        translator.translate("a dog", "last_word_first", times="x")
    with pytest.raises(ValueError, match=r"search last_word_first is already .*last_word_first"):
        register("last_word_first")(greedy)


def test_a_search_from_elsewhere_keeps_no_gradients(translator: Translator) -> None:
    """Catches a search whose own steps store values for a backward pass, which fills memory."""
    followed: list[bool] = []

    def steps(model: Any, src: Tensor, src_len: Tensor, bos_id: int, eos_id: int) -> list[Hypothesis]:
        logits, *_ = model.step(src.new_full((len(src),), bos_id), *model.encode(src, src_len))
        followed.append(logits.requires_grad)
        return greedy(model, src, src_len, bos_id, eos_id, 5)

    register("steps")(steps)
    translator.translate("a dog", "steps")
    assert followed == [False]


def in_pieces(model: Any, src: Tensor, src_len: Tensor, bos_id: int, eos_id: int, n_best: int = 9) -> Any:
    """Four hypotheses of a sentence; the first two write one text: the letters a and n, and the subword `an`."""
    weights = torch.full((3, src.size(1)), 1 / src.size(1))
    ids = [[30, 31], [32], [31], [30]]
    each = [Hypothesis(one, -float(rank), weights[: len(one) + 1]) for rank, one in enumerate(ids)]
    return [each[:n_best] for _ in src]


def draws(model: Any, src: Tensor, src_len: Tensor, bos_id: int, eos_id: int, n_best: int = 9) -> Any:
    """The same hypotheses, from a search that is registered as random."""
    return in_pieces(model, src, src_len, bos_id, eos_id, n_best)


def test_the_candidates_of_a_line_are_different_texts(translator: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches lists that contain a text twice, in other subwords, and the worse of the two that is kept."""
    register("in_pieces", n_best=True)(in_pieces)
    register("draws", n_best=True, random=True)(draws)
    spelling = {(30, 31): "an", (32,): "an", (31,): "n", (30,): "a"}
    monkeypatch.setattr(
        type(translator.bundle.tgt), "spell", lambda self, words: [spelling[tuple(ids)] for ids in words]
    )
    monkeypatch.setattr(type(translator.bundle.tgt), "word_index", lambda self, ids: [0] * len(ids))

    found = translator.translate("a dog", "in_pieces")
    assert found.others == ()
    found = translator.translate("a dog", "in_pieces", n_best=None)
    assert [(one.text, one.score) for one in found.candidates] == [("an", 0.0), ("n", -2.0), ("a", -3.0)]
    assert [one.text for one in translator.translate("a dog", "draws", n_best=2).candidates] == ["an", "an"]


def test_a_list_is_filled_from_the_beam(translator: Translator) -> None:
    """Catches a list that is too short because two of the best have the same text, although the beam has others."""
    for line in SOURCES:
        whole = [one.text for one in translator.translate(line, "beam", n_best=None, beam_size=6, max_len=9).candidates]
        assert len(set(whole)) == len(whole)
        for count in (2, 3):
            some = translator.translate(line, "beam", n_best=count, beam_size=6, max_len=9)
            assert [one.text for one in some.candidates] == whole[:count]


def test_a_line_too_long_is_cut_and_logged(
    translator: Translator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Catches a long line that takes all memory, a line that is cut silently, and words that are not counted."""
    monkeypatch.setattr("heed.translator.LONGEST", 5)
    short, long = "a dog", "a dog sees the old cat in the tree"

    found = translator.translate([short, long], max_len=12)

    count = len(translator.bundle.src.encode(long))
    assert caplog.messages == [f"source line 2 has {count} subwords; only the first 5 are read"]
    assert found[0].text == texts(translator, [short])[0]
    assert len(found[1].src.ids) == 5
    assert found[1].source_words == long.split()
    assert not found[1].attention[:, 5:].any()


def test_batches_of_long_lines_are_smaller(translator: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a batch whose memory grows with its longest line, and lines that are lost between two batches."""
    sizes = []

    def noting(model: Any, src: Tensor, src_len: Tensor, bos_id: int, eos_id: int) -> list[Hypothesis]:
        sizes.append(tuple(src.shape))
        return greedy(model, src, src_len, bos_id, eos_id, 12)

    register("noting")(noting)
    alone = [texts(translator, [line])[0] for line in SOURCES]
    monkeypatch.setattr("heed.passes.PIECES", 20)
    assert [one.text for one in translator.translate(SOURCES, "noting")] == alone
    assert max(rows for rows, _ in sizes) > 1
    assert all(rows == 1 or rows * (width - 1) <= 20 for rows, width in sizes)


def test_words_are_shown_as_they_were_typed(translator: Translator) -> None:
    """Catches `⁇` instead of a word that the model does not know."""
    one = translator.translate("a 猫-dog barks")
    assert one.source_words == ["a", "猫-dog", "barks"]
    assert one.shown().src == ["a", "猫-dog⁇", "barks"]
    forced = translator.force("a dog", "un 猫")
    assert (forced.words, forced.shown().tgt) == (["un", "猫"], ["un", "猫⁇"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=6))
def test_any_text_has_a_translation(translator: Translator, lines: list[str]) -> None:
    """Catches characters, such as U+2028, NUL or a combining mark, that end a line, lose it or break its map."""
    found = translator.translate(lines, max_len=6, batch_size=3)
    assert [one.source for one in found] == lines
    for one in found:
        assert "\n" not in one.text
        assert one.attention.shape == (len(one.words), len(one.source_words))
        assert all(0 <= src < len(one.source_words) and 0 <= tgt < len(one.words) for src, tgt in one.alignment)


def test_the_folder_can_be_anywhere(tmp_path: Path) -> None:
    """Catches a model folder that depends on its path."""
    here = texts(load(write(tmp_path / "one")), ["a dog"])
    (tmp_path / "one").rename(tmp_path / "two")

    assert texts(load(str(tmp_path / "two")), ["a dog"]) == here


@pytest.mark.parametrize("name", ["gpu", "cuda:77", ""])
def test_a_device_that_is_not_there_is_reported_in_one_line(name: str) -> None:
    """Catches errors of torch, including an AssertionError."""
    with pytest.raises(UserError, match=f"device={name}: ") as refusal:
        device_named(name)
    assert "\n" not in str(refusal.value)


def test_auto_finds_a_device() -> None:
    """Catches a default that fails without a GPU."""
    assert torch.empty(0, device=device_named("auto")).device.type in ("cpu", "cuda")


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("precision", get_args(Precision))
def test_the_precision_of_a_search(
    monkeypatch: pytest.MonkeyPatch, folder: Path, fast: bool, precision: Precision
) -> None:
    """Catches a precision that is ignored, scores that it rounds, and random searches that depend on the CPU."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": fast})
    seen = []

    def looking(model: Any, src: Tensor, src_len: Tensor, bos_id: int, eos_id: int) -> list[Hypothesis]:
        seen.append(model.decoder.output.weight.dtype)
        return greedy(model, src, src_len, bos_id, eos_id, 5)

    register("looking")(looking)
    register("looking_random", random=True)(looking)
    translator, exact = load(folder, precision=precision), load(folder, precision="float32")
    translator.translate("a dog", "looking")
    translator.translate("a dog", "looking_random")
    low = {"auto": fast, "float32": False, "bfloat16": True}[precision]
    drawn = precision == "bfloat16"
    assert seen == [torch.bfloat16 if one else torch.float32 for one in (low, drawn)]
    assert translator.score(SOURCES, TARGETS) == exact.score(SOURCES, TARGETS)


def test_the_copy_in_bfloat16_shares_weights_that_it_does_not_round(folder: Path) -> None:
    """Catches a copy that needs twice the memory, and one that rounds the weights used for scores."""
    translator = load(folder, precision="bfloat16")
    before = translator.score(SOURCES, TARGETS)
    translator.translate("a dog", max_len=3)
    rounded, own = translator._rounded, translator.bundle.model
    assert isinstance(rounded, Seq2Seq)
    assert isinstance(own, Seq2Seq)
    assert rounded.encoder.embedding.weight is own.encoder.embedding.weight
    assert {one.dtype for one in own.parameters()} == {torch.float32}
    assert translator.score(SOURCES, TARGETS) == before


def test_a_translation_can_be_drawn(translator: Translator, tmp_path: Path) -> None:
    """Catches a plot that fails for an empty translation, or that needs a display."""
    translator.translate("a dog barks").plot(end=True).savefig(tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 1000
    translator.translate("").plot()


def test_a_notebook_shows_the_map(translator: Translator) -> None:
    """Catches HTML in which a word of the text becomes markup."""
    pytest.importorskip("heed.viz.attention_map")
    one = translator.translate("a <b>dog</b> barks", "beam", n_best=3)
    assert "<b>dog" not in one._repr_html_()


@pytest.fixture
def small_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run folder that the examples in docstrings use."""
    monkeypatch.chdir(tmp_path)
    write_lines(Path("own/test.en"), SOURCES)
    write_lines(Path("own/test.fr"), TARGETS)
    own = {"reader": "files", "name": "own", "src_lang": "en", "tgt_lang": "fr", "test": "own/test"}
    write(Path("runs/tiny/model"), {"src_lang": "en", "tgt_lang": "fr", "corpus": own})


@pytest.mark.parametrize("module", [heed.translator, heed.translation, heed.evaluation])
@pytest.mark.usefixtures("small_run")
def test_examples_of_docstrings_run(module: ModuleType) -> None:
    """Catches an example that no longer works."""
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed


def test_bundles_can_be_given(folder: Path) -> None:
    """Catches a translator that needs a path: training has the model in memory."""
    assert texts(Translator(bundle.load(folder), "float32"), ["a dog"]) == texts(
        load(folder, precision="float32"), ["a dog"]
    )


WRONG = {
    "translator.translate(['a dog', None])": "source line 2 is NoneType; expected a string of whole characters",
    "translator.translate('a \\ud800 dog')": "source line 1 is cut within a character (half of a surrogate pair)",
    "translator.translate(None)": "text is None; expected a line of text, or several",
    "translator.translate(b'a dog')": "text is of type bytes; expected a line of text, or several",
    "translator.translate({'a dog': 1})": "text is of type dict; expected a line of text, or several",
    "translator.translate('a dog', search=5)": "search=5: expected the name of a search, such as beam",
    "translator.translate('a dog', n_best='3')": "search.n_best='3', expected a whole number, 1 or more",
    "translator.translate('a dog', n_best=1.5)": "search.n_best=1.5, expected a whole number, 1 or more",
    "translator.translate('a dog', n_best=True)": "search.n_best=True, expected a whole number, 1 or more",
    "translator.translate('a dog', batch_size=1.5)": "batch_size=1.5, expected a whole number, 1 or more",
    "translator.translate('a dog', prefix='Le \\ud800')": "a prefix is cut within a character",
    "translator.translate('a dog', prefix=5)": "prefix is of type int; expected a line of text, or several",
    "translator.translate('a dog', prefix=[5])": "a prefix is int; expected a string of whole characters",
    "translator.translate('a dog', progress=5)": "progress is of type int; expected a function of the number of",
    "translator.alternatives('a dog', count=1.5)": "count=1.5, expected a whole number, 1 or more",
    "translator.alternatives('a dog', 5)": "prefix is of type int; expected a line of text, or several",
    "translator.score('a dog', None)": "targets is None; expected a line of text, or several",
    "translator.score('a dog', 'un', batch_size=0)": "batch_size=0, expected 1 or more",
    "translator.force([None], ['un'])": "source line 1 is NoneType; expected a string of whole characters",
    "translator.align('a', 'b', symmetrisation='foo')": "symmetrisation=foo: there is no such symmetrisation; choose",
    "translator.align('a', 'b', threshold='0.3')": "threshold='0.3', expected a number",
    "translator.align('a', 'b', reverse='runs/x')": "reverse is of type str; expected a Translator, as heed.load",
    "translator.align('a', 'b', noisy_copies=1.5)": "noisy_copies=1.5, expected a whole number, 0 or more",
    "translator.maps(translator.translate('a dog'))": "translations is of type Translation; expected several of them",
    "translator.maps(['a dog'])": "a translation is of type str; expected a Translation, as translate and force",
    "translator.maps([translator.translate('a dog')], level='letter')": "level=letter: there is no such level; choose",
    "translator.translate('a dog').map('letter')": "level=letter: there is no such level; choose word, piece",
    "translator.translate('a dog').weights('letter')": "level=letter: there is no such level; choose word, piece",
    "heed.align('runs/x', ['a'], ['b'])": "translator is of type str; expected a Translator, as heed.load returns it",
    "heed.load(folder, precision='half')": "precision=half: there is no such precision; choose auto",
    "heed.load(folder, device='gpu')": "device=gpu: expected auto, cpu, cuda, cuda:N for a number N, or mps",
    "heed.load(folder, device=None)": "device=None: expected auto, cpu, cuda, cuda:N for a number N, or mps",
    "heed.load(folder, device='meta')": "device=meta: expected auto, cpu, cuda, cuda:N for a number N, or mps",
    "heed.load(None)": "model is None; expected a model folder, such as runs/tiny/model, or several",
    "heed.evaluate('runs/x')": "translator is of type str; expected a Translator, as heed.load returns it",
    "heed.evaluate(translator, corpus=5)": "corpus=5: expected a Corpus, the name of a reader, or settings",
    "heed.evaluate(translator, corpus='tiny', split='tset')": "corpus tiny has no tset split; give split=",
    "heed.evaluate(translator, corpus='tiny', references=5)": "references is of type int; expected files",
    "heed.evaluate(translator, corpus='tiny', versus=5)": "versus=5: expected a model folder or the folder of an",
    "heed.train(5)": "experiment=5: expected the name of a recipe, such as multi30k_en_de",
    "heed.train(overrides='seed=2')": "overrides='seed=2': expected settings by dotted key, or strings",
    "heed.train(overrides={5: 3})": "overrides={5: 3}: expected settings by dotted key, or strings",
    "heed.train(progress='no')": "progress='no': expected True, False, or a Reporter",
    "heed.train(attention=5)": "attention='5': attention is one of additive, article",
}


def test_arguments_of_a_wrong_type_are_refused_in_one_line(folder: Path) -> None:
    """Catches an error from inside SentencePiece, and a misspelt choice that is taken for another."""
    config.update("jaxtyping_disable", True)  # the checks of the tests would refuse these arguments first
    names = {"heed": heed, "folder": str(folder), "translator": load(folder)}
    for call, expected in WRONG.items():
        with pytest.raises(UserError) as refused:
            exec(call, names)
        assert str(refused.value).startswith(expected)
        assert "\n" not in str(refused.value)
