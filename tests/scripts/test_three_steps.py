import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from heed.cli.config import compose
from scripts.three_steps import BARS, KINDS, bars, by_attn, by_plain_operations, example, main, report

SCRIPT = Path(__file__).parents[2] / "scripts" / "three_steps.py"


@pytest.mark.parametrize("score", KINDS)
def test_both_columns_are_the_same_numbers(score: str) -> None:
    """Catches a page that differs from the module; checked for every number, not only for those shown."""
    attn, q, k, v = example(score)
    plain, ours = by_plain_operations(attn, score, q, k, v), by_attn(attn, q, k, v)
    for one, other in zip(plain, ours, strict=True):
        torch.testing.assert_close(one.flatten(), other.flatten(), rtol=0, atol=1e-6)


def test_the_sizes_are_the_articles() -> None:
    """The shapes are those of the article."""
    page = report("article")
    for expected in (r"Q  \(1, 1, 32\)", r"K  \(1, 1, 32\)", r"V  \(1, 32, 64\)", r"a = softmax\(e\) +\(1, 32\)"):
        assert re.search(expected, page)
    assert re.search(r"o = .* +\(1, 1, 64\)", page)


@pytest.mark.parametrize("score", KINDS)
def test_the_page_fits_a_terminal(score: str) -> None:
    """The output fits 80 columns, so that the table is not wrapped."""
    page = report(score)
    assert max(len(line) for line in page.splitlines()) <= 80
    assert KINDS[score].equation in page


def test_bars_are_as_high_as_weights() -> None:
    """Catches bars that are not proportional to weights: weight 1 has the full bar, and weight 0 the lowest."""
    assert bars(torch.tensor([0.0, 0.5, 1.0, 0.25])) == BARS[0] + BARS[4] + BARS[7] + BARS[2]
    weights = by_attn(*example("article")).weights[0]
    assert bars(weights).index(BARS[-1]) == int(weights.argmax())
    assert bars(weights) in report("article")


def test_it_runs_from_anywhere(tmp_path: Path) -> None:
    """Catches a script that finds its project only from the project's root."""
    finished = subprocess.run(
        [sys.executable, SCRIPT, "--score", "additive"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert finished.stdout == report("additive") + "\n"
    assert finished.stderr == ""


def test_its_default_is_that_of_training(capsys: pytest.CaptureFixture[str]) -> None:
    """Catches a script that by default shows another kind of attention than training uses."""
    main([])
    assert capsys.readouterr().out == report(compose("train").model.attention.score) + "\n"


def test_a_wrong_score_is_one_line_of_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--score", "soft"])
    assert "invalid choice: 'soft'" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "{article,additive,general,dot,scaled_dot}" in capsys.readouterr().out
