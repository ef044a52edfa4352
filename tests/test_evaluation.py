"""An evaluation returns values, and writes a folder only if asked to."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sacrebleu.metrics.bleu import BLEU

from heed.data.corpus import Corpus, Pairs
from heed.errors import UserError
from heed.evaluation import Evaluation, compare, evaluate, page, perplexity, write
from heed.files import with_digest
from heed.metrics.alignment import alignment_scores
from heed.metrics.bleu import bleu, sentence_bleu
from heed.metrics.scores import text_scores
from heed.runs.evaluation_folder import DRAWN_MARKS
from heed.translator import Translator, load
from tests.support.killed import killed_at
from tests.support.model_folder import SOURCES, TARGETS, write_lines
from tests.support.model_folder import write as write_model

GOLD = ["0-0 1-1 2?2", "0-0 1-1", "", "0-0 1-1", "1-1 2-0", "0-0 1-1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory, with a model folder and the corpus that it names as its own."""
    place = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        write_lines(Path("own/test.en"), SOURCES)
        write_lines(Path("own/test.fr"), TARGETS)
        write_lines(Path("own/test.align"), GOLD)
        own = {"reader": "files", "name": "own", "src_lang": "en", "tgt_lang": "fr", "test": "own/test"}
        write_model(Path("runs/own/model"), {"src_lang": "en", "tgt_lang": "fr", "corpus": own})
        yield place


@pytest.fixture(scope="module")
def translator(folder: Path) -> Translator:
    return load("runs/own/model")


@pytest.fixture(scope="module")
def found(translator: Translator) -> Evaluation:
    return evaluate(translator, search="beam", max_len=12, beam_size=3)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_written_and_nothing_printed(
    translator: Translator, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Catches a folder that is written, or a line that is printed, without a request."""
    before = contents(folder)
    evaluate(translator, max_len=5)
    assert contents(folder) == before
    assert capfd.readouterr() == ("", "")


def test_the_scores_belong_to_the_texts_and_maps_beside_them(found: Evaluation) -> None:
    """Catches sentences in the order of batches, swapped arguments, and maps of other text."""
    assert (found.sources, found.references) == (SOURCES, TARGETS)
    assert found.scores["bleu"] == bleu(hypotheses=found.hypotheses, references=TARGETS)
    assert found.scores["perplexity"] == perplexity(found.forced)
    assert found.gold is not None
    links = [one.map().links() for one in found.forced]
    assert found.scores["aer"] == alignment_scores(links, found.gold).aer
    assert found.search == "beam(max_len=12, beam_size=3, length_penalty=1.0, coverage_penalty=0.0)"
    for number, (scores, attention) in enumerate(zip(found.sentences, found.maps, strict=True)):
        translation = found.translations[number]
        assert attention.size == (len(SOURCES[number].split()), len(translation.words))
        assert scores.log_probability == found.forced[number].score
        if TARGETS[number]:
            assert scores.bleu == sentence_bleu(hypothesis=translation.text, reference=TARGETS[number])
            assert scores.entropy == pytest.approx(attention.health().entropy)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_results_do_not_depend_on_the_batch_size(translator: Translator, found: Evaluation, batch_size: int) -> None:
    """Catches sums over batches, and a search or a pass in which sentences depend on one another."""
    again = evaluate(translator, search="beam", max_len=12, beam_size=3, batch_size=batch_size)
    assert again.hypotheses == found.hypotheses
    assert again.scores == pytest.approx(found.scores)
    for side, health in found.attention.items():
        assert again.attention[side] == pytest.approx(health, rel=1e-5)


def test_the_precision_of_the_translator_changes_no_score(found: Evaluation) -> None:
    """Catches scores computed in bfloat16, which differ between machines."""
    low = evaluate(load("runs/own/model", precision="bfloat16"), search="beam", max_len=12, beam_size=3)
    assert low.report == found.report | {"sentences_per_second": low.report["sentences_per_second"]}


@pytest.mark.parametrize(
    "corpus",
    [
        {"reader": "files", "name": "news", "src_lang": "en", "tgt_lang": "fr", "test": "own/test"},
        Corpus("news", "en", "fr", {"test": lambda: Pairs(SOURCES, TARGETS, GOLD)}),
    ],
    ids=["settings", "object"],
)
def test_any_corpus_can_be_given(translator: Translator, found: Evaluation, corpus: Any) -> None:
    """Catches text that must be in files, and text that is taken for the model's own corpus."""
    other = evaluate(translator, corpus, search="beam", max_len=12, beam_size=3)
    assert (other.corpus, other.scores) == ("news", found.scores)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "dev"}, "corpus own has no dev split; give split=test"),
        ({"corpus": "nowhere"}, "corpus.reader=nowhere: there is no such reader"),
        ({"corpus": Corpus("x", "en", "de", {})}, "model=runs/own/model translates en to fr, and corpus x is en to de"),
        ({"search": "best"}, "search=best: there is no such search"),
        ({"beam_size": 2}, "search.beam_size=2: search=greedy has no such setting"),
        ({"versus": "runs/other"}, "versus=runs/other: .* does not contain hypotheses.txt and references.txt"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(translator: Translator, options: dict[str, Any], message: str) -> None:
    """Catches a message that is not one line with the name of the wrong setting."""
    with pytest.raises(UserError, match=message) as refusal:
        evaluate(translator, **options)
    assert "\n" not in str(refusal.value)


def test_gold_that_does_not_fit_is_refused_before_the_work(translator: Translator) -> None:
    """Catches an alignment error near 1 without a hint about the reason."""
    corpus = Corpus("x", "en", "fr", {"test": lambda: Pairs(SOURCES, TARGETS, ["1-1 2-2 3-3", *GOLD[1:]])})
    with pytest.raises(UserError, match="gold alignment of x, test, line 1: alignment link 3-3 in a pair of 3 source"):
        evaluate(translator, corpus, progress=lambda *_: pytest.fail("it has begun"))


def test_two_systems_are_compared_on_the_same_text(translator: Translator, tmp_path: Path, found: Evaluation) -> None:
    """Catches a difference with the wrong sign, a comparison on different texts, and one that needs a folder."""
    other = evaluate(load(write_model(tmp_path / "model", translator.about, seed=4)), max_len=12)
    compared = compare(found, other)
    assert compared["bleu"].difference == pytest.approx(found.scores["bleu"] - other.scores["bleu"])
    write(other, tmp_path / "other", heatmaps=0)
    again = evaluate(translator, search="beam", max_len=12, beam_size=3, versus=tmp_path / "other")
    assert again.versus is not None
    assert again.versus["chrf"] == compared["chrf"]._asdict()
    assert again.versus["search"] == "greedy(max_len=12)"
    shorter = Corpus("x", "en", "fr", {"test": lambda: Pairs(SOURCES[:2], TARGETS[:2])})
    with pytest.raises(UserError, match="have different references; compare translations of the same text"):
        compare(found, evaluate(translator, shorter, max_len=3))


OTHERS = ["un chien jappe", "le chat regarde un chien", "", "", "la maison est rouge", "un minou"]


def test_several_references_are_scored_together(translator: Translator, tmp_path: Path, found: Evaluation) -> None:
    """Catches a reference that is ignored, an empty line taken for a reference, and a file that is counted twice."""
    files = [write_lines(tmp_path / name, lines) for name, lines in (("b.fr", OTHERS), ("own.fr", TARGETS))]
    several = evaluate(translator, search="beam", max_len=12, beam_size=3, references=files)

    optional: Any = [line or None for line in OTHERS]
    direct = BLEU().corpus_score(found.hypotheses, [TARGETS, optional])
    assert several.hypotheses == found.hypotheses
    assert several.scores["bleu"] == direct.score
    for name in ("bleu", "chrf", "ter", "exact", "bleu_tokenised"):
        assert several.scores[f"{name}_signature"].startswith("nrefs:var|")
        assert found.scores[f"{name}_signature"].startswith("nrefs:1|")
    assert several.scores["chrf"] >= found.scores["chrf"]
    assert several.scores["perplexity"] == found.scores["perplexity"]
    for number, (both, one) in enumerate(zip(several.sentences, found.sentences, strict=True)):
        if TARGETS[number]:
            references = [TARGETS[number], *([OTHERS[number]] if OTHERS[number] else [])]
            effective = BLEU(effective_order=True).sentence_score(found.hypotheses[number], references)
            assert both.bleu == effective.score >= one.bleu - 1e-9
    with pytest.raises(UserError, match="have different references"):
        compare(several, found)
    assert compare(several, several)["bleu"].difference == 0


def test_references_of_the_corpus_count_like_references_given_as_files(translator: Translator, tmp_path: Path) -> None:
    """Catches further references of a corpus that are used in validation only."""
    write_lines(tmp_path / "other.fr", OTHERS)
    named = {"reader": "files", "name": "own", "src_lang": "en", "tgt_lang": "fr", "test": "own/test"}
    own = {**named, "test_references": str(tmp_path / "other.fr")}
    settings: dict[str, Any] = {"search": "beam", "max_len": 12, "beam_size": 3}

    one = evaluate(translator, own, **settings)
    other = evaluate(translator, named, references=[tmp_path / "other.fr"], **settings)

    assert one.further == other.further
    assert one.scores == other.scores
    assert str(one.scores["bleu_signature"]).startswith("nrefs:var")


def test_a_translation_that_equals_a_further_reference_is_perfect() -> None:
    """Catches further references that are not used: each of two sentences equals one of its references."""
    given: dict[str, Any] = {
        "hypotheses": ["a b c d e", "f g h i j"],
        "references": ["a b c d e", "x y z u v"],
        "tgt_lang": "en",
    }
    scores = text_scores(**given, further=[[None, "f g h i j"]])
    assert [scores[name].value for name in ("bleu", "bleu_tokenised", "chrf", "exact")] == pytest.approx([100.0] * 4)
    assert scores["ter"].value == 0
    assert text_scores(**given)["exact"].value == 50


def test_files_of_references_that_do_not_fit_are_refused(translator: Translator, tmp_path: Path) -> None:
    """Catches references of another text, and a traceback for a missing file."""
    short = write_lines(tmp_path / "short.fr", OTHERS[:3])
    with pytest.raises(UserError, match=r"references: .*short\.fr has 3 lines, and the split has 6"):
        evaluate(translator, references=[short])
    with pytest.raises(UserError, match=r"none\.fr"):
        evaluate(translator, references=[tmp_path / "none.fr"])


def test_reasons_why_scores_mean_little_are_noted(translator: Translator) -> None:
    """Catches a missing note if text is in subwords, lines have one word, outputs are cut, or gold has no links."""
    pairs = Pairs(["a d@@ og barks"] * 30, ["chi@@ en"] * 30, ["1-1"] * 30)
    notes = evaluate(translator, Corpus("x", "en", "fr", {"test": lambda: pairs}), max_len=3).notes
    assert [note[:44] for note in notes] == [
        "test: the source is already divided into sub",
        "test: the target is already divided into sub",
        "30 of 120 source words contain characters th",
        "30 of 60 target words contain characters tha",
        "BLEU is 0.00: no translation shares four con",
        "30 of 30 translations were cut at the maximu",
        "gold alignment of x, test: no link in 30 lin",
    ]
    zero, cut = evaluate(translator, max_len=3).report["notes"]
    assert zero.startswith("BLEU is 0.00 because it counts runs of four words, but references have 3.0 on average")
    assert cut == (
        "5 of 6 translations were cut at the maximum length; if they are correct up to there, give a larger "
        "search.max_len"
    )


class TestFolder:
    def test_it_has_all_files_with_the_returned_values(self, found: Evaluation, tmp_path: Path) -> None:
        """Catches a file that is missing, or whose numbers differ from the returned ones."""
        write(found, tmp_path / "out", heatmaps=2, format="svg")
        assert {*contents(tmp_path / "out")} == {
            *("report.json", "hypotheses.txt", "references.txt", "gallery.html"),
            *("heatmaps/0001.svg", "heatmaps/0002.svg"),
        }
        report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
        digests = report.pop("files")
        assert digests.keys() == {"report.json", "hypotheses.txt", "references.txt"}
        for name in ("hypotheses.txt", "references.txt"):
            digest = digests[name]
            assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == digest
        assert report == found.report
        assert (tmp_path / "out/gallery.html").read_text(encoding="utf-8") == with_digest(page(found))

    def test_its_files_belong_to_one_evaluation(
        self, found: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Catches scores that are lost when drawing fails, and pictures of an earlier evaluation beside new scores."""
        write(found, tmp_path, heatmaps=4)
        monkeypatch.setattr("heed.evaluation.gallery", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            write(found, tmp_path, heatmaps=1)
        assert {*contents(tmp_path)} == {"report.json", "hypotheses.txt", "references.txt"}

    def test_a_kill_at_any_moment_leaves_files_of_one_evaluation(
        self, translator: Translator, found: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Catches new translations beside the old report, by which a comparison would name the wrong search."""
        other = evaluate(translator, max_len=4)
        each = {"beam": found, "greedy": other}
        whole: dict[str, dict[str, bytes]] = {}
        for name, one in each.items():
            _tag_pictures(monkeypatch, name)
            write(one, tmp_path / name, heatmaps=1)
            whole[name] = contents(tmp_path / name)
        differing = [name for name in whole["beam"] if name != "references.txt"]
        assert all(whole["beam"][name] != whole["greedy"][name] for name in differing)

        folder, moment, killed = tmp_path / "out", 0, True
        while killed:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(tmp_path / "beam", folder)
            killed = killed_at(moment, lambda: write(other, folder, heatmaps=1), _changes_a_file)
            left = contents(folder)
            owners = {name for name in each for file in differing if left.get(file) == whole[name][file]}
            assert len(owners) <= 1, (moment, sorted(left))
            assert all(left[file] in (whole["beam"][file], whole["greedy"][file]) for file in differing if file in left)
            if "report.json" in left:
                assert {"hypotheses.txt", "references.txt"} <= {*left}
            write(other, folder, heatmaps=1)
            assert contents(folder) == whole["greedy"], moment
            moment += 1
        assert moment > 10

    def test_files_that_no_evaluation_wrote_are_kept(self, found: Evaluation, tmp_path: Path) -> None:
        """Catches a user's own report that is overwritten."""
        (tmp_path / "report.json").write_text("mine")
        with pytest.raises(UserError, match=r"report\.json"):
            write(found, tmp_path)
        assert contents(tmp_path) == {"report.json": b"mine"}


def _tag_pictures(patch: pytest.MonkeyPatch, name: str) -> None:
    """Replace drawing, which would take most of the time, by files that contain the name of the evaluation."""
    patch.setattr("heed.viz.heatmap.save", lambda _, path: path.write_bytes(DRAWN_MARKS[0] + name.encode()))


def _changes_a_file(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "open":
        return isinstance(arguments[2], int) and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
    return event in ("os.rename", "os.remove", "os.link", "os.mkdir")


def test_texts_are_scored_without_a_model() -> None:
    """Catches scores that need a model folder."""
    scores = text_scores(hypotheses=["un chat"], references=["un chat"], tgt_lang="fr")
    assert (scores["chrf"].value, scores["ter"].value) == (100.0, 0.0)
