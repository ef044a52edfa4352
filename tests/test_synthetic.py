"""A split with one side translated: the files, their provenance, and what remains after an interruption."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from heed import bundle, synthetic
from heed.data.corpus import Corpus, Pairs
from heed.data.mix import mix
from heed.data.progress import shown_by
from heed.data.provenance import Provenance, provenance_path, read_provenance
from heed.data.text_files import files
from heed.errors import UserError
from heed.files import PART
from heed.maps import Line
from heed.metrics.bleu import sentence_bleu
from heed.synthetic import translate_split
from heed.translator import Translator, load
from tests.support.commands import forked
from tests.support.killed import killed_at
from tests.support.model_folder import SOURCES, TARGETS, write, write_lines

SETTINGS: dict[str, Any] = {"search": "beam", "beam_size": 3, "max_len": 8}


def corpus(turned: bool = False) -> Corpus:
    """The text of the model, in its direction or in the other one."""
    if turned:
        return Corpus("own", "fr", "en", {"train": lambda: Pairs(TARGETS, SOURCES)})
    return Corpus("own", "en", "fr", {"train": lambda: Pairs(SOURCES, TARGETS)})


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    return load(write(tmp_path_factory.mktemp("run") / "model"), precision="float32")


@pytest.fixture
def two_lines_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "BLOCK", 2)


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "made").mkdir()
    monkeypatch.chdir(tmp_path / "made")
    return tmp_path / "made"


def read(prefix: Path) -> Pairs:
    return files("made", "en", "fr", train=str(prefix), split_seed=None).read("train")


def test_what_is_written_is_a_corpus_that_names_its_teacher(translator: Translator, tmp_path: Path) -> None:
    """Catches translations beside the wrong lines, and a corpus whose notes do not name the model."""
    made = translate_split(translator, tmp_path / "made", corpus(), **SETTINGS)
    pairs = read(tmp_path / "made")
    assert pairs.src == SOURCES
    assert pairs.tgt == [one.text for one in translator.translate(SOURCES, **SETTINGS)]
    assert read_provenance(tmp_path / "made") == made
    ((folder, digest),) = made.models.items()
    assert (Path(folder), digest) == (translator.folders[0], bundle.weights_digest(translator.folders[0]))
    assert made.search.startswith("beam(max_len=8, beam_size=3") or "beam_size=3" in made.search
    assert (made.translated, made.source, made.split, made.lines) == ("fr", "en", "train", len(SOURCES))
    assert pairs.notes == (f"{tmp_path / 'made'}: {made.note}",)
    assert folder in made.note
    assert not list(tmp_path.glob(f".*{PART}"))


def test_a_model_translates_the_side_that_it_reads(translator: Translator, tmp_path: Path) -> None:
    """Catches a backward model that translates the wrong side: its translations are the sources of the student."""
    translate_split(translator, tmp_path / "there", corpus(), **SETTINGS)
    translate_split(translator, tmp_path / "back", corpus(turned=True), **SETTINGS)
    assert read(tmp_path / "back").src == SOURCES
    assert read(tmp_path / "back").tgt == read(tmp_path / "there").tgt


def test_a_translation_killed_at_any_moment_is_continued_to_the_same_files(
    translator: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches lines that are translated twice or never, half a line, and an unfinished output that looks finished."""
    monkeypatch.setattr(synthetic, "BLOCK", 3)
    greedy: dict[str, Any] = {"search": "greedy", "max_len": 3}
    translate_split(translator, tmp_path / "straight", corpus(), **greedy)
    straight = [(tmp_path / f"straight.{lang}").read_bytes() for lang in ("en", "fr")]

    def is_change(event: str, arguments: tuple[Any, ...]) -> bool:
        return event in ("os.rename", "os.remove") or (event == "open" and str(arguments[0]).endswith(PART))

    moment = 0
    while True:
        output = tmp_path / f"killed-{moment}"
        if not killed_at(moment, partial(translate_split, translator, output, corpus(), **greedy), is_change):
            break
        assert not provenance_path(output).exists() or read(output).src == SOURCES
        translate_split(translator, output, corpus(), **greedy)
        assert [Path(f"{output}.{lang}").read_bytes() for lang in ("en", "fr")] == straight
        assert read_provenance(output) is not None
        moment += 1
    assert moment > 5


def test_finished_lines_are_not_translated_again(
    translator: Translator, tmp_path: Path, two_lines_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a continued translation that starts again, and an incomplete last block that gets into the text."""
    search = Translator.search_lines
    asked: list[list[str]] = []

    def counted(self: Translator, lines: list[Line], *arguments: Any, **settings: Any) -> Any:
        asked.append([line.text for line in lines])
        if len(asked) == 3:
            raise KeyboardInterrupt
        return search(self, lines, *arguments, **settings)

    monkeypatch.setattr(Translator, "search_lines", counted)
    with pytest.raises(KeyboardInterrupt):
        translate_split(translator, tmp_path / "made", corpus(), **SETTINGS)
    with (tmp_path / f".made{PART}").open("ab") as file:
        file.write(b'["torn')
    translate_split(translator, tmp_path / "made", corpus(), **SETTINGS)
    assert asked == [SOURCES[:2], SOURCES[2:4], SOURCES[4:], SOURCES[4:]]
    assert len(read(tmp_path / "made")) == len(SOURCES)
    translate_split(translator, tmp_path / "made", corpus(), **SETTINGS)
    assert len(asked) == 4


@pytest.mark.usefixtures("two_lines_at_once")
def test_a_line_too_long_is_named_by_its_number_in_the_split(
    translator: Translator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Catches a number that counts from the first line of a block."""
    text = ["a cat"] * 3 + ["a dog " * 600] + ["a cat"]
    translate_split(translator, tmp_path / "made", Corpus("own", "en", "fr", {"train": lambda: Pairs(text, text)}))
    assert [record.getMessage().split(" has ")[0] for record in caplog.records] == ["source line 4"]


def test_other_settings_are_not_continued(translator: Translator, tmp_path: Path) -> None:
    """Catches a file whose second half was made by another search or model than its provenance names."""
    made = translate_split(translator, tmp_path / "made", corpus(), **SETTINGS)
    with pytest.raises(UserError, match=r"provenance\.json belongs to another translation, which differs in search;"):
        translate_split(translator, tmp_path / "made", corpus(), search="greedy", max_len=8)
    part = tmp_path / f".begun{PART}"
    part.write_text(json.dumps(vars(replace(made, split="valid"))) + '\n["un"]\n')
    with pytest.raises(UserError, match=r"heed-part belongs to another translation, which differs in split;"):
        translate_split(translator, tmp_path / "begun", corpus(), **SETTINGS)
    part.write_text("{}\n")
    with pytest.raises(UserError, match="is damaged"):
        translate_split(translator, tmp_path / "begun", corpus(), **SETTINGS)


def test_after_a_wrong_setting_another_search_can_be_given(translator: Translator, tmp_path: Path) -> None:
    """Catches a hidden file of a command that translated nothing, which refuses the corrected command."""
    with pytest.raises(UserError, match="n_best"):
        translate_split(translator, tmp_path / "made", corpus(), **SETTINGS, n_best=9, closest="bleu")
    assert not list(tmp_path.iterdir())
    greedy = translate_split(translator, tmp_path / "made", corpus(), max_len=8)
    part = tmp_path / f".killed{PART}"  # a process killed before its first line was translated
    part.write_text(json.dumps(vars(replace(greedy, search="another"))) + "\n")
    translate_split(translator, tmp_path / "killed", corpus(), max_len=8)
    assert read(tmp_path / "killed").tgt == read(tmp_path / "made").tgt


@pytest.mark.parametrize(
    "block",
    [
        b"5",
        b"null",
        b'"abc"',
        b'{"a": 1}',
        b'["a", 3]',
        b'["a\\nb"]',
        b'["\\ud800"]',
        b"[",
        b'["\xff"]',
        json.dumps(["un"] * 100).encode(),
    ],
)
def test_a_damaged_hidden_file_is_refused(translator: Translator, tmp_path: Path, block: bytes) -> None:
    """Catches a traceback, and letters, keys or too many lines that become translations."""
    made = translate_split(translator, tmp_path / "made", corpus(), **SETTINGS)
    (tmp_path / f".begun{PART}").write_bytes(json.dumps(vars(made)).encode() + b"\n" + block + b"\n")
    with pytest.raises(UserError, match=r"begun.*is damaged.*remove it and start again"):
        translate_split(translator, tmp_path / "begun", corpus(), **SETTINGS)


def test_what_a_killed_process_left_of_a_finished_translation_is_removed(
    translator: Translator, tmp_path: Path
) -> None:
    made = translate_split(translator, tmp_path / "made", corpus(), **SETTINGS)
    part = tmp_path / f".made{PART}"
    part.write_text("of somebody else\n")
    translate_split(translator, tmp_path / "made", corpus(), **SETTINGS)
    assert part.exists()
    part.write_text(json.dumps(vars(made)) + "\n")
    translate_split(translator, tmp_path / "made", corpus(), **SETTINGS)
    assert not part.exists()


@pytest.mark.parametrize("output", ["made/", ".", "..", "", "made/.."])
def test_an_output_that_is_a_folder_is_refused(translator: Translator, output: str, in_tmp: Path) -> None:
    """Catches hidden files called `.en`, and files elsewhere than the command says."""
    with pytest.raises(UserError, match="expected the beginning of file names"):
        translate_split(translator, output, corpus(), **SETTINGS)
    assert not list(in_tmp.iterdir())


def test_a_part_of_a_mix_in_the_other_direction_is_turned(translator: Translator, tmp_path: Path) -> None:
    """Catches a file of English lines, half of which are French."""
    for language, lines in (("en", SOURCES), ("fr", TARGETS)):
        write_lines(tmp_path / f"text.{language}", lines)
    there = {"reader": "files", "src_lang": "en", "tgt_lang": "fr", "train": str(tmp_path / "text"), "split_seed": None}
    back = there | {"src_lang": "fr", "tgt_lang": "en"}
    translate_split(translator, tmp_path / "made", mix({"there": there, "back": back}), **SETTINGS)
    assert read(tmp_path / "made").src == SOURCES * 2


def test_a_line_feed_within_a_sentence_is_refused(translator: Translator, tmp_path: Path) -> None:
    """Catches a file with more lines than the other side."""
    broken = Corpus("own", "en", "fr", {"train": lambda: Pairs(["a\nb"], ["c"])})
    with pytest.raises(UserError, match="corpus own, train, pair 1 has a line feed"):
        translate_split(translator, tmp_path / "made", broken)


def test_a_model_that_is_named_twice_is_refused(translator: Translator, tmp_path: Path) -> None:
    """Catches an ensemble that the provenance describes as another one."""
    twice = load([translator.folders[0]] * 2)
    with pytest.raises(UserError, match="a folder is there twice; name each once"):
        translate_split(twice, tmp_path / "made", corpus())


def test_existing_files_are_not_overwritten(translator: Translator, tmp_path: Path) -> None:
    """Catches a file of the user that is overwritten."""
    (tmp_path / "mine.en").write_text("mine\n")
    with pytest.raises(UserError, match=r"mine\.en already exists; remove it"):
        translate_split(translator, tmp_path / "mine", corpus(), **SETTINGS)
    assert (tmp_path / "mine.en").read_text() == "mine\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.en"]


def test_a_finished_translation_that_was_changed_is_refused(translator: Translator, tmp_path: Path) -> None:
    """Catches a changed corpus that the same command reports as written."""
    translate_split(translator, tmp_path / "made", corpus(), **SETTINGS)
    with (tmp_path / "made.fr").open("a") as file:
        file.write("mine\n")
    with pytest.raises(UserError, match=r"made\.fr has 7 lines, and .*\.json says 6, so it was changed"):
        translate_split(translator, tmp_path / "made", corpus(), **SETTINGS)
    assert (tmp_path / "made.fr").read_text().endswith("mine\n")


def test_a_foreign_file_in_the_place_of_the_provenance_is_refused(translator: Translator, tmp_path: Path) -> None:
    """Catches a message that lists keys which nobody can give."""
    provenance_path(tmp_path / "made").write_text('{"mine": 1}')
    with pytest.raises(UserError) as refused:
        translate_split(translator, tmp_path / "made", corpus(), **SETTINGS)
    advice = "was not written by heed-translate, or is damaged; move it away, or give the text another name"
    assert str(refused.value) == f"{provenance_path(tmp_path / 'made')} {advice}"
    assert provenance_path(tmp_path / "made").read_text() == '{"mine": 1}'


@pytest.mark.parametrize("name", ["late.en", "late.fr"])
def test_a_file_that_appears_while_a_split_is_translated_is_kept(
    translator: Translator, tmp_path: Path, name: str
) -> None:
    """Catches a foreign file, written while the command translates, that the translation replaces."""

    def late(unit: str, done: int, total: int | None) -> None:
        (tmp_path / name).write_text("mine\n")

    message = f"{name} appeared while the text was translated; move it away"
    with shown_by(late), pytest.raises(UserError, match=message):
        translate_split(translator, tmp_path / "late", corpus(), **SETTINGS)
    assert (tmp_path / name).read_text() == "mine\n"

    (tmp_path / name).unlink()
    translate_split(translator, tmp_path / "late", corpus(), **SETTINGS)
    assert read(tmp_path / "late").src == SOURCES


@pytest.mark.parametrize("closest", ["bleu", "chrf"])
def test_the_closest_of_several_is_chosen(translator: Translator, tmp_path: Path, closest: Any) -> None:
    """Catches a choice that is always the first candidate, and closeness to the source instead of the original."""
    several = translator.translate(SOURCES, n_best=3, **SETTINGS)
    originals = [one.candidates[-1].text for one in several]
    wanted = Corpus("own", "en", "fr", {"train": lambda: Pairs(SOURCES, originals)})
    translate_split(translator, tmp_path / "made", wanted, n_best=3, closest=closest, **SETTINGS)
    assert read(tmp_path / "made").tgt == originals
    assert sentence_bleu(hypothesis=originals[0], reference=originals[0]) == pytest.approx(100)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_best": 3}, "search.n_best=3 and closest=null: each needs the other"),
        ({"closest": "bleu"}, "search.n_best=1 and closest=bleu: each needs the other"),
        ({"split": "test"}, "corpus own has no test split"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(
    translator: Translator, tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    """Catches candidates without a choice, and a missing split that is reported only after the model was loaded."""
    with pytest.raises(UserError, match=message):
        translate_split(translator, tmp_path / "made", corpus(), **SETTINGS, **given)
    assert list(tmp_path.iterdir()) == []


def test_other_languages_are_refused(translator: Translator, tmp_path: Path) -> None:
    """Catches a model that translates a language on which it was not trained."""
    other = Corpus("own", "en", "de", {"train": lambda: Pairs(SOURCES, TARGETS)})
    with pytest.raises(UserError, match="the model translates from en to fr, and corpus own is from en to de"):
        translate_split(translator, tmp_path / "made", other, **SETTINGS)


@pytest.mark.parametrize("languages", [("en", "en"), ("en", "../fr"), ("", "fr"), ("en", "f\nr")])
def test_languages_must_be_safe_and_different_file_endings(tmp_path: Path, languages: tuple[str, str]) -> None:
    """Catches one file that overwrites the other, and an untrusted model that chooses where files are written."""
    about = dict(zip(("src_lang", "tgt_lang"), languages, strict=True))
    stranger = load(write(tmp_path / "model", about))
    with pytest.raises(UserError, match="expected two languages, such as en and de"):
        translate_split(stranger, tmp_path / "made", corpus(), **SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_command_translates_a_split(translator: Translator, tmp_path: Path) -> None:
    """Catches settings that the command does not pass on."""
    for lang, lines in (("en", SOURCES), ("fr", TARGETS)):
        write_lines(tmp_path / f"text.{lang}", lines)
    model = f"model={translator.folders[0]}"
    own = [
        "corpus=files",
        "corpus.name=own",
        "corpus.src_lang=en",
        "corpus.tgt_lang=fr",
        f"corpus.train={tmp_path}/text",
    ]
    given = [
        *own,
        "split=train",
        "corpus.split_seed=null",
        f"output={tmp_path}/made",
        "search=beam",
        "search.max_len=8",
    ]
    done = forked(tmp_path, "translate", model, *given, "precision=float32", "search.n_best=2", "closest=chrf")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0].startswith("6 lines: fr translated from en by ")
    assert "closest to the original by chrf" in done.out
    made = read_provenance(tmp_path / "made")
    assert isinstance(made, Provenance)
    assert (made.closest, made.corpus, made.precision) == ("chrf", "own", "float32")
    assert "n_best=2" in made.search
    again = forked(tmp_path, "translate", model, *given, "precision=float32", "search.n_best=2", "closest=chrf")
    assert (again.code, "was already finished, and nothing was written:" in again.out) == (0, True)

    for more, line in (
        (["split=train"], "split=train without output; give output=PREFIX"),
        (["split=train", "output=x", "input=y"], "split=train goes without input, interactive and show_attention"),
        (["closest=bleu"], "corpus and closest need a split of a corpus; give split=train"),
    ):
        wrong = forked(tmp_path, "translate", model, *more)
        assert wrong.code == 2
        assert line in wrong.line
