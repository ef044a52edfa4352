"""Several seeds through heed-evaluate, and one model against another."""

import json
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from heed.cli.evaluate import Settings, evaluate
from heed.errors import UserError
from heed.metrics.bleu import bleu
from heed.metrics.tokenised import tokenised_bleu
from tests.support.model_folder import SOURCES, TARGETS, write, write_lines
from tests.support.settings import settings_of

SEEDS = (1, 2, 5)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run for each seed, all with the same architecture and settings, on a corpus in the working directory."""
    monkeypatch.chdir(tmp_path)
    for split in ("test", "valid"):
        write_lines(Path(f"own/{split}.en"), SOURCES)
        write_lines(Path(f"own/{split}.fr"), TARGETS)
    own: dict[str, Any] = {"reader": "files", "name": "own", "src_lang": "en", "tgt_lang": "fr"}
    own |= {"train": None, "valid": "own/valid", "test": "own/test"}
    write(Path("runs/own/seed-1/model"), {"corpus": own, "src_lang": "en", "tgt_lang": "fr"})
    for seed in SEEDS[1:]:
        shutil.copytree("runs/own/seed-1", f"runs/own/seed-{seed}")
        path = Path(f"runs/own/seed-{seed}/model/weights.safetensors")
        torch.manual_seed(seed)
        save_file({name: value + 0.3 * torch.randn_like(value) for name, value in load_file(path).items()}, path)
    for seed in SEEDS:
        trained(Path(f"runs/own/seed-{seed}"), seed=seed, run="own/seed", optim={"lr": 0.1})
    return Path("runs/own")


def trained(folder: Path, **settings: Any) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def settings(*overrides: str) -> Any:
    return settings_of("evaluate", Settings, "search.max_len=12", "heatmaps=0", *overrides)


def evaluated(*overrides: str) -> dict[str, Any]:
    return evaluate(settings("model=runs/own/seed-*/model", *overrides))


def written(folder: Path | str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))
    report.pop("files", None)  # digests of the texts beside the report
    return report


def test_the_report_contains_every_run_and_their_mean(runs: Path) -> None:
    """Catches a mean over other runs than the listed ones, a deviation divided by n, and scores without a mean."""
    report = evaluated("seeds=[1,2,5]")

    assert report == written(runs / "seed-1+2+5/evaluate/test")
    assert report["seeds"] == [1, 2, 5]
    assert report["runs"] == [written(runs / f"seed-{seed}/evaluate/test") for seed in SEEDS]
    assert len({one["chrf"] for one in report["runs"]}) == 3
    for key in ("bleu", "bleu_tokenised", "chrf", "ter", "perplexity"):
        values = [one[key] for one in report["runs"]]
        assert report["mean"][key] == pytest.approx(sum(values) / 3)
        squares = sum((value - sum(values) / 3) ** 2 for value in values)
        assert report["standard_deviation"][key] == pytest.approx((squares / 2) ** 0.5)
    entropies = [one["attention"]["reference"]["entropy"] for one in report["runs"]]
    assert report["mean"]["attention"]["reference"]["entropy"] == pytest.approx(statistics.fmean(entropies))
    assert "aer" not in report["mean"]


def test_the_table_shows_each_run_beside_the_mean(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches numbers in another column than their name."""
    report = evaluated("seeds=[1,2,5]")

    out = capsys.readouterr().out
    (shown,) = [line for line in out.splitlines() if line.startswith("chrF ") and "±" in line]
    assert [float(word) for word in shown.replace("±", "").replace("of", "").split()[1:]] == pytest.approx(
        [report["mean"]["chrf"], report["standard_deviation"]["chrf"], *(one["chrf"] for one in report["runs"])],
        abs=0.006,
    )
    assert "seeds" in out
    assert Path(out.splitlines()[-1].removeprefix("written to ")).samefile(runs / "seed-1+2+5/evaluate/test")


def test_output_has_a_folder_for_each_seed(runs: Path) -> None:
    """Catches a seed that overwrites another, and a second start that does not recognise its own report."""
    for _ in range(2):
        report = evaluated("seeds=[1,2]", "output=all")
        assert written("all") == report
        assert [written(f"all/seed-{seed}") for seed in (1, 2)] == report["runs"]
    assert not list(runs.rglob("report.json"))
    with pytest.raises(UserError, match=r"all/seed-1 contains a report.json that is not of several seeds"):
        evaluated("seeds=[1,2]", "output=all/seed-1")


def replaced(folder: Path) -> None:
    shutil.rmtree(folder)
    write(folder / "model", sources=["a b c"], targets=["d e f"])


WRONG: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a run that is not there": (lambda run: None, "seeds=[1,2,7]", "seed-7/model is not a model folder"),
    "one seed": (lambda run: None, "seeds=[1]", r"seeds=\[1\]: expected at least two different seeds"),
    "a seed twice": (lambda run: None, "seeds=[1,2,1]", "expected at least two different seeds"),
    "other settings": (
        lambda run: trained(run / "seed-2", seed=2, run="other", optim={"lr": 0.2}),
        "seeds=[1,2]",
        r"seed-2/model has other settings than .*seed-1/model \(optim.lr 0.1 -> 0.2\)",
    ),
    "a folder by a wrong name": (
        lambda run: trained(run / "seed-2", seed=1, optim={"lr": 0.1}),
        "seeds=[1,2]",
        "seed-2/model belongs to a run with seed=1; expected seed=2",
    ),
    "another architecture": (
        lambda run: replaced(run / "seed-2"),
        "seeds=[1,2]",
        r"seed-2/model has other settings .*architecture.src_vocab",
    ),
    "a damaged config": (
        lambda run: (run / "seed-2/config.yaml").write_bytes(b"\xff"),
        "seeds=[1,2]",
        "seed-2/config.yaml cannot be read",
    ),
    "no seeds": (lambda run: None, "split=test", r"\* stands for a seed; give seeds=\[1,2,3\] too"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_runs_that_cannot_be_averaged_are_reported_in_one_line(runs: Path, fault: str) -> None:
    """Catches a mean over different models, and a missing run that is found only after evaluating the others."""
    break_it, override, message = WRONG[fault]
    break_it(runs)

    with pytest.raises(UserError, match=message) as found:
        evaluated(override)
    assert "\n" not in str(found.value)
    assert not list(runs.rglob("evaluate"))


def test_a_model_path_without_a_placeholder_for_the_seed_is_refused(runs: Path) -> None:
    """Catches one model that is evaluated once for every seed."""
    with pytest.raises(UserError, match=r"needs \* in the place of the seed"):
        evaluate(settings("model=runs/own/seed-1/model", "seeds=[1,2]"))


def test_models_without_their_configs_are_compared_only_by_architecture(runs: Path) -> None:
    """Catches copied model folders, without config.yaml, that cannot be averaged any more."""
    for seed in SEEDS:
        (runs / f"seed-{seed}/config.yaml").unlink()
    assert evaluated("seeds=[1,2]")["seeds"] == [1, 2]


def test_one_model_against_another(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches exchanged models, and an evaluation that is found by its model or by its folder, but not by both."""
    other = evaluate(settings("model=runs/own/seed-1/model", "search=beam"))
    by_model, by_output = (
        evaluate(settings("model=runs/own/seed-2/model", f"versus={name}"))
        for name in ("runs/own/seed-1/model", "runs/own/seed-1/evaluate/test")
    )

    compared = by_model["versus"]
    assert compared["folder"] == "runs/own/seed-1/model"
    assert compared["search"] == other["search"] == by_output["versus"]["search"]
    for key in ("bleu", "chrf"):
        assert compared[key] == by_output["versus"][key]
        assert compared[key]["score"] == pytest.approx(by_model[key])
        assert compared[key]["other"] == pytest.approx(other[key])
        assert compared[key]["low"] <= compared[key]["difference"] <= compared[key]["high"]
        assert 0 < compared[key]["p_value"] <= 1
        assert "seed:12345" in compared[key]["signature"]
    assert written(runs / "seed-2/evaluate/test") == by_output
    place = f"runs/own/seed-1/model ({other['search']})"
    shown = f"{compared['chrf']['difference']:+.2f} compared with {other['chrf']:.2f} of {place}"
    assert shown in capsys.readouterr().out


def test_each_seed_is_compared_with_the_same_seed(runs: Path) -> None:
    """Catches every seed compared with the first seed of the other system."""
    shutil.copytree("runs/own", "runs/base")
    evaluate(settings("model=runs/base/seed-*/model", "seeds=[1,2]"))
    report = evaluated("seeds=[1,2]", "versus=runs/base/seed-*/model")
    assert [one["versus"]["folder"] for one in report["runs"]] == [f"runs/base/seed-{n}/model" for n in (1, 2)]
    assert [one["versus"]["chrf"]["difference"] for one in report["runs"]] == [0, 0]


def test_ensembles_over_several_seeds(runs: Path) -> None:
    """Catches a placeholder that is replaced only in the first of several models."""
    shutil.copytree("runs/own", "runs/base")
    pair = "model=[runs/own/seed-*/model,runs/base/seed-*/model]"
    report = evaluate(settings(pair, "seeds=[1,2]", "output=pairs"))
    alone = evaluated("seeds=[1,2]")
    assert written("pairs/seed-2") == report["runs"][1]
    assert report["mean"]["chrf"] == pytest.approx(alone["mean"]["chrf"])  # two copies are one model
    with pytest.raises(UserError, match=r"needs \* in the place of the seed"):
        evaluate(settings("model=[runs/own/seed-*/model,runs/base/seed-1/model]", "seeds=[1,2]", "output=pairs"))


def test_translations_of_another_text_are_refused(runs: Path) -> None:
    """Catches a difference between two test sets that is reported as a difference between two models."""
    evaluate(settings("model=runs/own/seed-1/model", "output=other"))
    against = settings("model=runs/own/seed-2/model", "versus=other")
    for name, lines, message in (
        ("hypotheses", TARGETS[1:], "5 translations and 6 references, of which 6 are equal to this split"),
        ("references", [*TARGETS[1:], "un"], "5 translations and 6 references, of which 0"),
        ("hypotheses", TARGETS, "6 translations and 6 references, of which 0"),
    ):
        write_lines(Path(f"other/{name}.txt"), lines)
        with pytest.raises(UserError, match=message):
            evaluate(against)
    for versus in ("nowhere", "runs/own/seed-5/model", "other/heatmaps"):
        with pytest.raises(UserError, match=f"versus={versus}: .* does not contain hypotheses.txt and references.txt"):
            evaluate(settings("model=runs/own/seed-2/model", f"versus={versus}"))
    assert not (runs / "seed-2/evaluate").exists()


def test_the_tokenised_score_belongs_to_the_files_beside_it(runs: Path) -> None:
    """Catches a score that is missing in the report, or that is computed for another language than the corpus has."""
    report = evaluate(settings("model=runs/own/seed-1/model"))
    hypotheses = (runs / "seed-1/evaluate/test/hypotheses.txt").read_bytes().decode().split("\n")[:-1]

    expected = tokenised_bleu(hypotheses=hypotheses, references=TARGETS, tgt_lang="fr")
    assert (report["bleu_tokenised"], report["bleu_tokenised_signature"]) == expected
    assert report["bleu"] == bleu(hypotheses=hypotheses, references=TARGETS)


def test_the_report_of_several_seeds_has_their_faithfulness_and_the_agreement_of_their_maps(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Catches a wrong mean, and maps of one seed that are compared with themselves."""
    report = evaluated("seeds=[1,2]", "faithfulness=true")
    each = [one["faithfulness"]["preserved"]["uniform"]["all"] for one in report["runs"]]
    assert report["mean"]["faithfulness"]["preserved"]["uniform"]["all"] == pytest.approx(statistics.mean(each))
    assert report["stability"]["divergence"] > 0
    assert "maps of two seeds" in capsys.readouterr().out
