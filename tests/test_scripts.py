"""A model that has learned lines in many scripts: every kind of output must equal the text of the file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from heed.bundle import load as load_bundle
from heed.evaluation import evaluate, write
from heed.experiment import Settings, train
from heed.translator import Translator, load
from scripts.page_engine import translate as translate_in_page
from tests.support.commands import forked
from tests.support.model_folder import write_lines
from tests.support.page import needs_node
from tests.support.scripts import SCRIPTS
from tests.support.settings import settings_of
from tests.support.small_run import overrides

TARGETS = [line for lines in SCRIPTS.values() for line in lines]
SOURCES = [f"{script} line {number}" for script, lines in SCRIPTS.items() for number in range(len(lines))]

CORPUS = [
    *("corpus=files", "corpus.name=scripts", "corpus.src_lang=en", "corpus.tgt_lang=mul"),
    *("corpus.train=all", "corpus.valid=all", "corpus.test=all"),
]

LEARNT = [
    *(f"model.{name}=96" for name in ("emb_dim", "enc_dim", "hid_dim", "readout_dim", "attended_dim")),
    *("model.dropout=0", "label_smoothing=0", "batches.sentences=16", "optim.lr=0.005", "metric=loss"),
    *("trainer.max_steps=450", "trainer.validate_steps=150", "heatmaps=0", "early_stop=null"),
    "subwords.vocab_size=600",
]


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Translator]:
    """A model that writes all lines, in the working directory."""
    folder = tmp_path_factory.mktemp("scripts")
    write_lines(folder / "all.en", SOURCES)
    write_lines(folder / "all.mul", TARGETS)
    small = [
        one for one in overrides(folder / "runs") if not one.startswith(("corpus", "subwords", "teacher", "runs="))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train(settings_of("train", Settings, *small, *CORPUS, *LEARNT, "runs=runs", "run=all"))
        yield load("runs/all/model")


@pytest.mark.slow
def test_the_translations_equal_the_lines_of_the_file(translator: Translator) -> None:
    """Catches any normalisation of the text in scores, in the written files and in the words of the maps."""
    found = evaluate(translator)
    write(found, Path("out"), heatmaps=0)

    assert found.hypotheses == TARGETS
    assert (found.scores["exact"], found.scores["chrf"]) == (100, pytest.approx(100))
    assert Path("out/hypotheses.txt").read_bytes() == Path("all.mul").read_bytes()
    for one, line in zip(found.translations, TARGETS, strict=True):
        assert "".join(one.words) == line.replace(" ", "")
        assert all(i < len(one.source_words) and j < len(one.words) for i, j in one.alignment)
    forced = translator.force(SOURCES, TARGETS)
    assert [one.text for one in forced] == TARGETS
    assert all(j < len(one.words) for one in forced for _, j in one.alignment)


@pytest.mark.slow
def test_the_command_and_candidates_do_not_change_characters(translator: Translator) -> None:
    """Catches an output encoding, or a list of candidates, that changes a character."""
    out = forked(
        Path(), "translate", "model=runs/all/model", stdin="".join(f"{line}\n" for line in SOURCES).encode()
    ).out
    assert out == "".join(f"{line}\n" for line in TARGETS)
    for one in translator.translate(SOURCES, "beam", n_best=3):
        texts = [candidate.text for candidate in one.candidates]
        assert {*"".join(texts)} <= {*"".join(TARGETS)}
        assert len({*texts}) == len(texts)


@needs_node
@pytest.mark.slow
def test_the_page_does_not_change_characters(translator: Translator, tmp_path: Path) -> None:
    """Catches characters that JavaScript or the packed vocabulary changes."""
    bundle = load_bundle(translator.folders[0])
    requests = [{"line": line, "settings": {"search": "greedy"}} for line in SOURCES]
    answers = translate_in_page(bundle, requests, tmp_path)
    assert [answer["candidates"][0]["text"] for answer in answers] == TARGETS
