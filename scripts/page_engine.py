"""Translate lines of standard input as a page does, with the engine of `heed-export page` under node.

    python -m scripts.page_engine runs/tiny/model < data/tiny/test.en

Run it from the root of the checkout; it needs node. The tests of the page and benchmarks/page.py use the functions
below to compare the engine with Python.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from heed import bundle
from heed.bundle import Bundle
from heed.export.packed import Arrays, Precision, join_block, pack_model, subword_header
from heed.export.page import engine_settings
from heed.text.subwords import Subwords

PROGRAMS = Path(__file__).parent / "web"


def segment(subwords: Subwords, lines: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """The ids of the words of each line, and the text of these ids, from the page's engine."""
    arrays = Arrays()
    block = join_block({"source": subword_header(subwords, arrays)}, arrays)
    answers: list[dict[str, Any]] = _run("segment.mjs", block, list(lines), folder)
    return answers


def translate(
    model: Bundle, requests: Sequence[dict[str, Any]], folder: Path, precision: Precision = "float32"
) -> list[dict[str, Any]]:
    """The results of the page's engine for requests {line, settings, begin}."""
    block = pack_model(model.model, engine_settings(model.architecture), model.src, model.tgt, precision)
    answers: list[dict[str, Any]] = _run("translate.mjs", block, list(requests), folder)
    return answers


def _run(program: str, block: bytes, requests: object, folder: Path) -> Any:
    (folder / "block").write_bytes(block)
    (folder / "requests.json").write_text(json.dumps(requests), encoding="utf-8")
    command: list[str | Path] = ["node", PROGRAMS / program, folder / "block", folder / "requests.json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def main() -> None:
    """Translate standard input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model folder")
    parser.add_argument(
        "--precision", choices=get_args(Precision), default="float32", help="the precision of the engine's weights"
    )
    args = parser.parse_args()
    requests = [{"line": line.rstrip("\n"), "settings": {"search": "greedy"}} for line in sys.stdin]
    with TemporaryDirectory() as folder:
        for answer in translate(bundle.load(args.model), requests, Path(folder), args.precision):
            print(answer["candidates"][0]["text"])


if __name__ == "__main__":
    main()
