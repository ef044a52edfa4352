"""Wrong input to the commands: one line with advice, exit code 2, and no data lost."""

import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.commands import Outcome, forked
from tests.support.model_folder import SOURCES, TARGETS, write, write_lines

ROOT = Path(__file__).resolve().parents[2]

EN = ["a dog barks", "the cat sees a dog", "two birds sing", "the house is red", "the old tree", "a red bird"]
FR = ["un chien aboie", "le chat voit un chien", "deux oiseaux chantent", "la maison est rouge", "le vieil arbre", "un"]

TRAIN_EN, TRAIN_FR = ("".join(f"{line}\n" for line in lines).encode() for lines in (EN, FR))

TEXT: Mapping[str, bytes | None] = {
    "train.en": TRAIN_EN,
    "train.fr": TRAIN_FR,
    "valid.en": b"a cat\n",
    "valid.fr": b"un chat\n",
}

MILLION = b"x" * 10**6 + b"\n"


def train(folder: Path, *overrides: str, text: Mapping[str, bytes | None] = {}) -> Outcome:
    """A training run of one update on a small text with some faulty files."""
    (folder / "text").mkdir(exist_ok=True)
    for name, content in {**TEXT, **text}.items():
        if content is not None:
            (folder / "text" / name).write_bytes(content)
    corpus = ["corpus=files", "corpus.name=text", "corpus.src_lang=en", "corpus.tgt_lang=fr"]
    splits = ["corpus.train=text/train", "corpus.valid=text/valid"]
    sizes = [f"model.{name}=8" for name in "emb_dim enc_dim hid_dim readout_dim attended_dim attention.att_dim".split()]
    return forked(folder, "train", *corpus, *splits, *sizes, "trainer.max_steps=1", "heatmaps=0", *overrides)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def refused(found: Outcome, name: str, message: str) -> None:
    """Check that the command ended with one line that names the fault; notes on settings may precede it."""
    assert found.code == 2, found
    assert found.line.startswith(f"heed-{name}: ")
    assert message in found.line
    assert "Traceback" not in found.err
    assert found.err.count("heed-") == 1


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


BAD_TEXT: dict[str, tuple[dict[str, bytes | None], str]] = {
    "missing": ({"train.fr": None}, "text/train.fr does not exist; check the path"),
    "unequal": ({"train.fr": b"un chien aboie\n"}, "text/train.en has 6 lines and text/train.fr has 1"),
    "not UTF-8": ({"train.fr": b"un\nd\xe9j\xe0\n"}, "text/train.fr line 2 is not UTF-8; find out its encoding"),
    "NUL": ({"train.fr": b"un\nd\0\n"}, "text/train.fr line 2 contains a NUL character; expected plain text; remove"),
    "empty file": ({"train.en": b"", "train.fr": b""}, "text/train.en is empty; expected one sentence a line"),
    "empty validation": ({"valid.en": b"", "valid.fr": b""}, "text/valid.en is empty"),
    "empty lines": ({"train.en": b" \n\n", "train.fr": b"\n\t\n"}, "all 2 pairs were dropped (empty: 2)"),
    "a million characters alone": ({"train.en": MILLION, "train.fr": MILLION}, "(over 1000 characters: 1)"),
    "a line of many words to validate on": (
        {"valid.en": b"a dog " * 2000 + b"\n"},
        "validation source line 1 has 6000 subwords; expected at most 1024; divide the line, or remove it",
    ),
}


@pytest.mark.parametrize("fault", BAD_TEXT)
def test_text_that_cannot_be_learned_from_is_reported_in_one_line(tmp_path: Path, fault: str) -> None:
    """Catches a traceback, a corpus cut short silently, and files that are changed or left half-made."""
    text, message = BAD_TEXT[fault]

    found = train(tmp_path, text=text)

    refused(found, "train", message)
    assert contents(tmp_path / "text") == {name: held for name, held in {**TEXT, **text}.items() if held is not None}
    assert not (tmp_path / "runs").exists()


ODD_TEXT: dict[str, tuple[dict[str, bytes | None], str]] = {
    "BOM and CRLF": (
        {name: b"\xef\xbb\xbf" + (content or b"").replace(b"\n", b"\r\n") for name, content in TEXT.items()},
        "<unk> in target subwords   0.00%    0.00%",
    ),
    "empty lines": (
        {"train.en": b"\n" + TRAIN_EN, "train.fr": b"un\n" + TRAIN_FR},
        "empty                        1   0 kept",
    ),
    "a million characters": (
        {"train.en": MILLION + TRAIN_EN, "train.fr": MILLION + TRAIN_FR},
        "over 1000 characters         1",
    ),
    "a million characters to validate on": (
        {"valid.en": MILLION},
        "valid: 50.0% of the subwords of one side are <unk>",
    ),
    "only punctuation": ({"train.en": b"!\n??\n...\n", "train.fr": b"!!\n?\n..\n"}, "best       BLEU"),
    "no known character": (
        {"valid.en": "日本\n".encode(), "valid.fr": "中文\n".encode()},
        "valid: 50.0% of the subwords of one side are <unk>",
    ),
    "duplicates": (
        {"train.en": b"a dog\n" * 9 + b"a cat\n", "train.fr": b"un chien\n" * 9 + b"un chat\n"},
        "duplicate                    8",
    ),
    "valid in train": (
        {"valid.en": TRAIN_EN, "valid.fr": TRAIN_FR},
        "valid: 6 of 6 pairs are also in train, so scores on it are too high",
    ),
}


@pytest.mark.parametrize("oddity", ODD_TEXT)
def test_text_that_is_odd_is_learned_from_and_what_is_odd_is_reported(tmp_path: Path, oddity: str) -> None:
    """Catches a run that fails because of one line, and one that drops or uses odd text silently."""
    text, said = ODD_TEXT[oddity]

    found = train(tmp_path, text=text)

    assert found.code == 0, found
    assert said in found.out
    assert (tmp_path / "runs/text/report.json").exists()


def test_a_test_split_that_leaks_into_train_is_reported(tmp_path: Path) -> None:
    """Catches scores on training text without a warning."""
    found = train(tmp_path, "corpus.test=text/train")

    assert "test: 6 of 6 pairs are also in train, so scores on it are too high" in found.out


def test_a_vocabulary_of_a_million_is_lowered_and_reported(tmp_path: Path) -> None:
    """Catches a run that fails with SentencePiece's "Vocabulary size too high"."""
    found = train(tmp_path, "subwords.vocab_size=1000000")

    assert found.code == 0
    for side in ("source", "target"):
        assert f"{side} vocabulary lowered from 1000000 to" in found.out + found.err


def test_all_impossible_settings_are_reported_in_one_line(tmp_path: Path) -> None:
    """Catches a message that names the first fault alone, and a limit that lets 0 pass."""
    counts = ["trainer.max_steps", "trainer.validate_steps", "checkpoint_steps", "curve_steps", "early_stop.patience"]
    found = train(tmp_path, *(f"{key}=0" for key in counts), "trainer.max_epochs=inf")

    for key in counts:
        refused(found, "train", f"{key}=0: should be greater than or equal to 1")
    refused(found, "train", "trainer.max_epochs=Infinity: should be less than or equal to 1000000000")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("batches.sentences=null", "batches.sentences=null and batches.tokens=null; set one of them"),
        ("trainer.max_epochs=1e308", "trainer.max_epochs=1e+308: should be less than or equal to 1000000000"),
        ("trainer.validate_epochs=1e200", "trainer.validate_epochs=1e+200: should be less than or equal to"),
        ("checkpoint_steps=9999999999999", "checkpoint_steps=9999999999999: should be less than or equal to"),
        ("trainer.max_epochs=true", "trainer.max_epochs=true: should be"),
        ("schedule.final=x", "schedule.final=x: should be a valid"),
        ("teacher_forcing.ratio=2", "teacher_forcing.ratio is 2; expected 0 (own words) to 1 (reference words)"),
        ("subwords.kind=letters", "subwords.kind=letters: should be 'unigram', 'bpe', 'char' or 'word'"),
        ("subwords.character_coverage=0.5", "subwords.character_coverage=0.5, expected a share from 0.98 to 1.0"),
        ("subwords.user_defined_symbols=[a b]", "subwords.user_defined_symbols: 'a b' cannot be a symbol"),
        ("subwords.user_defined_symbols=<x>", "subwords.user_defined_symbols=<x>: should be a list, such as [<x>]"),
        ("init_from=nowhere", "nowhere is not a model folder"),
        ("heads=4", "heads=4: model.attention.heads is a setting of attention=multi_head; give attention=multi_head"),
        ("pair=en-de", "corpus.pair is a setting of corpus=multi30k or corpus=tatoeba; give one of these too"),
        ("text/train", "text/train: not a setting; write corpus=files corpus.train=text/train"),
        ("subwords.vocab_size=3", "subwords.vocab_size=3, expected 5 (4 subwords are special) to 1000000"),
        ("subwords.vocab_size=5", "subwords.vocab_size=5 is too small: the characters of this text need"),
        ("subwords.vocab_size=1000001", "subwords.vocab_size=1000001, expected 5"),
        ("batches.sentences=0", "batches.sentences=0: should be greater than or equal to 1"),
        ("model.hid_dim=0", "model.hid_dim must be at least 1, got 0"),
        ("model.hid_dim=100000000000", "model.hid_dim must be at most 65536, got 100000000000"),
        ("model.dec_layers=1000", "model.dec_layers must be at most 64, got 1000"),
        ("model.tie=all", "model.tie=all, but each side has a vocabulary of its own; give subwords.joint=true too"),
        ("seed=99999999999999999999", "seed=99999999999999999999: should be less than"),
        ("cleaning.max_ratio=nan", "cleaning.max_ratio=NaN: should be a number"),
        ("optim.lr=-1", "optim.lr=-1: should be greater than or equal to 0"),
        ("optim.lr=fast", "optim.lr=fast: should be a valid number"),
        ("overwrite=maybe", "overwrite=maybe: should be a valid boolean or 'debug'"),
        ("model.hiden_dim=8", "model.hiden_dim=8: there is no key model.hiden_dim; did you mean model.hid_dim?"),
        ("lr=0.1", "lr=0.1: there is no key lr; did you mean optim.lr?"),
        ("attention=aditive", "did you mean additive?"),
        (
            "corpus=wmt14",
            "corpus=wmt14: corpus is one of cmudict, dates, files, mix, multi30k, reverse, tatoeba, tiny, tsv",
        ),
        ("corpus.src_lang=null", "corpus.src_lang=null: should be a valid string"),
        ("corpus.src_lang=???", "corpus.src_lang: has no value; give corpus.src_lang=…"),
        ("corpus.tgt_lang=de", "text/train.de does not exist; check the path"),
        ("run=../elsewhere", "run=../elsewhere: expected a name for a folder below runs"),
        ("corpus.name=../elsewhere", "run=../elsewhere: expected a name for a folder below runs"),
        ("runs=text/train.en", "text/train.en/text cannot be written (Not a directory); choose another folder"),
        (f"run={'x' * 300}", "cannot be written (File name too long)"),
        ("corpus._target_=os.system", "there is no key corpus._target_"),
        ("+corpus._target_=os.system", "corpus._target_=os.system: there is no such key"),
        ("+optim.x={_target_:os.system,command:ls}", "optim.x={"),
    ],
)
def test_an_impossible_setting_is_reported_in_one_line(tmp_path: Path, overrides: str, message: str) -> None:
    """Catches a traceback, a run that silently never validates, and files that are written outside the runs folder."""
    found = train(tmp_path, overrides)

    refused(found, "train", message)
    assert contents(tmp_path / "text") == TEXT
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} <= {"text", "runs"}
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["subwords=word"], "subword_sampling=0.2 needs subwords=unigram or bpe; word has no alternatives"),
        (["guided_attention=1"], "guided_attention needs a fixed segmentation of words; give subword_sampling=null"),
        (["batches.sentences=null", "batches.tokens=12"], "batches.tokens=12: pair "),
    ],
    ids=lambda value: value[0],
)
def test_impossible_subword_sampling_is_reported_before_training(
    tmp_path: Path, overrides: list[str], message: str
) -> None:
    """Catches sampling that has no effect, guidance by links of another segmentation, and an error during training."""
    refused(train(tmp_path, "subword_sampling=0.2", *overrides), "train", message)
    assert not list(tmp_path.rglob("*.ckpt"))


def test_the_corrected_command_trains(tmp_path: Path) -> None:
    """Catches the folder of a failed run that stays and refuses the corrected settings as those of another run."""
    refused(train(tmp_path, "corpus.valid=text/vaild"), "train", "text/vaild.en does not exist")

    assert train(tmp_path).code == 0


def test_the_next_command_that_is_shown_works(tmp_path: Path) -> None:
    """Catches advice to score a test split if the corpus has none."""
    assert "heed-evaluate model=runs/text/model split=valid," in train(tmp_path).out
    assert forked(tmp_path, "evaluate", "model=runs/text/model", "split=valid", "heatmaps=0").code == 0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder's model, from English to French, whose corpus is own/test below the working directory."""
    own = {"reader": "files", "name": "own", "src_lang": "en", "tgt_lang": "fr", "test": "own/test"}
    folder = tmp_path_factory.mktemp("runs") / "own" / "model"
    return write(folder, {"src_lang": "en", "tgt_lang": "fr", "corpus": own})


@pytest.fixture
def own(tmp_path: Path, model: Path) -> Path:
    write_lines(tmp_path / "own/test.en", SOURCES)
    write_lines(tmp_path / "own/test.fr", TARGETS)
    shutil.copytree(model, tmp_path / "runs/own/model")
    return tmp_path


OTHER = ["corpus=files", "corpus.name=other", "corpus.src_lang=en", "corpus.tgt_lang=fr", "corpus.test=own/test"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "evaluate model=nowhere",
            "nowhere is not a model folder; give the model folder of a run, such as runs/tiny/model",
        ),
        ("evaluate model=own/test.en", "own/test.en is not a model folder"),
        ("evaluate split=dev", "corpus own has no dev split; give split="),
        ("evaluate split=valid", "corpus own has no valid split; give split="),
        ("evaluate OTHER corpus.tgt_lang=de", "translates en to fr, and corpus other is en to de; choose text of its"),
        (
            "evaluate OTHER corpus.name=../../../out",
            "corpus.name=../../../out: expected a name that can be a",
        ),
        ("evaluate OTHER corpus.name=..", "corpus.name=..: expected a name that can be a folder name"),
        (
            "evaluate output=report",
            "report/report.json exists and was not written by an evaluation, or was changed since; choose",
        ),
        ("evaluate output=own/test.en/x", "own/test.en/x cannot be written (Not a directory); choose another"),
        ("evaluate search.max_len=0", "search.max_len must be at least 1, got 0"),
        ("evaluate search=beam search.beam_size=0", "search.beam_size=0: should be 1 to 10000"),
        ("evaluate batch_size=0", "batch_size=0: should be greater than or equal to 1"),
        ("evaluate heatmaps=-1", "heatmaps=-1: should be greater than or equal to 0"),
        ("align source=own/test.en target=own/test.fr output=own/test.fr", "output=own/test.fr would overwrite"),
        ("align source=own/test.en target=own/test.fr output=o weights=own/../own/test.en", "would overwrite"),
        ("align source=own/gone target=own/test.fr output=o", "own/gone does not exist; check the path"),
        ("align threshold=0", "threshold=0: should be greater than 0"),
        ("align reverse=nowhere", "nowhere is not a model folder"),
        ("align output=own", "own cannot be written"),
        ("translate batch_size=-1", "batch_size=-1: should be greater than or equal to 1"),
        ("translate search.beam_size=3", "is a setting of search=beam; give search=beam search.beam_size=3"),
        ("translate beam_size=3", "search.beam_size is a setting of search=beam; give search=beam search.beam_size=3"),
        ("translate device=mps", "device=mps: torch finds no Apple GPU on this machine; use device=cpu or auto"),
        ("translate own/test.en", "own/test.en: not a setting; write input=own/test.en"),
        ("translate runs/own/model", "runs/own/model: not a setting; write model=runs/own/model"),
        ("translate input=own/gone", "own/gone does not exist; check the path"),
        ("align own/test.en", "own/test.en: not a setting; write source=own/test.en target=… output=…"),
        ("evaluate OTHER corpus.src_lang=en_US corpus.tgt_lang=de_DE", "and corpus other is en_US to de_DE; choose"),
    ],
)
def test_what_the_other_commands_cannot_do_is_reported_in_one_line(own: Path, command: str, message: str) -> None:
    """Catches a traceback, and an evaluation or alignment that overwrites a user's file or is written elsewhere."""
    (own / "report").mkdir()
    (own / "report/report.json").write_text("of my own")
    name, *overrides = command.split()
    overrides = [override for given in overrides for override in (OTHER if given == "OTHER" else [given])]
    before = contents(own)

    found = forked(own, name, "model=runs/own/model", *overrides)

    refused(found, name, message)
    assert contents(own) == before
    assert not (own.parent / "out").exists()


def test_a_country_code_does_not_make_another_language(own: Path) -> None:
    """Catches a model for en that is refused for text with the language code en_US."""
    for name, code in (("en", "en_US"), ("fr", "fr_CA.UTF-8")):
        shutil.copy(own / f"own/test.{name}", own / f"own/test.{code}")
    languages = ["corpus.src_lang=en_US", "corpus.tgt_lang=fr_CA.UTF-8"]
    found = forked(own, "evaluate", "model=runs/own/model", *OTHER, *languages, "heatmaps=0", "search.max_len=4")

    assert found.code == 0, found.err


def test_one_line_of_a_million_characters_is_translated_as_far_as_it_is_read(own: Path) -> None:
    """Catches running out of memory, a line that is cut silently, and missing lines of output.

    And a number that counts from the first line that arrived together with this one: they are read 64 KiB at a time.
    """
    lines = b"ok\n" + b" \n" * 40_000 + b"a dog " * 166_667 + b"\nok\n"
    found = forked(own, "translate", "model=runs/own/model", "search.max_len=8", stdin=lines)

    assert found.code == 0
    assert found.out.count("\n") == 40_003
    assert found.err.splitlines()[0].startswith("source line 40002 has ")
    assert found.err.splitlines()[0].endswith("subwords; only the first 1024 are read")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train corpus=reverse runs=locked", "locked/reverse cannot be written (Permission denied); choose another"),
        ("evaluate model=runs/own/model corpus=tsv corpus.name=x corpus.src_lang=en corpus.tgt_lang=fr "
         "corpus.test=secret/text output=out", "secret/text cannot be read: Permission denied"),
        ("evaluate model=runs/own/model corpus=files corpus.name=x corpus.src_lang=en corpus.tgt_lang=fr "
         "corpus.test=secret/text output=out", "secret/text.en cannot be read: Permission denied"),
        ("evaluate model=runs/own/model output=locked/there heatmaps=0", "locked/there cannot be written (Permission"),
        ("evaluate model=secret/model", "secret/model cannot be read (Permission denied)"),
        ("align model=runs/own/model output=locked/o", "locked/o cannot be written (Permission denied)"),
        ("translate model=secret/model", "secret/model cannot be read (Permission denied)"),
        ("translate model=half/model", "half/model/weights.safetensors cannot be read (Permission denied)"),
    ],
)  # fmt: skip
def test_what_may_not_be_read_or_written_is_reported_in_one_line(own: Path, command: str, message: str) -> None:
    """Catches the traceback of a PermissionError."""
    for name, mode in {"locked": 0o555, "secret": 0o000}.items():
        (own / name).mkdir()
        (own / name).chmod(mode)
    shutil.copytree(own / "runs/own/model", own / "half/model")
    (own / "half/model/weights.safetensors").chmod(0o000)
    name, *overrides = command.split()

    found = forked(own, name, *overrides)

    (own / "secret").chmod(0o700)
    refused(found, name, message)
    assert list((own / "locked").iterdir()) == []


@pytest.mark.skipif(not shutil.which("make") or not (ROOT / ".venv/.ready").exists(), reason="set up without make")
class TestBoard:
    def test_a_port_that_is_taken_is_reported_in_one_line(self) -> None:
        """Catches TensorBoard's own message of many lines, and a server that is started on the next port."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            found = make("board", f"PORT={server.getsockname()[1]}")

        assert found.returncode == 2
        line = found.stderr.splitlines()[0]
        assert line.endswith("is in use or not a port: choose another, as in `make board PORT=6007`")

    def test_nobody_outside_this_machine_reaches_it(self) -> None:
        """Catches a board that listens on every interface."""
        assert "--host 127.0.0.1 " in make("--dry-run", "board").stdout


def make(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["make", "--old-file=.venv/.ready", "--old-file=.venv/.checkers", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
