"""What the evaluate door finds out, and where it writes it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from heed import bundle
from heed.decoding import force
from heed.door import check, compose
from heed.errors import UserError
from heed.evaluate import Settings, evaluate
from heed.metrics.bleu import translation_scores
from tests.model_folder import SOURCES, TARGETS, write, write_lines

KEYS = {
    *("corpus", "split", "sentences", "search", "bleu", "bleu_signature", "chrf", "ter", "perplexity", "aer"),
    "sentences_per_second",
}
GOLD = ["0-0 1-1 2?2", "0-0 1-1", "", "0-0 1-1", "1-1 2-0", "0-0 1-1"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder with a model folder, and the corpus that it names, with gold alignments in its test split."""
    monkeypatch.chdir(tmp_path)
    for split in ("test", "valid"):
        write_lines(Path(f"own/{split}.en"), SOURCES)
        write_lines(Path(f"own/{split}.fr"), TARGETS)
    write_lines(Path("own/test.align"), GOLD)
    own = {"reader": "files", "name": "own", "src_lang": "en", "tgt_lang": "fr", "test": "own/test"}
    write(Path("runs/own/model"), {"corpus": own | {"train": None, "valid": "own/valid"}})
    return Path("runs/own")


def settings(*overrides: str) -> Any:
    cfg = compose("evaluate", ["model=runs/own/model", "search.max_len=12", "heatmaps=3", *overrides])
    check(cfg, Settings)
    return cfg


def test_the_report_holds_what_it_must(run: Path) -> None:
    """Catches a key that is missing or renamed, and a report on paper other than the one returned."""
    report = evaluate(settings())

    assert report.keys() >= KEYS
    assert json.loads((run / "evaluate/test/report.json").read_text(encoding="utf-8")) == report
    assert (report["corpus"], report["split"], report["sentences"]) == ("own", "test", 6)
    assert report["search"] == "greedy(max_len=12)"
    assert report["sentences_per_second"] > 0


def test_scores_are_of_the_files_beside_them(run: Path) -> None:
    """Catches BLEU with its arguments swapped, and texts that are not those that were scored."""
    report = evaluate(settings())
    hypotheses, references = (
        (run / f"evaluate/test/{name}.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
        for name in ("hypotheses", "references")
    )

    assert references == TARGETS
    expected = translation_scores(hypotheses=hypotheses, references=references)._asdict()
    assert {key: report[key] for key in expected} == expected


def test_perplexity_is_of_the_reference_s_pieces(run: Path) -> None:
    """Catches a mean over sentences or over padding, and EOS left out of the count."""
    report = evaluate(settings("sentences=2"))
    loaded = bundle.load(run / "model")
    found = force(loaded.model, loaded.src, loaded.tgt, SOURCES, TARGETS, 1)
    pieces = sum(len(loaded.tgt.encode(line)) + 1 for line in TARGETS)

    assert report["perplexity"] == pytest.approx(math.exp(sum(one.nll for one in found) / pieces), rel=1e-5)


def test_alignment_error_is_null_where_there_is_no_gold(run: Path) -> None:
    """Catches 0 for what is not known."""
    assert evaluate(settings("split=valid"))["aer"] is None
    assert 0 <= evaluate(settings())["aer"] <= 1


def test_pictures_are_of_the_first_sentences(run: Path) -> None:
    """Catches pictures left from an evaluation before, and a sentence without words on which drawing fails."""
    pictures = run / "evaluate/test/heatmaps"
    evaluate(settings("heatmaps=4"))
    evaluate(settings("heatmaps=3"))

    assert sorted(path.name for path in pictures.iterdir()) == ["0001.png", "0002.png", "0003.png"]
    for path in pictures.iterdir():
        with Image.open(path) as picture:
            assert picture.format == "PNG"


def test_each_search_says_its_name_and_settings(run: Path) -> None:
    """Catches reports of greedy and beam search that cannot be told apart."""
    assert evaluate(settings("search=beam", "search.beam_size=2"))["search"] == (
        "beam(max_len=12, beam_size=2, length_penalty=1.0)"
    )


def test_another_corpus_has_a_folder_of_its_own(run: Path) -> None:
    """Catches the scores on the model's own test split overwritten by those on another bitext."""
    evaluate(settings())
    before = (run / "evaluate/test/report.json").read_bytes()
    write_lines(Path("news/a.en"), ["a dog"])
    write_lines(Path("news/a.fr"), ["un chien"])

    names = ["corpus.name=news", "corpus.src_lang=en", "corpus.tgt_lang=fr", "corpus.test=news/a"]
    report = evaluate(settings("corpus=files", *names))

    assert (report["corpus"], report["sentences"], report["aer"]) == ("news", 1, None)
    assert (run / "evaluate/test/report.json").read_bytes() == before
    assert (run / "evaluate/news/test/report.json").exists()


def test_output_says_where_to_write(run: Path) -> None:
    """Catches a key that does nothing."""
    evaluate(settings("output=elsewhere"))

    assert Path("elsewhere/report.json").exists()
    assert not (run / "evaluate").exists()


def test_a_place_that_cannot_be_written_is_said_in_one_line(run: Path) -> None:
    """Catches a traceback at the end of a long evaluation."""
    Path("file").touch()

    with pytest.raises(UserError, match="output=DIR"):
        evaluate(settings("output=file/in"))


def test_a_split_that_is_not_there_is_said_in_one_line(run: Path) -> None:
    """Catches a KeyError."""
    with pytest.raises(UserError, match="no dev split"):
        evaluate(settings("split=dev"))
