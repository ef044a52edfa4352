"""One update: its loss, its random numbers, its gradient."""

from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st
from lightning.pytorch import Trainer

from heed.data.encoded import encode
from heed.data.module import Bitext
from heed.data.reverse import reverse
from heed.metrics.loss import cross_entropy
from heed.text.subwords import PAD, Subwords
from heed.training import schedules
from heed.training.module import TranslationModule, derived_seed
from heed.training.validation import Validation
from tests.support.models import build_seq2seq

PAIRS = reverse(train=30, valid=0, test=0, max_len=6).read("train")
DIGITS = Subwords.train(PAIRS.src, "word", 100)


def translation(dropout: float = 0.0, clip_norm: float | None = None, **more: Any) -> TranslationModule:
    torch.manual_seed(1)
    small: dict[str, Any] = {"emb_dim": 16, "enc_dim": 16, "hid_dim": 16, "readout_dim": 16, "attended_dim": 16}
    return TranslationModule(
        build_seq2seq(len(DIGITS), len(DIGITS), dropout=dropout, **small),
        partial(torch.optim.SGD, lr=1.0),
        schedules.warmup_constant(),
        schedules.constant(),
        0.0,
        clip_norm,
        Validation(PAIRS, DIGITS, DIGITS),
        seed=1,
        **more,
    )


def bitext() -> Bitext:
    encoded = encode(PAIRS, DIGITS, DIGITS)
    return Bitext(encoded, encoded, sentences=7)


def trained(task: TranslationModule, steps: int = 1, precision: Any = "32-true") -> TranslationModule:
    trainer = Trainer(
        accelerator="cpu", precision=precision, max_steps=steps, limit_val_batches=0, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(task, datamodule=bitext())
    return task


def test_an_update_follows_the_mean_over_tokens() -> None:
    """Catches a mean over sentences, or over padding, and a loss that is scaled twice."""
    task = translation()
    batch = next(iter(bitext().train))
    loss = cross_entropy(task.model(batch.src, batch.src_len, batch.tgt[:, :-1])[0], batch.tgt[:, 1:], PAD)
    (loss.total / loss.count).backward()
    expected = [
        parameter.detach() - parameter.grad for parameter in task.model.parameters() if parameter.grad is not None
    ]
    for parameter, value in zip(trained(translation()).model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.detach(), value)


@pytest.mark.parametrize("parts", [3, 7, 100])
@pytest.mark.parametrize("r_drop", [0.0, 2.0])
def test_a_batch_in_parts_is_the_same_update(parts: int, r_drop: float) -> None:
    """Catches a mean of the means of parts with different numbers of tokens, and a part whose gradient is lost."""
    whole, divided = trained(translation(r_drop=r_drop), 3), trained(translation(r_drop=r_drop, accumulate=parts), 3)
    assert float(divided.loss) == pytest.approx(float(whole.loss), rel=1e-5)
    assert float(divided.gradient_norm) == pytest.approx(float(whole.gradient_norm), rel=1e-5)
    for one, other in zip(divided.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_the_parts_of_a_batch_keep_its_precision() -> None:
    """Catches gradients of parts computed under autocast, which rounds values that are float32 in a whole batch."""
    one, other = (trained(translation(accumulate=parts), precision="bf16-mixed") for parts in (1, 7))
    exact = trained(translation())
    errors = [
        sum(
            float((a - b).detach().norm())
            for a, b in zip(task.model.parameters(), exact.model.parameters(), strict=True)
        )
        for task in (one, other)
    ]
    assert errors[1] == pytest.approx(errors[0], rel=0.5)


def test_a_step_decides_its_own_randomness() -> None:
    """Catches dropout that depends on earlier random numbers, which a resumed run does not have."""
    torch.manual_seed(5)
    one = trained(translation(dropout=0.5))
    torch.manual_seed(6)
    torch.rand(100)
    other = trained(translation(dropout=0.5))
    for first, second in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(first, second)


def test_clipping_limits_the_update_and_keeps_the_norm() -> None:
    """Catches a norm taken after clipping, and clipping parameter by parameter."""
    free, clipped = trained(translation()), trained(translation(clip_norm=0.01))
    assert clipped.gradient_norm == free.gradient_norm > 0.01
    start = translation()
    moved = [a.detach() - b.detach() for a, b in zip(clipped.model.parameters(), start.model.parameters(), strict=True)]
    assert float(torch.nn.utils.get_total_norm(moved)) == pytest.approx(0.01, rel=1e-3)


def test_weight_decay_changes_only_matrices_and_embeddings() -> None:
    """Catches decay of biases and gains, embeddings without decay, and decay that is added to the gradient of Adam."""
    found = []
    for decay in (0.0, 0.5):
        task = translation()
        task.optimizer = partial(torch.optim.AdamW, lr=0.1, weight_decay=decay)
        found.append(dict(trained(task).model.named_parameters()))
    start = dict(translation().model.named_parameters())
    assert {parameter.dim() for parameter in start.values()} == {1, 2}
    for name, free in found[0].items():
        drawn = 0.1 * 0.5 * start[name] if start[name].dim() > 1 else torch.zeros_like(free)
        torch.testing.assert_close(free - found[1][name], drawn, atol=1e-6, rtol=1e-4)


def test_modules_have_no_hyperparameters_of_lightning() -> None:
    """Catches hyperparameters saved by Lightning, for which loading a checkpoint would execute code."""
    assert not translation().hparams
    assert not bitext().hparams


@with_settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 10**7), st.integers(0, 512)), unique=True, min_size=2))
def test_seeds_of_neighbours_differ(places: list[tuple[int, int, int]]) -> None:
    """Catches seed + step + rank, which gives rank 1 the dropout of the next step of rank 0."""
    assert len({derived_seed(*place) for place in places}) == len(places)
