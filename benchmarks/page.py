"""Compare the page of `heed-export page` with the model in Python: size, translations, subwords and speed.

    python -m benchmarks.page runs/tiny/model data/tiny/test.en data/tiny/test.fr --segment data/tiny/*.[ef]*

Run it from the root of the checkout; it needs node and Chromium. The page's engine runs under node on the whole text,
in float32 and in int8. In Chromium, the page translates a sentence of 12 words repeatedly. The script prints the
times that the page shows, and the CPU time of its worker, which other programs on the machine affect less. Tables are
in Markdown.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import numpy as np
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from heed.data.lines import read_lines
from heed.export.page import write_page
from heed.metrics.bleu import bleu
from heed.translation import Translation
from heed.translator import Translator, load
from scripts.page_engine import segment, translate
from scripts.screenshot import chromium

SEARCHES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "greedy": ({"search": "greedy"}, {"search": "greedy"}),
    "beam 5": ({"search": "beam", "beamSize": 5}, {"search": "beam", "beam_size": 5, "n_best": 5}),
}
"""The settings of each search, first for the page's engine and then for Python."""

WORDS = 12
TICK = os.sysconf("SC_CLK_TCK")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model folder")
    parser.add_argument("source", type=Path, help="one sentence a line")
    parser.add_argument("reference", type=Path, help="the translations of these sentences")
    parser.add_argument(
        "--segment",
        type=Path,
        nargs="*",
        default=[],
        help="texts whose subwords are compared",
    )
    parser.add_argument(
        "--searches", nargs="*", choices=SEARCHES, default=list(SEARCHES), help="searches to run under node"
    )
    parser.add_argument("--tries", type=int, default=30, help="translations in Chromium")
    return parser.parse_args()


def main() -> None:
    """Run all measurements, one after the other."""
    args = arguments()
    lines, references = read_lines(args.source), read_lines(args.reference)
    translator = load(args.model, "cpu", "float32")
    with TemporaryDirectory() as name:
        folder = Path(name)
        for path in args.segment:
            compare_subwords(translator, path, folder)
        if args.searches:
            print("| | equal translations | largest difference of a weight | BLEU of the page | BLEU of Python |")
            print("|---|---|---|---|---|")
        for search in args.searches:
            compare_translations(translator, search, lines, references, folder)
        page = folder / "page.html"
        print(f"page in int8: {write_page([args.model], page) / 1e6:.2f} MB")
        measure(page, next(line for line in lines if len(line.split()) == WORDS), args.tries)


def compare_subwords(translator: Translator, path: Path, folder: Path) -> None:
    """Print how many lines have the same ids in the page as in Python, for the vocabularies of both sides."""
    lines = read_lines(path)
    for side, subwords in {"source": translator.bundle.src, "target": translator.bundle.tgt}.items():
        answers = segment(subwords, lines, folder)
        same = sum(
            answer["words"] == words for answer, words in zip(answers, subwords.encode_words(lines), strict=True)
        )
        print(f"{path.name}, subwords of the {side}: the same ids in {same:,} of {len(lines):,} lines", flush=True)


def compare_translations(
    translator: Translator, search: str, lines: Sequence[str], references: Sequence[str], folder: Path
) -> None:
    """Print a row of the table for each precision of the page."""
    in_page, in_python = SEARCHES[search]
    expected = translator.translate(lines, **in_python)
    scored = bleu(hypotheses=[one.text for one in expected], references=references)
    requests = [{"line": line, "settings": in_page} for line in lines]
    for precision in ("float32", "int8"):
        best = [answer["candidates"][0] for answer in translate(translator.bundle, requests, folder, precision)]
        pairs = list(zip(best, expected, strict=True))
        same = [(one, other) for one, other in pairs if one["text"] == other.text]
        apart = max(difference(one, other) for one, other in same)
        own = bleu(hypotheses=[one["text"] for one in best], references=references)
        share = f"{len(same):,} of {len(lines):,}"
        print(f"| {search}, {precision} | {share} | {apart:.1e} | {own:.2f} | {scored:.2f} |", flush=True)


def difference(one: dict[str, Any], other: Translation) -> float:
    """The largest difference of two attention weights; 0 if the same text has different subwords."""
    if one["ids"] != other.tgt.ids or not one["ids"]:
        return 0.0
    return float(np.abs(np.array(one["attention"]) - other.piece_weights.numpy()).max())


def measure(page: Path, line: str, tries: int) -> None:
    """Print how long the page takes for a line in Chromium."""
    print(f"{WORDS} words in Chromium: {line}")
    with chromium() as browser:
        driver = browser.service.process.pid
        browser.get(f"{page.as_uri()}#{quote(line)}")
        for search in ("greedy", "beam"):
            Select(browser.find_element(By.ID, "search")).select_by_value(search)
            finished(browser)
            times, before = [], worker_seconds(driver)
            for _ in range(tries):
                browser.find_element(By.ID, "translate").click()
                times.append(finished(browser))
            computing = 1000 * (worker_seconds(driver) - before) / tries
            print(
                f"{search}: first {times[0]:.0f} ms, median {median(times):.0f} ms, smallest {min(times):.0f} ms; "
                f"computing time {computing:.0f} ms; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
                flush=True,
            )


def finished(browser: WebDriver) -> float:
    """Wait for the translation; return the milliseconds that the page shows."""
    time.sleep(0.05)  # so that the click has arrived
    WebDriverWait(browser, 300).until(
        lambda _: (
            not browser.find_element(By.ID, "stop").is_displayed()
            and " ms." in browser.find_element(By.CSS_SELECTOR, ".time").text
        )
    )
    shown = re.search(r"(\d+) ms\.", browser.find_element(By.CSS_SELECTOR, ".time").text)
    if shown is None:
        sys.exit("the page does not show the time of the translation")
    return float(shown[1])


def worker_seconds(pid: int) -> float:
    """The CPU time so far of all web workers of a process and its children: threads named DedicatedWorker."""
    ticks = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == "DedicatedWorker":
            ticks += sum(map(int, (task / "stat").read_text().rpartition(")")[2].split()[11:13]))
        ticks += sum(round(TICK * worker_seconds(int(child))) for child in (task / "children").read_text().split())
    return ticks / TICK


if __name__ == "__main__":
    main()
