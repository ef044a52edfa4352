"""R-Drop and word dropout as an update uses them."""

from functools import partial
from itertools import permutations
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from heed.data.batches import Batch
from heed.data.encoded import encode
from heed.data.module import Bitext
from heed.data.reverse import reverse
from heed.metrics.loss import cross_entropy
from heed.models.seq2seq import Seq2Seq
from heed.text.subwords import BOS, EOS, PAD, UNK, Subwords
from heed.training import schedules
from heed.training.guide import Guide
from heed.training.inputs import drop_words, twice, words_read
from heed.training.module import TranslationModule
from heed.training.validation import Validation
from tests.support.models import build_seq2seq

PAIRS = reverse(train=30, valid=0, test=0, max_len=6).read("train")
DIGITS = Subwords.train(PAIRS.src, "word", 100)


def model(dropout: float = 0.0) -> Seq2Seq:
    torch.manual_seed(1)
    sizes: dict[str, Any] = {"emb_dim": 16, "enc_dim": 16, "hid_dim": 16, "readout_dim": 16, "attended_dim": 16}
    return build_seq2seq(len(DIGITS), len(DIGITS), dropout=dropout, **sizes)


def translation(dropout: float = 0.0, forcing: float = 1.0, **more: Any) -> TranslationModule:
    return TranslationModule(
        model(dropout),
        partial(torch.optim.SGD, lr=1.0),
        schedules.warmup_constant(),
        schedules.constant(forcing),
        0.0,
        None,
        Validation(PAIRS, DIGITS, DIGITS),
        seed=1,
        **more,
    )


def batch() -> Batch:
    encoded = encode(PAIRS, DIGITS, DIGITS)
    return next(iter(Bitext(encoded, encoded, sentences=7).train))


def test_the_halves_have_the_same_rows_and_different_dropout() -> None:
    """Catches rows that are compared with those of another sentence, and halves with the same dropout mask."""
    net, doubled = model(dropout=0.5), twice(batch())
    net.eval()
    logits, _ = net(doubled.src, doubled.src_len, doubled.tgt[:, :-1])
    torch.testing.assert_close(*logits.chunk(2))
    net.train()
    one, other = net(doubled.src, doubled.src_len, doubled.tgt[:, :-1])[0].chunk(2)
    assert (one - other).abs().mean() > 0.1


def test_words_read_are_those_of_the_reference_or_of_the_model() -> None:
    """Catches words that are read a step too early or late, a wrong source of the words, and an extra last word."""
    net, given = model(), batch()
    reference = given.tgt[:, :-1]
    assert words_read(net, given, 1.0).equal(reference)
    assert words_read(model(dropout=0.5), given, 0.0).equal(words_read(net, given, 0.0))
    assert net.training
    read = words_read(net, given, 0.0)
    assert read[:, 0].equal(reference[:, 0])
    logits, _ = net(given.src, given.src_len, read)
    assert read[:, 1:].equal(logits.argmax(-1)[:, :-1])
    torch.manual_seed(1)
    mixed = words_read(net, given, 0.5)
    assert not mixed.equal(read)
    assert not mixed.equal(reference)


@pytest.mark.parametrize("probability", [0.3, 0.999])
def test_only_words_are_dropped(probability: float) -> None:
    """Catches sentences without BOS or EOS, padding that becomes a word, and a wrong share of dropped words."""
    torch.manual_seed(1)
    tokens = torch.randint(EOS + 1, 50, (100, 50))
    tokens[:, 0], tokens[:, 30], tokens[:, 31:] = BOS, EOS, PAD
    dropped = drop_words(tokens, probability)
    special = (tokens == BOS) | (tokens == EOS) | (tokens == PAD)
    assert dropped[special].equal(tokens[special])
    gone = dropped[~special] == UNK
    assert float(gone.float().mean()) == pytest.approx(probability, abs=0.03)
    assert dropped[~special][~gone].equal(tokens[~special][~gone])


def test_words_are_dropped_on_both_sides_but_not_in_labels() -> None:
    """Catches a model that is trained to write <unk>, and a side on which no word is dropped."""
    seen: list[tuple[Tensor, ...]] = []
    task, given = translation(word_dropout=0.5), batch()
    for part in (task.model.encoder, task.model.decoder):
        part.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    loss = task._losses(given)[0]
    (src, src_len), (read, *_) = seen
    assert UNK not in given.src
    assert (src == UNK).any()
    assert (read == UNK).any()
    assert src_len.equal(given.src_len)
    for part in (task.model.encoder, task.model.decoder):
        part._forward_pre_hooks.clear()
    expected = cross_entropy(task.model(src, src_len, read)[0], given.tgt[:, 1:], PAD)
    torch.testing.assert_close(loss.total, expected.total)


@pytest.mark.parametrize("forcing", [1.0, 0.5])
def test_the_halves_read_the_same_words(forcing: float) -> None:
    """Catches halves that read different words: without dropout, the halves must agree."""
    loss, guided, added = translation(r_drop=4.0, forcing=forcing)._losses(batch())
    assert float(guided) == 0.0
    assert float(added.detach()) == pytest.approx(0.0, abs=1e-6)
    plain = translation()._losses(batch())[0]
    assert loss.count == plain.count
    assert loss.total.isclose(plain.total) == (forcing == 1.0)


def test_guidance_weighs_as_much_with_r_drop() -> None:
    """Catches guidance that counts twice, once for each half."""
    guide = Guide(PAIRS, DIGITS, DIGITS)
    _, plain, _ = translation(guide=guide)._losses(batch())
    _, with_r_drop, _ = translation(guide=guide, r_drop=1.0)._losses(batch())
    assert plain > 1
    torch.testing.assert_close(with_r_drop, plain)


def test_r_drop_adds_the_term_of_the_paper_and_does_not_change_the_loss() -> None:
    """Catches an alpha with another weight than in the paper, whose cross entropy is the sum over both halves."""
    task, doubled = translation(r_drop=4.0, dropout=0.5), twice(batch())
    torch.manual_seed(3)
    loss, _, added = task._losses(batch())
    torch.manual_seed(3)
    logits, _ = task.model(doubled.src, doubled.src_len, doubled.tgt[:, :-1])
    one, other = (cross_entropy(half, batch().tgt[:, 1:], PAD).total for half in logits.chunk(2))
    halves = [functional.log_softmax(half, -1)[batch().tgt[:, 1:] != PAD] for half in logits.chunk(2)]
    apart = [functional.kl_div(a, b, reduction="sum", log_target=True) for a, b in permutations(halves)]
    torch.testing.assert_close(2 * (loss.total + added), one + other + 4.0 * sum(apart) / 2)
    torch.testing.assert_close(loss.total, (one + other) / 2)
