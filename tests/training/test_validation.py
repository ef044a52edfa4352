"""Scores of a validation, compared with their definitions."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from heed.attribution import Pair
from heed.counterfactual import counterfactuals
from heed.data.batches import Batch, SortedBatches
from heed.data.corpus import Pairs
from heed.data.encoded import encode
from heed.data.reverse import reverse
from heed.errors import UserError
from heed.maps import Words
from heed.metrics.attention import health, mean_health
from heed.metrics.bleu import bleu
from heed.metrics.loss import cross_entropy
from heed.metrics.scores import metric, text_scores
from heed.models.seq2seq import Seq2Seq
from heed.search.greedy import greedy
from heed.text.subwords import BOS, EOS, PAD, Subwords
from heed.training.validation import Sentence, Validation, spread
from tests.support.models import build_seq2seq

PAIRS = reverse(train=30, valid=0, test=0, max_len=6).read("train")
DIGITS = Subwords.train(PAIRS.src, "word", 100)
NO_HEALTH = mean_health([])


@pytest.fixture
def model() -> Seq2Seq:
    torch.manual_seed(1)
    small: dict[str, Any] = {"emb_dim": 16, "enc_dim": 16, "hid_dim": 16, "readout_dim": 16, "attended_dim": 16}
    return build_seq2seq(len(DIGITS), len(DIGITS), **small).eval()


def batches(sentences: int, rank: int = 0, world: int = 1) -> Iterator[Batch]:
    return iter(SortedBatches(encode(PAIRS, DIGITS, DIGITS), sentences=sentences, rank=rank, world=world))


def validated(model: Seq2Seq, sentences: int, pairs: Pairs = PAIRS, pictured: int = 2) -> Validation:
    validation = Validation(pairs, DIGITS, DIGITS, sentences=pictured)
    for batch in batches(sentences):
        validation.add(model, batch)
    return validation


def test_scores_are_those_of_each_sentence_alone(model: Seq2Seq) -> None:
    """Catches padding in the loss, means of means, and hypotheses compared with the reference of another sentence."""
    nll, tokens, texts = 0.0, 0, []
    for src, tgt in zip(PAIRS.src, PAIRS.tgt, strict=True):
        source = torch.tensor([[*DIGITS.encode(src), EOS]])
        target = torch.tensor([[BOS, *DIGITS.encode(tgt), EOS]])
        lengths = torch.tensor([source.size(1)])
        loss = cross_entropy(model(source, lengths, target[:, :-1])[0], target[:, 1:], PAD)
        nll, tokens = nll + float(loss.nll), tokens + int(loss.count)
        texts.append(DIGITS.decode(greedy(model, source, lengths, BOS, EOS)[0].ids))
    scores = validated(model, sentences=7).scores()
    assert scores["loss"] == pytest.approx(nll / tokens, rel=1e-5)
    assert scores["perplexity"] == pytest.approx(math.exp(nll / tokens), rel=1e-5)
    assert scores["bleu"] == bleu(hypotheses=texts, references=PAIRS.tgt)
    validation = validated(model, sentences=7)
    validation.scores()
    assert [one.hypothesis for one in validation.sentences] == texts


def test_the_size_of_batches_changes_no_score(model: Seq2Seq) -> None:
    """Catches scores that depend on the batches, for example by a length limit for a whole batch."""
    with torch.no_grad():
        model.decoder.output.bias[EOS] = -1e4  # every translation ends at its limit
    one, many = validated(model, sentences=2).scores(), validated(model, sentences=30).scores()
    assert one["loss"] == pytest.approx(many["loss"], rel=1e-5)
    assert all(one[name] == many[name] for name in ("aer", "bleu", "chrf"))


def test_measures_are_not_rounded_under_autocast(model: Seq2Seq) -> None:
    """Catches autocast that is active outside the model, where it rounds maps of words and measures to 8 bits."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = validated(model, sentences=7, pictured=30)
    exact = validated(model, sentences=7, pictured=30)
    assert low.scores()["loss"] == pytest.approx(exact.scores()["loss"], rel=1e-2)
    for number in range(30):
        maps = low.sentences[number].maps
        assert maps is not None
        torch.testing.assert_close(maps[0].weights.sum(1), torch.ones(len(maps[0].weights)), rtol=0, atol=1e-5)


def test_alignment_error_is_that_of_the_attention_on_the_references(model: Seq2Seq) -> None:
    """Catches links shifted by one row or column, and hypotheses' attention compared with gold of references."""
    validation = validated(model, sentences=30)

    def exact(src: torch.Tensor, src_len: torch.Tensor, tgt: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        weights = torch.zeros(len(src), tgt.size(1), src.size(1))
        for row, length in enumerate(src_len.tolist()):
            for i in range(length - 1):
                weights[row, i, length - 2 - i] = 1.0  # the word read backwards
        return torch.zeros(len(src), tgt.size(1), len(DIGITS)), weights

    model.forward = exact  # type: ignore[assignment, method-assign]
    validation.clear()
    for batch in batches(30):
        validation.add(model, batch)
    assert validation.scores()["aer"] == 0.0


def test_words_preserved_are_those_of_the_translations(model: Seq2Seq) -> None:
    """Catches words of other sentences, subwords instead of words, and a share that includes EOS."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.mul_(1.0 if "embedding" in name else 3.0)  # so that some words depend on attention
        model.decoder.output.bias[:EOS] = -1e4  # the model writes only digits
    validation = validated(model, sentences=7)
    validation.scores()
    same = []
    for source, sentence in zip(PAIRS.src, validation.sentences, strict=True):
        sides = [*map(str, DIGITS.encode(source))], [*map(str, sentence.ids)]
        words = [Words(side, list(range(len(side)))) for side in sides]
        pair = Pair.of(DIGITS.encode(source), sentence.ids, (words[0], words[1]))
        [result] = [one for batch in counterfactuals(model, [pair], 1) for one in batch.values()]
        same.append(result.same[:3, :-1])  # of the three maps; every word is one subword
    words_same = torch.cat(same, dim=1)
    found = validation.preserved(model)
    near = 3 / words_same.size(1)  # words that are equally probable may change places in another batch
    assert found["any"] == pytest.approx(float(words_same.any(0).double().mean()), abs=near)
    assert found["every"] == pytest.approx(float(words_same.all(0).double().mean()), abs=near)
    assert 0 < found["every"] < found["any"] < 1

    with torch.no_grad():
        for part in (*model.decoder.attention.attn_combine.parameters(), model.decoder.readout.weight[:, 16:32]):
            part.zero_()
    assert validation.preserved(model) == {"any": 1.0, "every": 1.0}


def test_without_a_word_no_share_is_preserved(model: Seq2Seq) -> None:
    """Catches a mean over no words."""
    with torch.no_grad():
        model.decoder.output.bias[EOS] = 1e4  # every translation ends at once
    assert validated(model, sentences=7).preserved(model) == {}


@pytest.mark.parametrize(("total", "numbers"), [(0, []), (3, [0, 1, 2]), (4, [0, 1, 2, 3]), (10, [0, 3, 6, 9])])
def test_a_sample_is_spread_over_all(total: int, numbers: list[int]) -> None:
    """Catches a sample that is too large, and a sample of only the first sentences."""
    assert list(spread(total, 4)) == numbers


def test_a_corpus_without_gold_has_no_alignment_error(model: Seq2Seq) -> None:
    """Catches a score that is reported although there is no gold."""
    scores = validated(model, 30, Pairs(PAIRS.src, PAIRS.tgt)).scores()
    assert "aer" not in scores


def test_ranks_together_give_the_scores_of_one_process(model: Seq2Seq) -> None:
    """Catches a pair that is counted twice, and a placeholder, of a rank without a pair, that is counted."""
    together = Validation(PAIRS, DIGITS, DIGITS)
    for rank in range(4):
        for batch in batches(7, rank, world=4):
            together.add(model, batch)
    alone = validated(model, 7)
    assert together.scores()["loss"] == pytest.approx(alone.scores()["loss"], rel=1e-6)
    assert [one.number for one in together.sentences] == list(range(30))


def test_pictures_show_the_first_sentences_in_whole_words(model: Seq2Seq) -> None:
    """Catches pictures that follow the order of batches, and a row or column for EOS."""
    validation = validated(model, sentences=7)
    validation.scores()
    pictures = validation.pictures()
    assert [picture.source for picture in pictures] == PAIRS.src[:2]
    assert [picture.reference for picture in pictures] == PAIRS.tgt[:2]
    for picture in pictures:
        for found, text in ((picture.forced, picture.reference), (picture.free, picture.hypothesis)):
            assert found.src == picture.source.split()
            assert found.between_words.shape == (len(found.tgt), len(found.src))
            assert " ".join(found.tgt) == text


def test_health_is_that_of_the_attention_on_the_references(model: Seq2Seq) -> None:
    """Catches health of the hypotheses, of a batch with its padding, or of the pictured sentences alone."""
    validation = validated(model, sentences=7)
    validation.scores()
    forced = []
    for src, tgt in zip(PAIRS.src, PAIRS.tgt, strict=True):
        source, target = torch.tensor([[*DIGITS.encode(src), EOS]]), torch.tensor([[BOS, *DIGITS.encode(tgt)]])
        with torch.no_grad():
            _, weights = model(source, torch.tensor([source.size(1)]), target)
        forced.append(health(weights[0, :-1]))
    assert validation.health() == pytest.approx(mean_health(forced), rel=1e-4)


def test_both_maps_of_a_sentence_agree_if_the_hypothesis_is_the_reference(model: Seq2Seq) -> None:
    """Catches a map that is shifted by a word, or that belongs to another sentence."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # far from uniform
        model.decoder.output.bias[:EOS] = -1e4  # <unk> and the like cannot be read back from a text
    model.double()
    written = {one.number: one.hypothesis for one in validated(model, sentences=30).sentences}
    pairs = Pairs(PAIRS.src, [written[number] or "0" for number in range(len(PAIRS))])
    validation = Validation(pairs, DIGITS, DIGITS, sentences=30)
    for batch in SortedBatches(encode(pairs, DIGITS, DIGITS), sentences=30):
        validation.add(model, batch)
    validation.scores()
    agreeing = [picture for picture in validation.pictures() if picture.hypothesis == picture.reference]
    assert len(agreeing) > 10
    for picture in agreeing:
        torch.testing.assert_close(picture.forced.between_words, picture.free.between_words, rtol=1e-4, atol=1e-5)


def test_bleu_compares_hypotheses_with_references(model: Seq2Seq) -> None:
    """Catches swapped arguments, which would penalise long translations instead of short ones."""
    validation = validated(model, sentences=30)
    validation.sentences = [one._replace(hypothesis=one.hypothesis[:3]) for one in validation.sentences]
    scores = validation.scores()
    hypotheses = [one.hypothesis for one in validation.sentences]
    assert scores["bleu"] == bleu(hypotheses=hypotheses, references=PAIRS.tgt)


@pytest.mark.parametrize(
    ("line", "message"), [("99-0", "alignment link 99-0 in a pair of"), ("1_1", "alignment link '1_1'; expected")]
)
def test_impossible_gold_is_reported_by_split_and_line(line: str, message: str) -> None:
    """Catches gold of another text, which would give an AER near 1 in the whole run without a hint about the reason."""
    assert PAIRS.gold is not None
    pairs = Pairs(PAIRS.src, PAIRS.tgt, [*PAIRS.gold[:6], line, *PAIRS.gold[7:]])
    with pytest.raises(UserError, match=f"gold alignment of the validation split, line 7: {message}"):
        Validation(pairs, DIGITS, DIGITS)


def test_bleu_uses_the_tokens_of_the_target_language() -> None:
    """Catches Chinese scored as one word per sentence, so that BLEU is 0 until a sentence is perfect."""
    pairs = Pairs(["0", "1"], ["我喜欢红色的房子", "他不喜欢小狗"])
    chinese = Subwords.train([*pairs.tgt] * 5, "char", 50)
    found = []
    for language in ("zh", ""):
        validation = Validation(pairs, DIGITS, chinese, tgt_lang=language)
        validation.tokens = 1
        for number, text in enumerate(["我喜欢红色的小房子", "他不喜欢狗"]):
            validation.sentences.append(Sentence(number, [], text, frozenset(), NO_HEALTH, None))
        found.append(validation.scores()["bleu"])
    assert found[0] > 40
    assert found[1] < 1


def test_a_validation_split_without_a_target_word_is_refused() -> None:
    """Catches a long run in which no validation can score anything."""
    with pytest.raises(UserError, match="all target lines of the validation split are empty"):
        Validation(Pairs(["0", "1"], ["", " "]), DIGITS, DIGITS)


def test_the_metric_that_chooses_the_best_model_is_computed(model: Seq2Seq) -> None:
    """Catches a metric that is to choose the best model but is not computed at every validation."""
    validation = Validation(PAIRS, DIGITS, DIGITS, metric=metric("exact"))
    for batch in batches(30):
        validation.add(model, batch)
    assert 0 <= validation.scores()["exact"] <= 100
    with pytest.raises(UserError, match=r"metric=aer needs word alignments .* the name of corpus\.valid and \.align"):
        Validation(Pairs(PAIRS.src, PAIRS.tgt), DIGITS, DIGITS, metric=metric("aer"))


def test_translations_that_are_all_empty_are_reported(model: Seq2Seq, caplog: pytest.LogCaptureFixture) -> None:
    """Catches BLEU 0.00 at every validation without a hint about the reason."""
    validated(model, 8).scores()
    assert "empty" not in caplog.text
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.shape == (len(DIGITS),):  # the bias of the output layer
                parameter[EOS] = 100.0
    validated(model, 8).scores()
    assert "all translations of the validation split are empty" in caplog.text


def test_every_reference_of_a_sentence_counts(model: Seq2Seq) -> None:
    """Catches a best model that is chosen by only the first reference, and references of other sentences."""
    texts = [one.hypothesis for one in sorted(validated(model, 8).sentences)]
    further: list[str | None] = [text if number % 2 else None for number, text in enumerate(texts)]
    pairs = replace(PAIRS, further=(further,))
    expected = text_scores(hypotheses=texts, references=PAIRS.tgt, further=[further], names=["bleu", "chrf"])

    scores = validated(model, 8, pairs).scores()

    assert [scores["bleu"], scores["chrf"]] == [expected["bleu"].value, expected["chrf"].value]
    assert scores["chrf"] > validated(model, 8).scores()["chrf"] + 10
