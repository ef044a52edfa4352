"""heed-evaluate: its scores and its files."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from heed import bundle
from heed.cli.evaluate import Settings, evaluate
from heed.cli.evaluate_seeds import folder_of
from heed.errors import UserError
from heed.metrics.alignment import read_pharaoh
from heed.metrics.attention import mean_health
from heed.metrics.bleu import sentence_bleu, translation_scores
from heed.translator import load
from tests.support.model_folder import SOURCES, TARGETS, write, write_lines
from tests.support.settings import settings_of
from tests.support.viz import Page

KEYS = {
    *("corpus", "split", "sentences", "search", "bleu", "bleu_signature", "chrf", "ter", "perplexity", "aer"),
    *("bleu_tokenised", "bleu_tokenised_signature", "versus", "sentences_per_second"),
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
    return settings_of("evaluate", Settings, "model=runs/own/model", "search.max_len=12", "heatmaps=3", *overrides)


def test_the_report_has_all_keys_and_is_written(run: Path) -> None:
    """Catches a key that is missing or renamed, and a written report that differs from the returned one."""
    report = evaluate(settings())

    assert report.keys() >= KEYS
    written = json.loads((run / "evaluate/test/report.json").read_text(encoding="utf-8"))
    assert {*written.pop("files")} == {"hypotheses.txt", "references.txt", "report.json"}
    assert written == report
    assert (report["corpus"], report["split"], report["sentences"]) == ("own", "test", 6)
    assert report["search"] == "greedy(max_len=12)"
    assert report["sentences_per_second"] > 0


def test_scores_are_of_the_files_beside_them(run: Path) -> None:
    """Catches BLEU with its arguments swapped, and written texts that differ from the scored ones."""
    report = evaluate(settings())
    hypotheses, references = (
        (run / f"evaluate/test/{name}.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
        for name in ("hypotheses", "references")
    )

    assert references == TARGETS
    expected = translation_scores(hypotheses=hypotheses, references=references)._asdict()
    assert {key: report[key] for key in expected} == expected


def test_perplexity_is_per_subword_of_the_references(run: Path) -> None:
    """Catches a mean over sentences or over padding, and EOS left out of the count."""
    report = evaluate(settings("batch_size=2"))
    translator = load(run / "model")
    scores = [translator.score(*pair) for pair in zip(SOURCES, TARGETS, strict=True)]
    pieces = sum(len(translator.bundle.tgt.encode(line)) + 1 for line in TARGETS)

    assert report["perplexity"] == pytest.approx(math.exp(-sum(scores) / pieces), rel=1e-5)


def test_alignment_error_is_null_without_gold(run: Path) -> None:
    """Catches 0 for an unknown score."""
    assert evaluate(settings("split=valid"))["aer"] is None
    assert 0 <= evaluate(settings())["aer"] <= 1


def test_pictures_show_the_first_sentences(run: Path) -> None:
    """Catches pictures that are left from an earlier evaluation, and an error for a sentence without words."""
    pictures = run / "evaluate/test/heatmaps"
    evaluate(settings("heatmaps=4"))
    evaluate(settings("heatmaps=3"))

    assert sorted(path.name for path in pictures.iterdir()) == ["0001.png", "0002.png", "0003.png"]
    for path in pictures.iterdir():
        with Image.open(path) as picture:
            assert picture.format == "PNG"


def test_pictures_as_svg_replace_those_as_png(run: Path) -> None:
    """Catches pictures of the old format that are left beside the new ones, and a format that is ignored."""
    pictures = run / "evaluate/test/heatmaps"
    evaluate(settings())
    evaluate(settings("format=svg"))
    assert sorted(path.name for path in pictures.iterdir()) == ["0001.svg", "0002.svg", "0003.svg"]
    assert "</svg>" in (pictures / "0001.svg").read_text(encoding="utf-8")


def shown(folder: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = Page((folder / "gallery.html").read_text(encoding="utf-8")).entries
    return entries


@pytest.mark.parametrize("search", [["search=greedy"], ["search=beam", "search.beam_size=3"]])
def test_the_gallery_shows_every_sentence(run: Path, search: list[str]) -> None:
    """Catches sentences in the order of batches, candidates that are lost, and scores of another sentence."""
    report = evaluate(settings(*search))
    entries = shown(run / "evaluate/test")
    hypotheses = (run / "evaluate/test/hypotheses.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")

    assert len(entries) == report["sentences"]
    for entry, source, target, hypothesis, gold in zip(entries, SOURCES, TARGETS, hypotheses, GOLD, strict=True):
        assert (entry["source"], entry["reference"]) == (source.split(), target.split())
        assert " ".join(entry["candidates"][0]["words"]) == hypothesis
        assert len(entry["candidates"]) == (3 if "search=beam" in search and source else 1)
        scores = [candidate["score"] for candidate in entry["candidates"]]
        assert scores == sorted(scores, reverse=True)
        links = read_pharaoh(gold)
        assert {tuple(link) for link in entry["sure"]} == links.sure
        assert {tuple(link) for link in entry["possible"]} == links.possible - links.sure
        if target:
            assert entry["bleu"] == pytest.approx(sentence_bleu(hypothesis=hypothesis, reference=target), abs=1e-3)


def test_the_gallery_can_show_subwords_and_the_end(run: Path) -> None:
    """Catches gold links, which count words, drawn over subwords, and </s> on only one side."""
    evaluate(settings("level=piece", "end=true"))
    loaded = bundle.load(run / "model")

    for entry, source in zip(shown(run / "evaluate/test"), SOURCES, strict=True):
        assert entry["source"] == [*loaded.src.pieces(loaded.src.encode(source)), "</s>"]
        assert entry["reference"][-1] == "</s>"
        assert entry["sure"] == entry["possible"] == []


def test_the_report_says_how_well_attention_has_formed(run: Path) -> None:
    """Catches measures of subwords, or of hypotheses instead of references, and an AER that depends on the level."""
    report = evaluate(settings())
    maps = [pair.map() for pair in load(run / "model").force(SOURCES, TARGETS)]

    expected = mean_health([one.health() for one in maps])._asdict()
    assert report["attention"]["reference"] == pytest.approx(expected, rel=1e-5)
    assert report["attention"]["hypothesis"]["src_len"] == report["attention"]["reference"]["src_len"]
    assert evaluate(settings("level=piece"))["aer"] == report["aer"]


def test_gold_counted_from_one_is_reported_in_one_line(run: Path) -> None:
    """Catches an alignment error near 1 without a hint about why."""
    write_lines(Path("own/test.align"), ["1-1 2-2 3-3", *GOLD[1:]])

    with pytest.raises(
        UserError, match="gold alignment of own, test, line 1: alignment link 3-3 in a pair of 3 source"
    ):
        evaluate(settings())
    assert not (run / "evaluate").exists()


def test_the_last_line_names_the_gallery(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches a gallery whose path is not printed."""
    evaluate(settings())

    lines = capsys.readouterr().out.splitlines()
    page = Path(lines[-1].removeprefix("gallery    "))
    assert page.samefile(run / "evaluate/test/gallery.html")


def test_the_report_names_the_search_and_its_settings(run: Path) -> None:
    """Catches reports of greedy and beam search that cannot be told apart."""
    assert evaluate(settings("search=beam", "search.beam_size=2"))["search"] == (
        "beam(max_len=12, beam_size=2, length_penalty=1.0, coverage_penalty=0.0)"
    )


def test_another_corpus_has_a_folder_of_its_own(run: Path) -> None:
    """Catches scores on another bitext that overwrite those on the model's own test split."""
    evaluate(settings())
    before = (run / "evaluate/test/report.json").read_bytes()
    write_lines(Path("news/a.en"), ["a dog"])
    write_lines(Path("news/a.fr"), ["un chien"])

    names = ["corpus.name=news", "corpus.src_lang=en", "corpus.tgt_lang=fr", "corpus.test=news/a"]
    report = evaluate(settings("corpus=files", *names))

    assert (report["corpus"], report["sentences"], report["aer"]) == ("news", 1, None)
    assert (run / "evaluate/test/report.json").read_bytes() == before
    assert (run / "evaluate/news/test/report.json").exists()


def test_models_side_by_side_keep_their_evaluations_apart(run: Path) -> None:
    """Catches the scores of one model overwritten by those of another in the same run folder."""
    shutil.copytree(run / "model", run / "other")
    reports = [
        evaluate(settings(f"model={run / name}", f"batch_size={64 if name == 'model' else 1}"))
        for name in ("model", "other")
    ]

    for report, folder in zip(reports, ("evaluate", "evaluate-other"), strict=True):
        written = json.loads((run / folder / "test/report.json").read_text(encoding="utf-8"))
        assert {key: value for key, value in written.items() if key != "files"} == report
    assert reports[0]["sentences_per_second"] != reports[1]["sentences_per_second"]


def test_output_says_where_to_write(run: Path) -> None:
    """Catches an output folder that is ignored."""
    evaluate(settings("output=elsewhere"))

    assert Path("elsewhere/report.json").exists()
    assert not (run / "evaluate").exists()


def test_a_place_that_cannot_be_written_is_reported_in_one_line(run: Path) -> None:
    """Catches a traceback at the end of a long evaluation."""
    Path("file").touch()

    with pytest.raises(UserError, match="output=DIR"):
        evaluate(settings("output=file/in"))


def test_a_split_that_is_not_there_is_reported_in_one_line(run: Path) -> None:
    """Catches a KeyError."""
    with pytest.raises(UserError, match="no dev split"):
        evaluate(settings("split=dev"))


def test_several_models_are_scored_as_one(run: Path) -> None:
    """Catches the scores of a single model, and an evaluation of several models in the folder of one."""
    write(Path("runs/other/model"), bundle.load(run / "model").about, seed=4)
    with pytest.raises(UserError, match="give output=DIR"):
        evaluate(settings("model=[runs/own/model,runs/other/model]"))
    alone = [evaluate(settings(f"model=runs/{name}/model", "heatmaps=0")) for name in ("own", "other")]
    both = evaluate(settings("model=[runs/own/model,runs/other/model]", "output=both", "heatmaps=0"))

    assert Path("both/report.json").is_file()
    assert both["perplexity"] < max(one["perplexity"] for one in alone)
    assert both["perplexity"] not in [one["perplexity"] for one in alone]


def test_faithfulness_is_in_the_report_the_table_and_the_gallery(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches a measurement that is missing in one of them, a wrong number of notes, and one that was not requested."""
    assert "faithfulness" not in evaluate(settings())
    assert all(not entry["candidates"][0]["notes"] for entry in shown(run / "evaluate/test"))

    report = evaluate(settings("faithfulness=true", "search=beam", "search.beam_size=3"))
    measured = report["faithfulness"]
    assert json.loads((run / "evaluate/test/report.json").read_text(encoding="utf-8"))["faithfulness"] == measured
    assert measured["words"]["all"] == measured["words"]["function"] + measured["words"]["content"] > 0
    out = capsys.readouterr().out
    assert "same word" in out
    assert f"{measured['comprehensiveness']['attention']:.3f} attention" in out
    for name, key in (("total variation", "total_variation"), ("Jensen-Shannon", "divergence")):
        assert f"{name} {measured[key]['permuted']:.2f} permuted, {measured[key]['uniform']:.2f} uniform" in out
    assert f"{measured['times_plain_evaluation']:.1f} times the rest" in out

    entries = shown(run / "evaluate/test")
    noted = sum(len(entry["candidates"][0]["notes"]) for entry in entries)
    assert noted == round(measured["preserved"]["every"]["all"] * measured["words"]["all"])
    assert all(not other["notes"] for entry in entries for other in entry["candidates"][1:])


def test_with_an_output_folder_the_corpus_name_is_not_used() -> None:
    """Catches advice that does not work: a name that cannot be a folder's is refused with `or give output=DIR`."""
    with pytest.raises(UserError, match=r"or give output=DIR$"):
        folder_of(None, "run/model", None, "test", "../elsewhere")
    assert folder_of("out", "run/model", None, "test", "../elsewhere") == Path("out")
    assert folder_of("out", ["one", "other"], [1, 2], "test", None) == Path("out")
    assert folder_of(None, "run/seed-*/model", [1, 2], "test", None) == Path("run/seed-1+2/evaluate/test").absolute()
