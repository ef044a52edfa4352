"""A model gives the same results on a GPU as on a CPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from heed.attribution import Method
from heed.faithfulness import measure
from heed.metrics.loss import cross_entropy
from heed.models.fast import replay
from heed.models.fast.product import cudnn_as_products
from heed.models.fast.vocabulary import vocabulary_loss
from heed.models.seq2seq import Seq2Seq
from heed.passes import GPU
from heed.search.beam import beam
from heed.search.greedy import Hypothesis, greedy
from heed.search.prefix import Prefix
from heed.search.sample import sample
from heed.translator import Translator, load
from tests.support.model_folder import SOURCES, TARGETS, write
from tests.support.models import BOS, EOS, KINDS, PAD, sentences, small_model, targets

LENGTHS = [5, 3, 4]

PLAIN: dict[str, Any] = {}
DEEP: dict[str, Any] = dict(enc_layers=2, dec_layers=2, layer_norm=True, query="current")
CONDITIONAL: dict[str, Any] = dict(query="conditional", layer_norm=True)


def learned(model: Seq2Seq, device: torch.device, low: bool = False, scale: float = 1.0) -> list[Tensor]:
    """Loss, weights and all gradients after two forward and backward passes, copied to the CPU."""
    src, src_len = (part.to(device) for part in sentences(LENGTHS))
    tgt = targets(3, 5).to(device)
    tgt[1, 3:] = PAD
    model.train()
    for _ in range(2):  # loops are recorded when shapes occur a second time
        model.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            readout, weights = model.read(src, src_len, tgt[:, :-1])
            output = model.decoder.output
            loss, _ = vocabulary_loss(readout, output.weight, output.bias, tgt[:, 1:], PAD, 0.1)
        (scale * (loss.total + weights.float().square().sum())).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return [part.detach().float().cpu() for part in (loss.total, weights, *gradients)]


@pytest.fixture(autouse=True)
def _no_recordings() -> Any:
    """Forget the recordings of other models, and compute float32 exactly."""
    replay.forget()
    with cudnn_as_products():
        yield
    replay.forget()


@pytest.mark.parametrize("changes", [PLAIN, DEEP, CONDITIONAL], ids=["plain", "deep", "conditional"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_attention_learns_the_same(kind: str, changes: dict[str, Any], device: torch.device) -> None:
    """Catches a tensor left on the CPU, an operation that cannot be recorded, and a replay with other results."""
    given = {**changes, "dropout": 0.0}
    expected = learned(small_model(score=kind, sharp=2.0, **given), torch.device("cpu"))
    found = learned(small_model(score=kind, sharp=2.0, **given).to(device), device)
    for one, other in zip(found, expected, strict=True):
        assert float((one - other).norm()) <= 1e-4 * float(other.norm()) + 1e-5


@pytest.mark.parametrize("changes", [PLAIN, DEEP, CONDITIONAL], ids=["plain", "deep", "conditional"])
@pytest.mark.parametrize("kind", ["additive", "multi_head", "dot"])
def test_bfloat16_rounds_products_alone(kind: str, changes: dict[str, Any], device: torch.device) -> None:
    """Catches float16, in which gradients of this size are zero. Rounding to bfloat16 changes some of them by 17 %."""
    given, tiny = {**changes, "dropout": 0.0}, 2.0**-24
    expected = learned(small_model(score=kind, **given), torch.device("cpu"))
    found = learned(small_model(score=kind, **given).to(device), device, low=True, scale=tiny)
    for one, other in zip([*found[:2], *(part / tiny for part in found[2:])], expected, strict=True):
        assert float((one - other).norm()) <= 0.3 * float(other.norm()) + 1e-3


def test_states_stay_float32_under_autocast(device: torch.device) -> None:
    """Catches torch's cell, which returns bfloat16 on a GPU: the error grows with the length of a sentence."""
    model = small_model(score="multi_head").to(device)
    src, src_len = (part.to(device) for part in sentences(LENGTHS))
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        state, memory = model.encode(src, src_len)
        assert memory.values.dtype == torch.float32
        for token in targets(3, 4).to(device).unbind(1):
            _, state, _ = model.step(token, state, memory)
    assert state.hidden.dtype == torch.float32
    rounded = state.hidden.bfloat16().float()
    assert not torch.equal(rounded.cpu(), state.hidden.cpu())


@pytest.mark.parametrize(
    "settings", [PLAIN, {"no_repeat_ngram": 2, "min_len": 5}, {"prefix": [[4, 5], [], [6]]}], ids=str
)
@pytest.mark.parametrize("search", [greedy, beam, sample])
@pytest.mark.parametrize("query", ["previous", "conditional"])
def test_searches_find_the_same(
    query: str, search: Callable[..., list[Any]], settings: dict[str, Any], device: torch.device
) -> None:
    """Catches indices, limits and draws that are made on the CPU."""

    def found(model: Seq2Seq, on: torch.device) -> list[Hypothesis]:
        given = dict(settings)
        if "prefix" in given:
            lengthens = torch.zeros(12, dtype=torch.bool)
            lengthens[7] = True
            given["prefix"] = Prefix.of(given["prefix"], lengthens.to(on))
        src, src_len = (part.to(on) for part in sentences(LENGTHS))
        results = search(model, src, src_len, BOS, EOS, max_len=8, **given)
        return [one for each in results for one in (each if isinstance(each, list) else [each])]

    expected = found(small_model(query=query, sharp=3.0), torch.device("cpu"))
    for one, other in zip(found(small_model(query=query, sharp=3.0).to(device), device), expected, strict=True):
        assert one.ids == other.ids
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.attention.device.type == "cpu"
        torch.testing.assert_close(one.attention, other.attention, rtol=1e-3, atol=1e-5)


@pytest.fixture
def translators(tmp_path: Path, device: torch.device) -> tuple[Translator, Translator]:
    """The same translator on the device and on the CPU."""
    folder = str(write(tmp_path / "model"))
    return load(folder, device.type, "float32"), load(folder, "cpu", "float32")


def test_a_translator_gives_the_same(translators: tuple[Translator, Translator]) -> None:
    """Catches values that are not copied from the GPU before they are printed, drawn or counted."""
    lines = [line for line in SOURCES if line]
    on_gpu, on_cpu = (
        [*one.translate(lines, max_len=9), *one.translate(lines, "beam", n_best=2, prefix="le", max_len=9)]
        for one in translators
    )
    for one, other in zip(on_gpu, on_cpu, strict=True):
        assert one.text == other.text
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.attention == pytest.approx(other.attention, abs=1e-4)
        assert one.alignment == other.alignment


@pytest.mark.parametrize("method", ["attention", "saliency", "difference", "norm", "product"])
def test_every_map_is_the_same(method: Method, translators: tuple[Translator, Translator]) -> None:
    """Catches masks and noise on the CPU, and a recording made without gradients that is used with them."""
    pairs = [(src, tgt) for src, tgt in zip(SOURCES, TARGETS, strict=True) if src]
    maps = []
    for one in translators:
        forced = one.force(*map(list, zip(*pairs, strict=True)))
        forced = one.force(*map(list, zip(*pairs, strict=True)))  # again, for the loops to be recorded
        maps.append(one.maps(forced, method, noisy_copies=2 * (method == "saliency"), batch_size=64))
    for mine, theirs in zip(*maps, strict=True):
        torch.testing.assert_close(mine.weights, theirs.weights, rtol=1e-3, atol=1e-4)


def test_faithfulness_is_the_same(translators: tuple[Translator, Translator]) -> None:
    """Catches replaced attention weights, or a ranking of words, that are created on the CPU."""
    measured = [measure(one, one.translate(["a dog barks", "a cat"], max_len=9), sample=3) for one in translators]
    for name in ("total_variation", "divergence", "comprehensiveness", "sufficiency"):
        assert getattr(measured[0], name) == pytest.approx(getattr(measured[1], name), abs=1e-4)


def test_an_ensemble_gives_the_same(tmp_path: Path, device: torch.device) -> None:
    """Catches a member that is left on the CPU."""
    folders = [str(write(tmp_path / str(seed), seed=seed)) for seed in (1, 2)]
    found = [load(folders, on, "float32").translate("a dog barks", "beam", max_len=9) for on in (device.type, "cpu")]
    assert found[0].text == found[1].text
    assert found[0].score == pytest.approx(found[1].score, abs=1e-4)


def test_a_failed_batch_leaves_the_gpu_to_the_next(
    translators: tuple[Translator, Translator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a lock that is held while the error object exists: the next call would wait forever."""
    translator, _ = translators
    pair = translator.force("a dog barks", "un chien aboie")
    with monkeypatch.context() as patched:
        patched.setattr("heed.attribution._log_probabilities", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError) as kept:
            translator.maps([pair], "difference")
        assert not GPU.locked()
        assert kept.type is ZeroDivisionError
    assert translator.maps([pair], "difference")


def test_cudnn_uses_the_precision_of_products() -> None:
    """Catches scores that differ from a CPU's in the fourth digit because of TF32, torch's default."""
    rnn: Any = torch.backends.cudnn.rnn
    before = rnn.fp32_precision
    for precision, expected in (("highest", "ieee"), ("high", "tf32")):
        torch.set_float32_matmul_precision(precision)
        try:
            with cudnn_as_products():
                assert rnn.fp32_precision == expected
        finally:
            torch.set_float32_matmul_precision("highest")
        assert rnn.fp32_precision == before


@pytest.mark.gpu
def test_a_loss_of_many_labels_is_that_of_a_cpu(given_device: torch.device) -> None:
    """Catches labels that are counted twice or never: a GPU processes more of them together than a CPU."""
    generator = torch.Generator().manual_seed(5)
    readout, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((90, 70, 16), (50, 16), (50,)))
    labels = torch.randint(0, 50, (90, 70), generator=generator)
    expected = cross_entropy(readout @ weight.t() + bias, labels, PAD, 0.1)
    there = [part.to(given_device) for part in (readout, weight, bias, labels)]
    loss, _ = vocabulary_loss(there[0], there[1], there[2], there[3], PAD, 0.1)
    assert float(loss.total) == pytest.approx(float(expected.total), rel=1e-5)
    assert int(loss.count) == int(expected.count)
