import json
import re
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from heed.cli.evaluate import Settings, evaluate
from heed.experiment import train
from scripts import results_table
from scripts.results_table import RESULTS, TABLE, main, table
from tests.support.settings import settings_of
from tests.support.small_run import settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(results_table, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["results_table.py", *map(str, arguments)])
    return main()


def run(folder: Path, seed: int, bleu: float, aer: float | None = 0.1, **config: Any) -> Path:
    """The files of a run folder that the script keeps."""
    machine = {"cpu": "some", "cores": 2, "gpus": [], "memory_gib": 8.0, "platform": "this one"}
    command = f"/home/me/bin/python -m heed.cli.train seed={seed} corpus.root=/home/me/text corpus.train=../text/train"
    environment = {"command": command, "started": "now", "seed": seed, "git": None, "packages": {}, "python": "3.11"}
    signatures = {"bleu_signature": "s", "bleu_tokenised_signature": "t"}
    test = {"corpus": "c", "split": "test", "sentences": 9, "search": "greedy", **signatures, "aer": aer}
    test |= {"bleu": bleu, "bleu_tokenised": bleu + 1, "chrf": 50.0, "ter": 9.0, "perplexity": 2.0, "versus": None}
    write(folder / "report.json", {"seconds": 120.0 * seed, "parameters": 1_150_000, "history": [1, 2]})
    write(folder / "environment.json", environment | {"machine": machine})
    write(folder / "evaluate/test/report.json", test)
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": seed, "run": folder.name} | config))
    return folder


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_a_row_is_the_mean_of_its_seeds(tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a deviation that divides by n, a mean of other runs, and a deviation shown for a single run."""
    for seed, bleu in ((1, 40.0), (2, 41.0), (3, 45.0)):
        run(tmp_path / f"runs/dot/seed-{seed}", seed, bleu)
    assert command(monkeypatch, "keep", tmp_path / "runs/dot", run(tmp_path / "runs/one", 7, 30.0, aer=None)) == 0

    assert [path.name for path in sorted(results.glob("*/*"))] == [
        *(f"seed-{n}.json" for n in (1, 2, 3)),
        "seed-7.json",
    ]
    head, _, several, one = table(["dot", "one"]).splitlines()
    assert head == "| run | seeds | BLEU | tokenised BLEU | chrF | TER | AER | minutes | parameters |"
    assert several == (
        "| `dot` | 3 | 42.0 ± 2.6 | 43.0 ± 2.6 | 50.0 ± 0.0 | 9.0 ± 0.0 | 0.100 ± 0.000 | 4.0 | 1.15 M |"
    )
    assert one == "| `one` | 1 | 30.0 | 31.0 | 50.0 | 9.0 |  | 14.0 | 1.15 M |"
    assert "AER" not in table(["one"])


def test_minutes_of_a_busy_machine_are_not_shown(
    tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a training time on a page that was measured while other programs used the cores."""
    quiet, busy = (run(tmp_path / f"runs/{name}", 2, 40.0) for name in ("quiet", "busy"))
    assert command(monkeypatch, "keep", quiet) == command(monkeypatch, "keep", "--busy", busy) == 0
    assert "| 4.0 | 1.15 M |" in table(["quiet", "busy"]).splitlines()[2]
    assert "|  | 1.15 M |" in table(["quiet", "busy"]).splitlines()[3]


def test_keeping_a_name_again_replaces_it(tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a mean over new runs and a run that was kept earlier."""
    paths = [run(tmp_path / f"runs/dot_{seed}", seed, 40.0 + seed) for seed in (1, 2, 3)]
    assert command(monkeypatch, "keep", "--as", "dot", *paths) == 0
    assert command(monkeypatch, "keep", "--as", "dot", *paths[:2]) == 0
    assert sorted(path.name for path in (results / "dot").iterdir()) == ["seed-1.json", "seed-2.json"]


@pytest.mark.parametrize(
    "program", ["-m heed.cli.train", "-m heed train", "/home/me/bin/heed-train", "/home/me/src/heed/train.py"]
)
def test_kept_results_do_not_name_folders_of_the_machine(
    tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """Catches a home directory in the repository, and a command that is recognised only in one of its forms."""
    path = run(tmp_path / "one", 1, 30.0) / "environment.json"
    path.write_text(path.read_text().replace("-m heed.cli.train", program))
    command(monkeypatch, "keep", tmp_path / "one")
    kept = json.loads((results / "one/seed-1.json").read_text())
    assert kept["environment"]["command"] == "heed-train seed=1 corpus.root=… corpus.train=…"
    assert "/home" not in json.dumps(kept)
    assert "history" not in kept["train"]


def test_only_the_tables_of_a_page_are_written(tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches text around a table that is lost, and a table written twice."""
    command(monkeypatch, "keep", run(tmp_path / "one", 1, 30.0), run(tmp_path / "en-de", 1, 31.0))
    page = tmp_path / "page.md"
    page.write_text(
        "a\n<!-- results: one -->\nold\n<!-- end of results -->\nb\n"
        "<!-- results: en-de one -->\n<!-- end of results -->\n"
    )
    for _ in range(2):
        assert command(monkeypatch, "write", page) == 0
        assert page.read_text() == (
            f"a\n<!-- results: one -->\n{table(['one'])}\n<!-- end of results -->\nb\n"
            f"<!-- results: en-de one -->\n{table(['en-de', 'one'])}\n<!-- end of results -->\n"
        )


def faithful(folder: Path, seed: int, share: float) -> Path:
    """A run that was evaluated with `faithfulness=true`; `share` of its words stay the same."""
    path = run(folder, seed, 30.0) / "evaluate/test/report.json"
    kinds = {"all": share, "function": share + 0.1, "content": share - 0.1}
    changes = ("permuted", "uniform", "without_maximum", "any", "every", "control")
    orders = {"attention": share * 2, "saliency": 0.5, "difference": 0.75, "random": 0.25}
    distances = dict.fromkeys(changes, share), {**dict.fromkeys(changes, share / 2), "control": 0.01}
    measured = {
        "preserved": dict.fromkeys(changes, kinds),
        "total_variation": distances[0],
        "divergence": distances[1],
        "comprehensiveness": orders,
        "sufficiency": orders,
    }
    write(path, json.loads(path.read_text()) | {"faithfulness": measured})
    return folder


def test_faithfulness_has_tables_of_its_own(tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a column of another measure, fractions instead of percent, and maps of other seeds."""
    runs = [faithful(tmp_path / f"runs/one_{seed}", seed, share) for seed, share in ((1, 0.2), (2, 0.4))]
    together = tmp_path / "runs/one_1+2/evaluate/test"
    write(together / "report.json", {"seeds": [1, 2], "stability": {"divergence": 0.05, "permuted": 0.4}})
    assert command(monkeypatch, "keep", "--as", "one", "--together", together, *runs) == 0
    head, _, row = table(["one"], "preserved").splitlines()
    assert head == (
        "| run | seeds | permuted | uniform | largest removed | any | every | every, function words | "
        "every, content words | control |"
    )
    assert row == (
        "| `one` | 2 | 30 ± 14% | 30 ± 14% | 30 ± 14% | 30 ± 14% | 30 ± 14% | 40 ± 14% | 20 ± 14% | 30.0 ± 14.1% |"
    )
    head, _, row = table(["one"], "distances").splitlines()
    assert head == (
        "| run | seeds | TV permuted | TV uniform | TV largest removed | TV control | JS permuted | JS uniform | "
        "JS largest removed | JS control |"
    )
    assert row == f"| `one` | 2 |{' 0.30 ± 0.14 |' * 4}{' 0.15 ± 0.07 |' * 3} 0.01 ± 0.00 |"
    head, _, row = table(["one"], "erasure").splitlines()
    assert head == (
        "| run | seeds | C attention | C saliency | C difference | C random | S attention | S saliency | "
        "S difference | S random | two seeds | permuted maps |"
    )
    assert row == (
        "| `one` | 2 | 0.60 ± 0.28 | 0.50 ± 0.00 | 0.75 ± 0.00 | 0.25 ± 0.00 | 0.60 ± 0.28 | 0.50 ± 0.00 | "
        "0.75 ± 0.00 | 0.25 ± 0.00 | 0.050 | 0.400 |"
    )
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- preserved: one -->\n<!-- end of results -->\n<!-- erasure: one -->\n<!-- end of results -->\n"
    )
    assert command(monkeypatch, "write", page) == 0
    assert page.read_text().count(row) == 1
    assert page.read_text().count("40 ± 14%") == 1


def test_what_was_not_measured_is_reported(
    tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Catches a traceback, an empty table, and seeds that are kept with the maps of others."""
    page = tmp_path / "page.md"
    page.write_text("<!-- preserved: one -->\n<!-- end of results -->\n")
    command(monkeypatch, "keep", run(tmp_path / "one", 1, 30.0))
    assert command(monkeypatch, "write", page) == 2
    assert "evaluated without faithfulness=true" in capsys.readouterr().err
    write(tmp_path / "others/report.json", {"seeds": [1, 2], "stability": {}})
    assert command(monkeypatch, "keep", "--as", "one", "--together", tmp_path / "others", tmp_path / "one") == 2
    assert "others is not an evaluation of seeds 1 with faithfulness=true" in capsys.readouterr().err


def test_runs_that_make_no_row_are_reported_in_one_line(
    tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Catches a mean of two models, of one seed twice, and a traceback for a run that was not evaluated."""
    first, other = run(tmp_path / "a", 1, 30.0), run(tmp_path / "b", 2, 31.0, optim={"lr": 0.1})
    twice, beam = run(tmp_path / "c", 1, 30.0), run(tmp_path / "d", 2, 30.0)
    report = json.loads((beam / "evaluate/test/report.json").read_text())
    write(beam / "evaluate/test/report.json", report | {"search": "beam"})
    page = tmp_path / "page.md"
    page.write_text("<!-- results: x -->\n<!-- end of results -->\n")
    for arguments, message in (
        (["keep", "--as", "x", first, other], r"b has other settings than .*a \(optim.lr \(none\) -> 0.1\)"),
        (["keep", "--as", "x", first, twice], "x: 2 runs have 1 different seeds"),
        (["write", page], "there are no results called x"),
        (["keep", tmp_path / "nowhere"], "nowhere/config.yaml does not exist; train and evaluate the run first"),
    ):
        assert command(monkeypatch, *arguments) == 2
        assert re.search(message, capsys.readouterr().err)
        assert not results.exists()
    assert command(monkeypatch, "keep", "--as", "x", first, beam) == 0
    assert command(monkeypatch, "write", page) == 2
    assert re.search(r"x: its seeds differ in search \(beam, greedy\)", capsys.readouterr().err)
    shutil.rmtree(first / "evaluate")
    assert command(monkeypatch, "keep", first) == 2
    assert "evaluate/test/report.json does not exist" in capsys.readouterr().err


def test_the_pages_show_what_is_kept() -> None:
    """Catches numbers edited by hand, and results that were kept and not written, or never shown."""
    shown = set[str]()
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for found in TABLE.finditer(page.read_text(encoding="utf-8")):
            assert found["content"] == f"{table(found['names'].split(), found['kind'])}\n", page
            shown.update(found["names"].split())
    assert RESULTS == ROOT / "docs" / "results"
    assert shown == {folder.name for folder in RESULTS.iterdir()}


@pytest.mark.slow
def test_real_runs_are_kept_and_shown(tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a name in a report that differs from the name that the script reads."""
    for seed in (1, 2):
        train(settings(tmp_path / "runs", f"seed={seed}", f"run=small/seed-{seed}"))
        evaluate(settings_of("evaluate", Settings, f"model={tmp_path}/runs/small/seed-{seed}/model", "heatmaps=0"))
    assert command(monkeypatch, "keep", tmp_path / "runs/small") == 0
    chrf = [json.loads(path.read_text())["test"]["chrf"] for path in results.glob("small/*.json")]
    assert f"| {statistics.fmean(chrf):.1f} ± {statistics.stdev(chrf):.1f} |" in table(["small"]).splitlines()[2]
