"""Python on the pages runs, from the first block of a page to its last, as a reader would type it."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import heed
from tests.support.model_folder import write_lines

ROOT = Path(__file__).resolve().parents[2]

BLOCK = re.compile(r"^ *```python\n(.*?)^ *```", re.MULTILINE | re.DOTALL)

RUN_ELSEWHERE = {"docs/extending.md"}  # its first block is a package: tests/test_extending.py installs and uses it

PAGES = [
    page
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if BLOCK.search(page.read_text(encoding="utf-8")) and str(page.relative_to(ROOT)) not in RUN_ELSEWHERE
]

PAIRS, HELD_OUT = 200, 6
SIZES = {f"model.{name}": 16 for name in ("emb_dim", "enc_dim", "hid_dim", "readout_dim", "attended_dim")}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs/tiny, as after `make train`, but trained for a second on the beginning of the corpus."""
    place = tmp_path_factory.mktemp("pages")
    for language in ("en", "fr", "align"):
        lines = (ROOT / f"data/tiny/train.{language}").read_text(encoding="utf-8").splitlines()
        write_lines(place / f"text/train.{language}", lines[:PAIRS])
        for split, first in (("valid", PAIRS), ("test", PAIRS + HELD_OUT)):
            write_lines(place / f"text/{split}.{language}", lines[first : first + HELD_OUT])
    corpus = {"name": "tiny", "src_lang": "en", "tgt_lang": "fr"}
    corpus |= {split: f"text/{split}" for split in ("train", "valid", "test")}
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(place)
        heed.train(
            corpus="files",
            overrides={f"corpus.{key}": value for key, value in corpus.items()}
            | SIZES
            | {"model.attention.att_dim": 16, "subwords.vocab_size": 120, "optim.lr": 0.01, "heatmaps": 0}
            | {"trainer.max_epochs": None, "trainer.max_steps": 12, "trainer.validate_steps": 12},
            progress=False,
        )
    for seed in (1, 2):
        shutil.copytree(place / "runs/tiny/model", place / f"runs/tiny/seed-{seed}/model")
    return place


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_on_a_page_runs(page: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a name or an argument that was renamed in the code alone, and a block that needs another page."""
    monkeypatch.chdir(workplace)
    names: dict[str, Any] = {"__name__": "page"}
    text = page.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], page, "exec"), names)  # a traceback shows the page's line numbers


def test_every_page_with_python_is_run() -> None:
    """Catches a search for blocks that finds none, and an exception that is not needed any more."""
    assert len(PAGES) >= 5
    assert all(BLOCK.search((ROOT / page).read_text(encoding="utf-8")) for page in RUN_ELSEWHERE)
