"""Averages of weights by hand, and whole runs that validate and save the average."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from heed import bundle
from heed.errors import UserError
from heed.experiment import train
from heed.models.seq2seq import Seq2Seq
from heed.training.averaging import MeanOfLast, moving_average
from tests.support.models import build_seq2seq
from tests.support.small_run import last_checkpoint, report, settings

QUICK = ("heatmaps=0", "early_stop=null")


def model() -> Seq2Seq:
    sizes: dict[str, Any] = {"emb_dim": 4, "enc_dim": 4, "hid_dim": 4, "readout_dim": 4, "attended_dim": 4}
    return build_seq2seq(5, 5, att_dim=4, tie="all", **sizes)


def fill(net: Seq2Seq, value: float) -> Seq2Seq:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(value)
    return net


def values(net: torch.nn.Module) -> list[float]:
    """The different values of the weights: one number, as all weights are filled with the same."""
    return sorted({float(value) for parameter in net.parameters() for value in parameter.flatten()})


def weights_of(folder: Path, prefix: str) -> dict[str, Tensor]:
    state = last_checkpoint(folder)["state_dict"]
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def test_a_moving_average_by_hand() -> None:
    """Catches an average that includes the random first weights, and a decay that does not rise or exceeds `decay`."""
    net = fill(model(), 8.0)
    average = moving_average(net, decay=0.25)
    average.update_parameters(fill(net, 1.0))
    assert values(average.module) == [1.0]
    average.update_parameters(fill(net, 12.0))
    assert values(average.module) == pytest.approx(
        [1 + 11 * 9 / 11]
    )  # the old average has a share of (1 + 1) / (10 + 1)
    average.update_parameters(fill(net, 6.0))
    assert values(average.module) == pytest.approx([10 - 4 * 0.75])  # the decay stays at 3/12


def test_the_mean_of_the_last_weights_by_hand() -> None:
    """Catches a mean that counts empty places, a mean of all weights so far, and one without the newest."""
    net = model()
    mean = MeanOfLast(net, 2)
    found = []
    for value in (1.0, 3.0, 8.0, 2.0):
        mean.update_parameters(fill(net, value))
        found += values(mean.module)
    assert found == [1.0, 2.0, 5.5, 5.0]


def test_an_average_has_no_gradients_and_no_weights_of_the_model() -> None:
    """Catches parameters for which DDP waits forever, as they get no gradients, and weights shared with the model."""
    for average in (moving_average(model(), 0.9), MeanOfLast(model(), 3)):
        assert not any(parameter.requires_grad for parameter in average.parameters())
    net = model()
    copy = cast(Seq2Seq, moving_average(net, 0.9).module)
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert copy.decoder.output.weight is not net.decoder.output.weight
    assert copy.decoder.output.weight is copy.encoder.embedding.weight


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose last validation is the best, so that its folder holds its last weights."""
    return train(settings(tmp_path_factory.mktemp("runs"), *QUICK)).folder


@pytest.mark.parametrize(
    ("more", "where"), [("ema=0.8", "average.module."), ("average_last=2", "average.mean.module.")]
)
def test_the_average_is_validated_and_saved_and_training_continues_from_the_weights(
    more: str, where: str, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches training from the average, and scores, a model folder or checkpoints without the average."""
    saved: list[dict[str, Tensor]] = []
    monkeypatch.setattr(bundle, "save", lambda path, net, *rest: saved.append(net.state_dict()))
    run = train(settings(tmp_path, *QUICK, more, "checkpoint_steps=1000"))
    raw, average = weights_of(run.folder, "model."), weights_of(run.folder, where)
    assert all(value.equal(raw[name]) for name, value in weights_of(plain, "model.").items())
    assert set(average) == set(raw)
    assert not any(value.equal(raw[name]) for name, value in average.items() if "weight" in name)
    assert all(value.equal(average[name]) for name, value in saved[-1].items())
    for mine, theirs in zip(report(run.folder)["history"][-1:], report(plain)["history"][-1:], strict=True):
        assert mine["loss"] != theirs["loss"]


def test_one_average_is_enough(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ema=0\.9 and average_last=2; set one of them"):
        train(settings(tmp_path, "ema=0.9", "average_last=2"))
