"""heed-align: one line of links for each pair of lines."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heed import bundle
from heed.cli.align import Settings, align
from heed.errors import UserError
from heed.metrics.alignment import Links, read_pharaoh
from heed.metrics.symmetrisation import grow_diag_final_and
from heed.translator import load
from tests.support.model_folder import SOURCES, TARGETS, write, write_lines
from tests.support.settings import settings_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_lines(Path("a.en"), SOURCES)
    write_lines(Path("a.fr"), TARGETS)
    return write(Path("model"))


def settings(*overrides: str) -> Any:
    """Settings of an alignment to out/a.align, which is removed before."""
    Path("out/a.align").unlink(missing_ok=True)
    return settings_of("align", Settings, "model=model", "source=a.en", "target=a.fr", "output=out/a.align", *overrides)


def test_each_pair_of_lines_has_a_line_of_links(folder: Path) -> None:
    """Catches empty pairs that vanish, so that the lines below move up, and links to words that are not there."""
    links = align(settings())
    lines = Path("out/a.align").read_text().removesuffix("\n").split("\n")

    assert [read_pharaoh(line).sure for line in lines] == links
    assert len(lines) == len(SOURCES)
    for source, target, found in zip(SOURCES, TARGETS, links, strict=True):
        assert {src for src, _ in found} <= set(range(len(source.split())))
        assert [tgt for _, tgt in sorted(found, key=lambda link: link[1])] == list(range(len(target.split())))


def test_links_are_where_attention_is_largest(folder: Path) -> None:
    """Catches links that are computed from other weights than those of the forced pass."""
    expected = load(folder).align(SOURCES, TARGETS)

    assert [sorted(links) for links in align(settings("batch_size=2"))] == expected


def test_gold_is_scored_and_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches scores that are not perfect if the gold alignment is the output of the command itself."""
    align(settings())
    Path("out/a.align").rename("gold.align")
    align(settings("gold=gold.align", "output=again.align"))

    perfect = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "aer": 0.0}
    report = json.loads(Path("again.align.report.json").read_text())
    assert {name: report[name] for name in perfect} == perfect
    assert "AER        0.000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["target=nowhere"], "nowhere does not exist"),
        (["target=short"], "a.en has 6 lines and short has 1"),
        (["gold=short"], "a.en has 6 lines and short has 1"),
        (["gold=a.en"], "alignment link"),
        (["output=short/a.align"], "short/a.align cannot be written"),
        (["weights=short/a.npz"], "short/a.npz cannot be written"),
        (["gold=one"], "one, line 3: alignment link 1-1 in a pair of 0 source and 0 target words"),
        (["source=null"], "source=FILE missing"),
        (["output=null"], "output=FILE missing"),
        (["level=piece", "gold=one"], "gold=one cannot score level=piece, because gold alignments link words"),
        (["source=null", "target=null", "gold=one"], "gold=one needs source=FILE and target=FILE"),
        (["weights=out/a.align"], "weights=out/a.align would overwrite another"),
        (["weights=out/a.align.report.json"], "weights=out/a.align.report.json would overwrite another"),
        (["gold=b.report.json", "output=b"], "output=b, with its report beside it, would overwrite another"),
        (["reverse=model"], "translates en to fr; expected a model of the other direction, fr to en"),
    ],
)
def test_files_that_do_not_belong_together_are_reported_in_one_line(
    folder: Path, overrides: list[str], message: str
) -> None:
    """Catches files of unequal length that are cut to the shorter one, and output that is written despite an error."""
    write_lines(Path("short"), ["0-0"])
    write_lines(Path("one"), ["1-1"] * len(SOURCES))

    with pytest.raises(UserError, match=message):
        align(settings(*overrides))
    assert "weights=short/a.npz" in overrides or not Path("out/a.align").exists()


def test_the_weights_are_those_that_the_links_come_from(folder: Path) -> None:
    """Catches arrays that are transposed, in another order, or with a row or column for </s>."""
    links = align(settings("weights=out/a.npz"))
    arrays = np.load("out/a.npz")

    assert sorted(arrays, key=int) == [str(line) for line in range(len(SOURCES))]
    for line, found in enumerate(links):
        weights = arrays[str(line)]
        assert weights.shape == (len(TARGETS[line].split()), len(SOURCES[line].split()))
        assert found == {(int(row.argmax()), tgt) for tgt, row in enumerate(weights)}


def test_a_threshold_links_all_weights_that_reach_it(folder: Path) -> None:
    """Catches a threshold that is ignored."""
    links = align(settings("weights=out/a.npz", "threshold=0.3"))
    arrays = np.load("out/a.npz")

    assert links != align(settings())
    for line, found in enumerate(links):
        rows, columns = np.nonzero(arrays[str(line)] >= 0.3)
        assert found == set(zip(columns.tolist(), rows.tolist(), strict=True))


def test_subwords_are_aligned_as_subwords(folder: Path) -> None:
    """Catches a level that is ignored."""
    loaded = bundle.load(folder)
    links = align(settings("level=piece"))

    assert [len(found) for found in links] == [
        len(loaded.tgt.encode(target)) if source else 0 for source, target in zip(SOURCES, TARGETS, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "merge"),
    [("intersection", frozenset.__and__), ("union", frozenset.__or__), ("grow-diag-final-and", grow_diag_final_and)],
)
def test_two_directions_make_one_alignment(folder: Path, name: str, merge: Callable[..., Links]) -> None:
    """Catches links of the second model whose sides are not swapped, and a name that selects another merge."""
    backward = write(Path("backward"), {"src_lang": "fr", "tgt_lang": "en"}, TARGETS, SOURCES)
    forward_links = align(settings())
    backward_links = align(settings(f"model={backward}", "source=a.fr", "target=a.en"))

    merged = align(settings(f"reverse={backward}", f"symmetrisation={name}"))

    turned = [frozenset((src, tgt) for tgt, src in links) for links in backward_links]
    assert turned != forward_links
    assert merged == [merge(one, other) for one, other in zip(forward_links, turned, strict=True)]


def test_several_models_align_as_one_in_each_direction(folder: Path) -> None:
    """Catches an ensemble of which only one model is used, forward or backward."""
    other = write(Path("other"), seed=5)
    back = [
        write(Path(f"back{seed}"), {"src_lang": "fr", "tgt_lang": "en"}, TARGETS, SOURCES, seed=seed) for seed in (6, 7)
    ]
    models, reverse = load([folder, other]), load(back)
    expected = models.align(SOURCES, TARGETS, threshold=0.2, reverse=reverse)

    found = align(settings(f"model=[{folder},{other}]", f"reverse=[{back[0]},{back[1]}]", "threshold=0.2"))

    assert [sorted(links) for links in found] == expected
    assert expected != models.align(SOURCES, TARGETS, threshold=0.2, reverse=load(back[0]))
    assert expected != load(folder).align(SOURCES, TARGETS, threshold=0.2, reverse=reverse)
    with pytest.raises(
        UserError, match=r"^model=\[model,other\]: several models have no common folder; give output=FILE$"
    ):
        align(settings_of("align", Settings, "model=[model,other]"))


def test_subwords_of_two_vocabularies_are_not_merged(folder: Path) -> None:
    """Catches merged links of two models that number different subwords."""
    backward = write(Path("backward"), {"src_lang": "fr", "tgt_lang": "en"}, TARGETS[1:2], SOURCES)
    with pytest.raises(UserError, match="line 1: the two models divide it"):
        align(settings(f"reverse={backward}", "level=piece"))


def test_the_unit_of_the_links_is_printed_if_it_is_not_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Catches indices of subwords that a reader takes for indices of words, and a unit that differs between lines."""
    monkeypatch.chdir(tmp_path)
    segmented, whole = ["我 喜欢 猫", "谢谢", "小 狗"], ["我喜欢猫", "谢谢", "小狗"]
    write(Path("model"), {"src_lang": "en", "tgt_lang": "zh"}, SOURCES, segmented)
    write_lines(Path("a.en"), ["a dog", "the cat", "a cat"])
    for lines in (segmented, whole):
        write_lines(Path("a.fr"), lines)
        links = align(settings())
        said = "target words are the model's subwords, because the text has no spaces between words"
        assert (said in capsys.readouterr().out) is (lines is whole)
        if lines is segmented:
            assert [max(tgt for _, tgt in one) for one in links] == [2, 0, 1]


def test_with_nothing_but_a_model_its_own_test_split_is_aligned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Catches a first try that ends with a list of missing keys, and gold alignments that are not used."""
    monkeypatch.chdir(tmp_path)
    write_lines(Path("own/test.en"), SOURCES)
    write_lines(Path("own/test.fr"), TARGETS)
    write_lines(Path("own/test.align"), ["0-0", "0-0", "", "0-0", "0-0", "0-0"])
    own = {"reader": "files", "name": "own", "src_lang": "en", "tgt_lang": "fr", "test": "own/test"}
    write(Path("run/model"), {"corpus": own | {"train": None, "valid": None}})

    links = align(settings_of("align", Settings, "model=run/model"))

    lines = Path("run/align/test.align").read_text().removesuffix("\n").split("\n")
    assert [read_pharaoh(line).sure for line in lines] == links
    assert json.loads(Path("run/align/test.align.report.json").read_text()).keys() == {
        "precision",
        "recall",
        "f1",
        "aer",
        "sha256",
    }
    out = capsys.readouterr().out
    assert "AER" in out
    assert re.search(r"^attention took \d+\.\d s$", out, re.MULTILINE)


@pytest.mark.parametrize("method", ["saliency", "difference", "norm", "product", "posterior"])
def test_other_methods_align_and_print_their_time(
    folder: Path, capsys: pytest.CaptureFixture[str], method: Any
) -> None:
    """Catches a method that is ignored, and a time that is not printed."""
    expected = load(folder).align(SOURCES, TARGETS, method=method)
    assert [sorted(links) for links in align(settings(f"method={method}", "weights=w.npz"))] == expected
    assert f"{method} took " in capsys.readouterr().out
    weights = np.load("w.npz")["0"]
    assert weights.shape == (3, 3)
    assert not np.allclose(weights, load(folder).force(SOURCES[0], TARGETS[0]).attention)
    with pytest.raises(UserError, match="noisy_copies"):
        settings("noisy_copies=-1")


def test_a_long_text_is_aligned_in_portions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches portions that are lost or combined with others of the reverse model, and line numbers that restart."""
    backward = write(Path("backward"), {"src_lang": "fr", "tgt_lang": "en"}, TARGETS, SOURCES)
    both = settings(f"reverse={backward}", "weights=out/a.npz", "method=posterior")
    whole, arrays = align(both), dict(np.load("out/a.npz"))
    for name in ("a.align", "a.npz"):
        Path("out", name).unlink()

    monkeypatch.setattr("heed.translator.PORTION", 2)

    assert align(both) == whole
    again = np.load("out/a.npz")
    assert len(arrays) == len(SOURCES)
    assert all(np.allclose(again[name], weights, atol=1e-6) for name, weights in arrays.items())
    own = load(folder).align(SOURCES, TARGETS, reverse=load(backward), method="posterior")
    assert own == [sorted(links) for links in whole]
    other = write(Path("other"), {"src_lang": "fr", "tgt_lang": "en"}, TARGETS[1:2], SOURCES)
    for side, lines in (("en", SOURCES), ("fr", TARGETS)):
        write_lines(Path(f"tail.{side}"), ["", "", "", lines[0]])
    with pytest.raises(UserError, match="line 4: the two models divide it"):
        align(settings(f"reverse={other}", "level=piece", "source=tail.en", "target=tail.fr", "output=out/tail.align"))
