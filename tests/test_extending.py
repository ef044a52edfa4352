"""The steps of docs/extending.md: a score, a reader, a search and a metric from outside, with the commands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from heed import extensions
from tests.support.commands import forked

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALL = (
    "model.emb_dim=16 model.enc_dim=16 model.hid_dim=16 model.readout_dim=16 model.attended_dim=16 "
    "subwords.vocab_size=60 trainer.max_epochs=null trainer.max_steps=20 trainer.validate_steps=10 heatmaps=0"
).split()
PAIRS = [f"the {noun} {verb} | le {nom} {fait}" for noun, nom in (("cat", "chat"), ("dog", "chien"), ("bird", "merle"))
         for verb, fait in (("sleeps", "dort"), ("sings", "chante"), ("eats", "mange"))]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the page, in which its distribution is installed."""
    place = tmp_path_factory.mktemp("extending")
    for language, code in BLOCK.findall(PAGE):
        if language in ("python", "yaml"):
            name = next(line for line in code.splitlines() if not line.startswith("# @"))
            path = place / name.removeprefix("# ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code, encoding="utf-8")
    (entry_point,) = re.findall(r'^\[project\.entry-points\."(heed\.extensions)"\]$', PAGE, re.MULTILINE)
    installed = place / "my_heed-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: my-heed\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(f"[{entry_point}]\nmy_heed = my_heed\n")
    (place / "few").mkdir()
    for split in ("train", "valid", "test"):
        (place / "few" / f"{split}.txt").write_text("".join(f"{pair}\n" for pair in PAIRS), encoding="utf-8")
    (place / "few" / "source.txt").write_text("the cat sings\n")
    return place


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, as the working directory and as one that Python imports from."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    extensions.load.cache_clear()  # in this process other tests may have looked for extensions
    return folder


def run(line: str, *more: str) -> str:
    """Run a command of the page, and return its output."""
    (program, *arguments), stdin = line.partition(" < ")[0].split(), line.partition(" < ")[2]
    text = Path(stdin or "few/source.txt").read_bytes()
    done = forked(Path(), program.removeprefix("heed-"), *arguments, *more, stdin=text)
    assert done.code == 0, done.err
    return done.out


@pytest.mark.slow
def test_everything_on_the_page_works_through_the_commands(here: Path) -> None:
    """Catches a registry that a command does not use, and a page whose steps do not work."""
    (lines,) = (code for language, code in BLOCK.findall(PAGE) if language == "sh")
    train, evaluate, translate = lines.splitlines()

    trained = run(train, *SMALL)
    assert "first word" in trained  # in the table of validations
    assert "best model by first word" in trained
    assert (here / "runs/few/model/config.json").read_text().count('"cosine"') == 1

    assert re.search(r"^search|shortest\(", run(evaluate))
    assert '"first_word": ' in (here / "runs/few/evaluate/test/report.json").read_text()
    assert run(translate).count("\n") == 3  # an n-best list of three


@pytest.mark.slow
def test_everything_on_the_page_works_from_python(folder: Path) -> None:
    """Catches an option that only the commands find, and an example that does not work."""
    (code,) = (code for language, code in BLOCK.findall(PAGE) if language == "py")
    sizes = dict.fromkeys(("emb_dim", "enc_dim", "hid_dim", "readout_dim", "attended_dim"), 16)
    length = {"max_epochs": None, "max_steps": 20, "validate_steps": 10}
    small = dict(run="python", progress=False, subwords={"vocab_size": 60}, heatmaps=0, model=sizes, trainer=length)
    *lines, last = code.splitlines()
    smaller = f"import functools, heed\nheed.train = functools.partial(heed.train, **{small})"
    script = "\n".join([smaller, *lines, f"print({last})"])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 0 <= float(done.stdout) <= 100  # all that is printed


@pytest.mark.slow
def test_a_missing_module_is_reported_in_one_line(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a traceback if the module of a model folder is not installed."""
    run("heed-train corpus=columns corpus.name=alone corpus.src_lang=en corpus.tgt_lang=fr corpus.folder=few "
        "attention=cosine", *SMALL)  # fmt: skip
    monkeypatch.undo()
    done = forked(tmp_path, "translate", f"model={here / 'runs/alone/model'}", stdin=b"a\n")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "cosine" in done.err
