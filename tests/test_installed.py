"""heed installed from a wheel, in an empty folder, outside of any checkout."""

import json
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

SMALL = [
    *(f"model.{name}=16" for name in ("emb_dim", "enc_dim", "hid_dim", "readout_dim", "attended_dim")),
    "model.attention.att_dim=16",
    "trainer.max_steps=3",
    "trainer.validate_steps=3",
]

LIBRARY = """
import heed

translator = heed.load("runs/tiny/model")
one = translator.translate("a dog", max_len=8)
print(one.text)
several = translator.translate(["a dog", "a cat"], search="beam", beam_size=2, n_best=2, max_len=8, prefix="un")
assert [len(each.candidates) for each in several] == [2, 2]
assert one.attention.shape == (len(one.words), len(one.source_words))
one.plot().savefig("map.png")
assert "<iframe" in one._repr_html_()
assert len(translator.score(["a dog"], ["un chien"])) == len(translator.align(["a dog"], ["un chien"])) == 1
small = {"corpus.train": 64, "corpus.valid": 8, "corpus.test": 8, "model.hid_dim": 16, "trainer.max_steps": 2}
run = heed.train(corpus="reverse", subwords="word", seed=2, run="mine", overrides=small, progress=False)
print(run.folder, run.report["steps"], len(heed.evaluate(run.translator, max_len=8).hypotheses))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and a source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder)
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def bin_folder(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the commands in an environment with the wheel and heed's dependencies, without the checkout."""
    environment = tmp_path_factory.mktemp("installed") / "env"
    venv.create(environment, symlinks=True)
    (wheel,) = dist.glob("*.whl")
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    # Use the packages of this test's own Python, to avoid another download of torch. Python does not follow the
    # checkout's own .pth files from there, so heed is imported from the wheel.
    packages = Path(sysconfig.get_path("purelib", vars={"base": environment, "platbase": environment}))
    (packages / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return environment / "bin"


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as the working directory; nothing in the environment points at the checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


def run(*command: str | Path, cwd: Path | None = None, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    outcome = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome


def build(source: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run(*command, "--wheel-dir", folder, source)


def test_the_commands_work_in_an_empty_folder(bin_folder: Path, empty: Path) -> None:
    """Catches a wheel without configs, without the embedded corpus, or without a file of the gallery."""
    location = run(bin_folder / "python", "-c", "import heed; print(heed.__file__)").stdout
    assert location.startswith(str(bin_folder.parent))

    run(bin_folder / "heed-train", *SMALL)
    run(bin_folder / "heed-evaluate", "model=runs/tiny/model", "split=valid", "search.max_len=8")
    translated = run(bin_folder / "heed-translate", "model=runs/tiny/model", "search.max_len=8", stdin="a dog\na cat\n")
    run(bin_folder / "heed-align", "model=runs/tiny/model", "split=valid", "output=links")

    first, trained = run(bin_folder / "python", "-c", LIBRARY).stdout.splitlines()

    assert first == translated.stdout.splitlines()[0]
    assert trained == "runs/mine 2 8"
    assert translated.stdout.count("\n") == 2
    assert len((empty / "links").read_text().splitlines()) == 500
    assert json.loads((empty / "runs/tiny/evaluate/valid/report.json").read_text())["aer"] > 0
    assert (empty / "runs/tiny/evaluate/valid/gallery.html").exists()


def test_experiments_are_in_the_wheel(bin_folder: Path, empty: Path) -> None:
    """Catches a config group that is missing in the wheel."""
    shown = run(bin_folder / "heed-train", "experiment=reverse", "attention=multi_head", "--cfg", "job").stdout
    assert "reverse" in shown
    assert list(empty.iterdir()) == []


def test_the_wheel_contains_only_the_package(dist: Path) -> None:
    """Catches a module that a pattern of .gitignore hides from the build, and tests or caches that are shipped."""
    (wheel,) = dist.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    listed = run("git", "ls-files", "src/heed", "configs", "data/tiny", cwd=ROOT).stdout.splitlines()
    shipped = {"src/heed": "heed", "configs": "heed/configs", "data/tiny": "heed/data/tiny"}
    expected = {
        place + name.removeprefix(folder)
        for folder, place in shipped.items()
        for name in listed
        if name.startswith(f"{folder}/")
    }
    assert held == expected


def test_the_source_distribution_builds_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    """Catches a source distribution without a file that the build needs from the root of the checkout."""
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    build(next(tmp_path.iterdir()), tmp_path / "rebuilt")
    (again,) = (tmp_path / "rebuilt").glob("*.whl")
    (wheel,) = dist.glob("*.whl")
    assert contents(again) == contents(wheel)


def contents(wheel: Path) -> dict[str, int]:
    """Names of files and their checksums."""
    return {info.filename: info.CRC for info in zipfile.ZipFile(wheel).infolist()}
