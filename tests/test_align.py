"""The align door: one line of links for each pair of lines."""

import json
from pathlib import Path
from typing import Any

import pytest

from heed import bundle, decoding
from heed.align import Settings, align
from heed.door import check, compose
from heed.errors import UserError
from heed.metrics.alignment import read_pharaoh
from tests.model_folder import SOURCES, TARGETS, write, write_lines


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_lines(Path("a.en"), SOURCES)
    write_lines(Path("a.fr"), TARGETS)
    return write(Path("model"))


def settings(*overrides: str) -> Any:
    cfg = compose("align", ["model=model", "source=a.en", "target=a.fr", "output=out/a.align", *overrides])
    check(cfg, Settings)
    return cfg


def test_each_pair_of_lines_has_a_line_of_links(folder: Path) -> None:
    """Catches empty pairs that vanish, so that the lines below move up, and links to words that are not there."""
    links = align(settings())
    lines = Path("out/a.align").read_text().removesuffix("\n").split("\n")

    assert [read_pharaoh(line).sure for line in lines] == links
    assert len(lines) == len(SOURCES)
    for source, target, found in zip(SOURCES, TARGETS, links, strict=True):
        assert {src for src, _ in found} <= set(range(len(source.split())))
        assert [tgt for _, tgt in sorted(found, key=lambda link: link[1])] == list(range(len(target.split())))


def test_links_are_where_the_model_looks(folder: Path) -> None:
    """Catches an alignment of other weights than those of the forced pass."""
    loaded = bundle.load(folder)
    forced = decoding.force(loaded.model, loaded.src, loaded.tgt, SOURCES, TARGETS)
    maps = decoding.forced_maps(forced, loaded.src, loaded.tgt)

    assert align(settings("sentences=2")) == [found.links() for found in maps]


def test_gold_is_scored_and_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches scores that are not those of a perfect alignment when the gold is what came out."""
    align(settings())
    align(settings("gold=out/a.align", "output=again.align"))

    perfect = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "aer": 0.0}
    assert json.loads(Path("again.align.report.json").read_text()) == perfect
    assert "AER        0.000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["target=nowhere"], "nowhere does not exist"),
        (["target=short"], "a.en has 6 lines and short has 1"),
        (["gold=short"], "a.en has 6 lines and short has 1"),
        (["gold=a.en"], "alignment link"),
        (["output=short/a.align"], "short/a.align cannot be written"),
    ],
)
def test_files_that_do_not_belong_together_are_told_in_one_line(
    folder: Path, overrides: list[str], message: str
) -> None:
    """Catches files of unequal length cut to the shorter one, and output written all the same."""
    write_lines(Path("short"), ["0-0"])

    with pytest.raises(UserError, match=message):
        align(settings(*overrides))
    assert not Path("out/a.align").exists()
