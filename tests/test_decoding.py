"""Lines through a model: in order, whatever stands beside them, with the weights that belong to their words."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from heed import bundle
from heed.architecture import build
from heed.bundle import Bundle
from heed.decoding import Forced, Precision, Search, device_of, force, forced_maps, set_precision, translate
from heed.errors import UserError
from heed.models.seq2seq import Seq2Seq
from heed.search.beam import beam
from heed.search.ensemble import Ensemble
from heed.search.greedy import Hypothesis, greedy
from heed.search.sample import sample
from heed.text.subwords import BOS, EOS
from tests.support.model_folder import SOURCES, TARGETS, write

GREEDY = partial(greedy, max_len=12)
BEAM = partial(beam, max_len=12, beam_size=3)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle.load(write(tmp_path_factory.mktemp("model")))


def texts(loaded: Bundle, lines: list[str], search: Search = GREEDY, sentences: int = 64) -> list[str]:
    found = translate(loaded.model, loaded.src, loaded.tgt, lines, search, sentences)
    return [translation.text for translation in found]


@pytest.mark.parametrize("search", [GREEDY, BEAM, greedy, partial(beam, beam_size=3)])
@pytest.mark.parametrize("sentences", [1, 2, 64])
def test_a_translation_depends_on_its_line_alone(loaded: Bundle, search: Search, sentences: int) -> None:
    """Catches an order that is not restored, padding that has a say, and a limit of length that is the batch's."""
    alone = [texts(loaded, [line], search)[0] for line in SOURCES]

    assert len(set(alone)) > 3
    assert texts(loaded, SOURCES, search, sentences) == alone


def test_an_empty_line_stays_empty(loaded: Bundle) -> None:
    """Catches a translation made of nothing, and lines that move up into the place of empty ones."""
    found = texts(loaded, ["", "a dog", "   ", "\t", "a dog"])

    assert found[0] == found[2] == found[3] == ""
    assert found[1] == found[4] != ""
    assert texts(loaded, []) == []


@pytest.mark.parametrize("search", [GREEDY, BEAM])
def test_attention_has_a_row_for_each_piece_and_a_column_for_each_source_piece(loaded: Bundle, search: Search) -> None:
    """Catches columns of padding: sentences of other lengths stand in the same batch."""
    for found in translate(loaded.model, loaded.src, loaded.tgt, SOURCES, search):
        rows, columns = found.hypothesis.attention.shape
        assert rows - len(found.hypothesis.ids) in (0, 1)
        assert columns == len(found.src_ids) + 1
        assert torch.allclose(found.hypothesis.attention.sum(1), torch.ones(rows))


def test_a_line_too_long_is_cut_and_told_of(
    loaded: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Catches one line that takes the memory of all, and one that is cut in silence."""
    monkeypatch.setattr("heed.decoding.LONGEST", 5)
    short, long = "a dog", "a dog sees the old cat in the tree"

    found = translate(loaded.model, loaded.src, loaded.tgt, [short, long], GREEDY)

    assert len(found[1].src_ids) == 5
    assert caplog.messages == [f"source line 2 has {len(loaded.src.encode(long))} pieces: only the first 5 are read"]
    assert found[0].text == texts(loaded, [short])[0]


def test_the_words_of_a_line_that_is_cut_are_all_counted(loaded: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches right gold of a long line refused because only its beginning was read."""
    monkeypatch.setattr("heed.decoding.LONGEST", 4)
    source, target = SOURCES[3], TARGETS[3]

    (found,) = forced_maps(force(loaded.model, loaded.src, loaded.tgt, [source], [target]), loaded.src, loaded.tgt)

    assert found.size == (len(source.split()), len(target.split()))
    assert 0 < len(found.links()) < len(target.split())


@pytest.mark.parametrize("sentences", [1, 2, 64])
def test_forcing_is_stepping_along_the_target(loaded: Bundle, sentences: int) -> None:
    """Catches a row of weights, or a likelihood, that belongs to the piece before or after; and padding in a sum."""
    found = force(loaded.model, loaded.src, loaded.tgt, SOURCES, TARGETS, sentences)

    assert len(found) == len(SOURCES)
    for source, target, forced in zip(SOURCES, TARGETS, found, strict=True):
        expected = stepped(loaded, source, target)
        assert (forced.src_ids, forced.tgt_ids) == (expected.src_ids, expected.tgt_ids)
        assert forced.nll == pytest.approx(expected.nll, rel=1e-5)
        torch.testing.assert_close(forced.weights, expected.weights, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def stepped(loaded: Bundle, source: str, target: str) -> Forced:
    """The same, one sentence and one piece at a time."""
    src_ids, tgt_ids = loaded.src.encode(source), loaded.tgt.encode(target)
    assert isinstance(loaded.model, Seq2Seq)
    state, memory = loaded.model.encode(torch.tensor([[*src_ids, EOS]]), torch.tensor([len(src_ids) + 1]))
    nll, rows = 0.0, []
    for given, wanted in zip([BOS, *tgt_ids], [*tgt_ids, EOS], strict=True):
        logits, state, weights = loaded.model.step(torch.tensor([given]), state, memory)
        nll -= float(torch.log_softmax(logits[0], 0)[wanted])
        rows.append(weights[0])
    return Forced(source, target, src_ids, tgt_ids, nll, torch.stack(rows))


def test_forcing_its_own_translation_gives_the_search_s_weights(loaded: Bundle) -> None:
    """Catches forced and free attention that are shifted against one another."""
    for found in translate(loaded.model, loaded.src, loaded.tgt, SOURCES, GREEDY):
        ids = found.hypothesis.ids
        if found.src_ids and loaded.tgt.encode(found.text) == ids:
            (forced,) = force(loaded.model, loaded.src, loaded.tgt, [loaded.src.decode(found.src_ids)], [found.text])
            torch.testing.assert_close(forced.weights[: len(ids)], found.hypothesis.attention[: len(ids)])


def test_links_are_of_words(loaded: Bundle) -> None:
    """Catches links between pieces, a link to EOS, and source and target swapped."""
    src_ids, tgt_ids = loaded.src.encode("cat dog"), loaded.tgt.encode("chien chat")
    src_words, tgt_words = loaded.src.word_index(src_ids), loaded.tgt.word_index(tgt_ids)
    weights = torch.zeros(len(tgt_ids) + 1, len(src_ids) + 1)
    weights[:, -1] = 0.6  # on EOS, more than on any word
    for row, tgt_word in enumerate(tgt_words):
        weights[row, src_words.index(1 - tgt_word)] = 0.4

    (found,) = forced_maps([Forced("cat dog", "chien chat", src_ids, tgt_ids, 0.0, weights)], loaded.src, loaded.tgt)
    assert found.links() == {(1, 0), (0, 1)}
    torch.testing.assert_close(found.between_words, torch.tensor([[0.0, 0.4], [0.4, 0.0]]))


def test_a_sentence_without_words_has_no_links(loaded: Bundle) -> None:
    """Catches an argmax over nothing."""
    for source, target in (("", "un chat"), ("a cat", ""), ("", "")):
        forced = force(loaded.model, loaded.src, loaded.tgt, [source], [target])
        assert [found.links() for found in forced_maps(forced, loaded.src, loaded.tgt)] == [frozenset()]


@pytest.mark.parametrize("name", ["gpu", "cuda:77", ""])
def test_a_device_that_is_not_there_is_said_in_one_line(name: str) -> None:
    """Catches torch's own words, an AssertionError among them."""
    with pytest.raises(UserError, match=f"device={name}: ") as refusal:
        device_of(name)
    assert "\n" not in str(refusal.value)


def test_auto_finds_a_device() -> None:
    """Catches a default that fails where there is no GPU."""
    assert torch.empty(0, device=device_of("auto")).device.type in ("cpu", "cuda")


def test_the_folder_can_stand_anywhere(tmp_path: Path) -> None:
    """Catches a model folder that remembers where it was made."""
    here = texts(bundle.load(write(tmp_path / "one")), ["a dog"])
    (tmp_path / "one").rename(tmp_path / "two")

    assert texts(bundle.load(tmp_path / "two"), ["a dog"]) == here


def test_long_lines_are_fewer_at_once(loaded: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a batch whose memory grows with its longest line, and lines that are lost between two batches."""
    sizes = []

    def noting(model: Seq2Seq, src: Tensor, *others: Any) -> list[Hypothesis]:
        sizes.append(tuple(src.shape))
        return GREEDY(model, src, *others)

    alone = [texts(loaded, [line])[0] for line in SOURCES]
    monkeypatch.setattr("heed.decoding.PIECES", 20)
    assert texts(loaded, SOURCES, noting) == alone
    assert max(rows for rows, _ in sizes) > 1
    assert all(rows == 1 or rows * (width - 1) <= 20 for rows, width in sizes)


def test_lines_are_sampled_alike_in_any_batch(loaded: Bundle) -> None:
    """Catches draws that hang on the batch: a text would be another in parts."""
    drawn = partial(sample, max_len=12, seed=3)
    alone = [texts(loaded, [line], drawn)[0] for line in SOURCES]

    assert texts(loaded, SOURCES, drawn, 2) == texts(loaded, SOURCES, drawn) == alone
    assert alone != [texts(loaded, [line])[0] for line in SOURCES]


def test_several_models_are_forced_as_one(loaded: Bundle) -> None:
    """Catches perplexities and weights of the first model alone."""
    changed = replace(loaded.architecture, hid_dim=10, attention={"score": "article"})
    other = build(changed, len(loaded.src), len(loaded.tgt)).eval()
    both = force(Ensemble([loaded.model, other]), loaded.src, loaded.tgt, SOURCES, TARGETS)
    each = [force(model, loaded.src, loaded.tgt, SOURCES, TARGETS) for model in (loaded.model, other)]

    for found, *apart in zip(both, *each, strict=True):
        assert found.nll < max(one.nll for one in apart)
        torch.testing.assert_close(found.weights, torch.stack([one.weights for one in apart]).mean(0))


@pytest.mark.parametrize("fast", [True, False])
def test_the_precision_of_products(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fast: bool) -> None:
    """Catches a setting that does nothing, and bfloat16 by itself where the processor would emulate it."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": fast})
    low = {"auto": fast, "float32": False, "bfloat16": True}
    folder = write(tmp_path / "model")
    for precision in get_args(Precision):
        loaded = bundle.load(folder)
        set_precision(loaded.model, precision)
        assert isinstance(loaded.model, Seq2Seq)
        assert (loaded.model.decoder.output.weight.dtype is torch.bfloat16) == low[precision]
