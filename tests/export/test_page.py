"""The page as a file: its contents, its policy, and the models that it refuses."""

import base64
import gzip
import hashlib
import html
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from heed import bundle
from heed.architecture import Architecture
from heed.errors import UserError
from heed.export.page import choose_examples, engine_settings, make_page, write_page
from heed.viz.modules import join_modules
from tests.support import model_folder
from tests.support.commands import forked
from tests.support.page import needs_node

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)> & ${x} \u2028"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    about = {
        "src_lang": "en",
        "tgt_lang": "fr",
        "run": HOSTILE,
        "corpus": {"name": HOSTILE},
        "valid": {"bleu": 12.345, "step": 1234, "loss": 0.5},
    }
    return model_folder.write(tmp_path / "model", about)


def part(page: str, name: str) -> str:
    found = re.search(rf'<script type="[a-z/-]+" id="{name}">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return found[1]


def unpacked(page: str, name: str) -> bytes:
    return gzip.decompress(base64.b64decode(part(page, name)))


def test_the_page_is_one_file_that_nothing_can_be_added_to(folder: Path, tmp_path: Path) -> None:
    """Catches a policy that lets anything but the page's own style, script and worker run, or anything be loaded."""
    output = tmp_path / "new" / "page.html"
    size = write_page([folder], output, examples=[HOSTILE])
    page = output.read_text("utf-8")
    assert size == output.stat().st_size
    policy = html.unescape(re.search(r'Policy" content="([^"]*)"', page)[1])  # type: ignore[index]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    style, script = (
        re.search(f"<{tag}>(.*?)</{tag.split()[0]}>", page, re.DOTALL) for tag in ("style", 'script type="module"')
    )
    for rule, text in (("style-src", style), ("script-src", script)):
        assert text is not None
        digest = base64.b64encode(hashlib.sha256(text[1].encode()).digest()).decode()
        assert rules.pop(rule) == f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'",
        "worker-src": "blob:",
    }  # fmt: skip
    assert not re.search(r'\b(src|href)="(?!data:,|#)', page)


def test_hostile_texts_stay_packed(folder: Path) -> None:
    """Catches a name, an example or a language that ends a script or becomes an element."""
    one = replace(bundle.load(folder), about={"src_lang": HOSTILE, "tgt_lang": '"><b>', "run": HOSTILE})
    page = make_page([one], examples=[HOSTILE])
    assert "alert(1)" not in page.replace(html.escape(HOSTILE), "")
    assert "<b>" not in re.sub(r"<title>.*?</title>", "", page).split("guide-box")[0]
    assert json.loads(unpacked(page, "about"))["examples"] == [HOSTILE]
    assert re.findall("<script[^>]*>", page) == re.findall("<script[^>]*>", make_page([bundle.load(folder)]))


def test_figures_say_what_the_model_is_and_where_it_was_trained(folder: Path) -> None:
    """Catches a page without its size, its parameters, its scores or its corpus."""
    about = json.loads(unpacked(make_page([bundle.load(folder)] * 2), "about"))
    names = [model["name"] for model in about["models"]]
    assert names == [f"{HOSTILE}: additive attention (1)", f"{HOSTILE}: additive attention (2)"]
    figures = dict(about["models"][0]["figures"])
    assert figures == {
        "Parameters": f"{sum(p.numel() for p in bundle.load(folder).model.parameters()):,}",
        "Size": figures["Size"],
        "Trained on": HOSTILE,
        "Updates": "1,234",
        "Validation BLEU": "12.3",
    }
    assert re.fullmatch(r"0\.\d\d MB, int8", figures["Size"])


def test_int8_is_a_quarter_of_float32(folder: Path, tmp_path: Path) -> None:
    """Catches matrices that are stored as float32 although int8 was requested."""
    one = bundle.load(folder)
    sizes = [len(unpacked(make_page([one], precision), "model-0")) for precision in ("int8", "float32")]
    matrices = sum(p.numel() for p in one.model.parameters() if p.dim() == 2 and min(p.shape) >= 8)
    assert sizes[1] - sizes[0] > 2.5 * matrices


@needs_node
@pytest.mark.parametrize("script", ["page.mjs", "served.mjs", "worker.mjs"])
def test_the_joined_modules_are_valid(script: str, tmp_path: Path) -> None:
    """Catches two modules with a top-level name in common, and a text that would end the page's script."""
    joined = join_modules(f"export/web/{script}")
    assert "</script" not in joined
    (tmp_path / "joined.mjs").write_text(joined, encoding="utf-8")
    result = subprocess.run(["node", "--check", tmp_path / "joined.mjs"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@needs_node
def test_the_pure_modules_pass_their_tests() -> None:
    """Runs the tests in web/*.test.mjs, of choosing the largest values, drawing and segmenting."""
    tests = sorted((Path(__file__).parent / "web").glob("*.test.mjs"))
    result = subprocess.run(["node", "--test", *tests], capture_output=True, text=True, check=False)
    assert tests
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_model_and_what_is_not_a_model_are_refused_in_one_line(tmp_path: Path) -> None:
    """Catches a page without a model, and a traceback."""
    with pytest.raises(UserError, match="no model folder given; give at least one"):
        write_page([], tmp_path / "page.html")
    with pytest.raises(UserError, match="is not a model folder"):
        write_page([tmp_path], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_models_of_different_languages_are_refused(tmp_path: Path, folder: Path) -> None:
    """Catches a German translation under the title of a French one, read out as French."""
    other = model_folder.write(tmp_path / "other", {"src_lang": "en", "tgt_lang": "de"})
    with pytest.raises(UserError, match=r"model en to fr, .*other en to de; export a page for each pair"):
        write_page([folder, other], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_page_without_example_sentences_says_why(tmp_path: Path, folder: Path) -> None:
    """Catches an export that fails because there is no corpus, and advice that does not apply to this command."""
    made = forked(tmp_path, "export", "page", f"model={folder}", f"output={tmp_path}/page.html")
    assert made.code == 0
    assert "no example sentences: the model folder names no corpus that can be read" in made.err
    assert "--help" not in made.err
    assert re.fullmatch(r"written to .*page\.html: [\d.]+ MB; open it in a browser\n", made.out)


def test_only_a_page_is_written_over(tmp_path: Path, folder: Path) -> None:
    """Catches a page that replaces weights or a user's text, and a traceback if the page cannot be written."""
    page, text = tmp_path / "page.html", tmp_path / "text"
    write_page([folder], page)
    assert write_page([folder], page, "float32") == page.stat().st_size
    text.write_text("my own")
    for output in (text, folder / "weights.safetensors"):
        before = output.read_bytes()
        with pytest.raises(UserError, match="not a page of heed"):
            write_page([folder], output)
        assert output.read_bytes() == before
    noted = page.read_text(encoding="utf-8").replace("</title>", ", my class</title>", 1)
    page.write_text(noted, encoding="utf-8")
    with pytest.raises(UserError, match="was changed, or written by another version of heed; remove it"):
        write_page([folder], page)
    assert page.read_text(encoding="utf-8") == noted
    for output in (tmp_path, text / "page.html"):
        with pytest.raises(UserError, match="cannot be written"):
            write_page([folder], output)


def test_a_kind_of_attention_that_the_page_cannot_compute_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a page that opens and fails at its first sentence."""
    architecture = Architecture(hid_dim=8, enc_dim=8, attention={"score": "dot"})
    monkeypatch.setitem(architecture.attention, "score", "mine")
    with pytest.raises(UserError, match="does not support the score 'mine'; it supports additive, "):
        engine_settings(architecture)


@pytest.mark.parametrize("count", [1, 5, 12])
def test_examples_are_spread_over_the_text(count: int) -> None:
    """Catches examples that are all equal, too long to read, or more than were asked for."""
    lines = ["too short", *(f"sentence number {i} of the text" for i in range(200)), "word " * 40]
    chosen = choose_examples([*lines, *lines], count)
    assert len(chosen) == count
    assert len(set(chosen)) == count
    assert all(3 <= len(line.split()) <= 16 for line in chosen)
    assert choose_examples([], count) == []


def test_writing_a_page_needs_neither_matplotlib_nor_lightning() -> None:
    """Catches an import that people who only translate would have to install."""
    code = "import sys, heed.export.page; print([n for n in ('matplotlib', 'lightning', 'hydra') if n in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
