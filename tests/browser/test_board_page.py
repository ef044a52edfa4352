"""TensorBoard itself, on a finished run, in a real browser."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from heed.cli.train import next_commands
from heed.experiment import train
from scripts.screenshot import show_as
from tests.support.small_run import settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a TensorBoard with a run that has just finished, started by the command that training prints."""
    run = train(settings(tmp_path_factory.mktemp("runs")))
    log = tmp_path_factory.mktemp("log") / "tensorboard"
    _, _, board = next_commands(run.folder, tested=True, in_checkout=False).rpartition(", ")
    command = [sys.executable, "-m", "tensorboard.main", *shlex.split(board)[1:], "--host", "127.0.0.1", "--port", "0"]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield address_in(log, process)
        finally:
            process.terminate()


def address_in(log: Path, process: "subprocess.Popen[bytes]") -> str:
    for _ in range(120):
        found = re.search(r"http://127\.0\.0\.1:\d+/", log.read_text())
        if found:
            return found[0]
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
    raise TimeoutError(log.read_text())


def open_page(browser: WebDriver, address: str) -> None:
    show_as(browser, 1280, 3000)  # cards that are off the screen are not drawn
    browser.get("about:blank")
    browser.get(f"{address}#timeseries")


def cards(browser: WebDriver, kind: str) -> list[str]:
    """The text of each card of a kind, without line breaks."""
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
    return ["".join(text.split()) for text in browser.execute_script(script, kind)]


def has_all(shown: list[str], names: list[str]) -> bool:
    return all(any(name in card for card in shown) for name in names)


def test_the_page_has_curves_of_training_and_of_attention(chromium_session: WebDriver, address: str) -> None:
    """Catches event files that heed's reader accepts but TensorBoard does not show."""
    open_page(chromium_session, address)
    curves = ["entropy", "eos_share", "coverage", "monotonicity", "sharpness"]
    names = [f"attention_health/{name}" for name in curves]
    WebDriverWait(chromium_session, 60).until(
        lambda browser: (
            has_all(cards(browser, "scalar-card"), names)
            and len(browser.find_elements(By.CSS_SELECTOR, "scalar-card line-chart svg path")) >= len(names)
            and has_all(cards(browser, "body"), ["train", "valid", "final"])
        )
    )


def test_the_page_shows_attention_on_reference_and_hypothesis(chromium_session: WebDriver, address: str) -> None:
    """Catches images that are listed but not drawn, and maps of only one kind."""
    open_page(chromium_session, address)
    names = [f"attention/{number}/{kind}" for number in (1, 2) for kind in ("reference", "hypothesis")]
    widths = "return [...document.querySelectorAll('image-card img')].map((one) => one.naturalWidth)"
    WebDriverWait(chromium_session, 60).until(
        lambda browser: (
            has_all(cards(browser, "image-card"), names)
            and sum(width > 50 for width in browser.execute_script(widths)) >= len(names)
        )
    )


@pytest.mark.parametrize("width", [1024, 1280, 1920])
def test_the_page_shows_pictures_pixel_by_pixel(chromium_session: WebDriver, address: str, width: int) -> None:
    """Catches pictures that TensorBoard shrinks or enlarges without smoothing, which makes letters jagged."""
    open_page(chromium_session, address)
    show_as(chromium_session, width, 3000)
    sizes = """const images = [...document.querySelectorAll("image-card img")].filter((one) => one.naturalWidth > 50);
    return images.map((one) => {
        const box = one.getBoundingClientRect();
        return Math.min(box.width / one.naturalWidth, box.height / one.naturalHeight);
    })"""
    scales = WebDriverWait(chromium_session, 60).until(lambda browser: browser.execute_script(sizes))
    assert scales == pytest.approx([1.0] * len(scales), abs=0.005)
