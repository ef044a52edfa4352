"""The map of one sentence in a notebook, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from heed.viz.attention_map import map_html
from heed.viz.entries import Candidate
from scripts.screenshot import show_as
from tests.support.viz import HOSTILE

pytestmark = pytest.mark.slow

SOURCE, WORDS = "the red house".split(), "la maison rouge".split()
WEIGHTS = np.array([[0.9, 0.02, 0.08], [0.0, 0.2, 0.8], [0.0, 0.97, 0.03]])
OTHER = Candidate("le château".split(), -0.7, np.array([[0.6, 0.0, 0.4], [0.0, 0.0, 1.0]]))
NO_SCRIPTS = "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\">"


@pytest.fixture
def browser(chromium_session: WebDriver) -> Iterator[WebDriver]:
    chromium_session.get("about:blank")
    show_as(chromium_session, 900, 800)
    chromium_session.get_log("browser")  # type: ignore[no-untyped-call]
    yield chromium_session
    chromium_session.switch_to.default_content()


def errors(browser: WebDriver) -> list[Any]:
    return list(browser.get_log("browser"))  # type: ignore[no-untyped-call]


def show(browser: WebDriver, folder: Path, fragment: str, head: str = "", ready: str = ".word") -> None:
    """Open a page that contains the fragment, and switch to the frame."""
    page = folder / "notebook.html"
    page.write_text(
        f"<!doctype html><meta charset=utf-8>{head}<body><p id=around>Out[1]:</p>{fragment}", encoding="utf-8"
    )
    browser.get(page.as_uri())
    browser.switch_to.frame(browser.find_element(By.CSS_SELECTOR, "iframe"))
    WebDriverWait(browser, 60).until(lambda _: one(browser, ready).is_displayed())


def one(browser: WebDriver, selector: str) -> WebElement:
    return WebDriverWait(browser, 60).until(lambda b: b.find_element(By.CSS_SELECTOR, selector))


def texts(browser: WebDriver, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent)"
    found: list[str] = browser.execute_script(script, selector)
    return found


def test_words_highlight_their_links_and_pairs_are_marked(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a script that does not run inside a frame, and an alignment that is not drawn."""
    show(browser, tmp_path, map_html(SOURCE, WORDS, WEIGHTS, score=-0.5, alignment=[(0, 0), (2, 1)]))
    assert not one(browser, "#table").is_displayed()
    assert len(browser.find_elements(By.CSS_SELECTOR, "path.aligned")) == 2
    assert [key.text for key in browser.find_elements(By.CSS_SELECTOR, ".mark-key") if key.is_displayed()] == [
        "aligned pair"
    ]
    ActionChains(browser).move_to_element(one(browser, "[data-target='1']")).perform()
    assert texts(browser, ".word.lit") == ["red", "house"]
    assert one(browser, "#readout").text == "maison attends to house 80 %, red 20 %"
    assert texts(browser, "#texts .name") == ["Source", "Translation"]
    assert errors(browser) == []


def test_candidates_can_be_chosen(browser: WebDriver, tmp_path: Path) -> None:
    show(browser, tmp_path, map_html(SOURCE, WORDS, WEIGHTS, score=-0.1, candidates=[OTHER], alignment=[(0, 0)]))
    one(browser, "#others input").click()
    assert texts(browser, ".word[data-target]") == ["le", "château"]
    assert browser.find_elements(By.CSS_SELECTOR, "path.aligned") == []
    assert texts(browser, ".score") == ["−0.10", "−0.70"]


def test_the_keyboard_reaches_every_word_and_leaves_the_notebook_alone(browser: WebDriver, tmp_path: Path) -> None:
    """Catches keys that the notebook handles instead, and a word that only a pointer reaches."""
    listen = "<script>document.addEventListener('keydown', () => { document.title = 'heard'; })</script>"
    show(browser, tmp_path, map_html(SOURCE, WORDS, WEIGHTS), listen)
    one(browser, "[data-source='0']").click()
    for key, word in ((Keys.ARROW_RIGHT, "red"), (Keys.ARROW_DOWN, "rouge"), (Keys.ARROW_LEFT, "maison")):
        ActionChains(browser).send_keys(key).perform()
        assert browser.switch_to.active_element.text == word
    label = one(browser, "[data-target='1']").get_attribute("aria-label")
    assert label == "maison attends to house 80 %, red 20 %"
    browser.switch_to.default_content()
    assert browser.title != "heard"


def test_if_scripts_are_forbidden_the_table_stays(browser: WebDriver, tmp_path: Path) -> None:
    """Catches an empty frame in a viewer that forbids scripts: a frame inherits the policy of the page around it."""
    show(browser, tmp_path, map_html(SOURCE, WORDS, WEIGHTS), NO_SCRIPTS, ready="#table")
    assert texts(browser, "#table td")[:2] == ["the 90%, house 8%", "house 80%, red 20%"]
    assert browser.find_elements(By.CSS_SELECTOR, ".word") == []
    assert not one(browser, "#theme").is_displayed()


def test_the_frame_cannot_reach_the_notebook(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a sandbox that is not in force."""
    show(browser, tmp_path, map_html(SOURCE, WORDS, WEIGHTS))
    reach = "try { return parent.document.title; } catch (error) { return error.name; }"
    assert browser.execute_script(reach) == "SecurityError"


def test_hostile_text_does_nothing(browser: WebDriver, tmp_path: Path) -> None:
    """Catches any text that is mistaken for markup, in the frame or in the table beside it."""
    words = [
        HOSTILE,
        "<img src=x onerror=alert(1)>",
        "</iframe><script>alert(2)</script>",
        '"><script>alert(3)</script>',
    ]
    fragment = map_html(words, words, np.eye(4), title=words[2], source_text=words[0], text=words[1], unknown={0})
    show(browser, tmp_path, fragment)
    assert texts(browser, ".word[data-source]") == words
    assert one(browser, "h1").text == words[2]
    assert browser.find_elements(By.CSS_SELECTOR, "img, iframe") == []
    browser.switch_to.default_content()
    assert browser.find_elements(By.CSS_SELECTOR, "img, script") == []
    assert errors(browser) == []


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark_follow_the_reader_and_the_button(browser: WebDriver, tmp_path: Path, dark: bool) -> None:
    """Catches dark letters on the dark page of a notebook."""
    show_as(browser, 900, 800, dark=dark)
    show(browser, tmp_path, map_html(SOURCE, WORDS, WEIGHTS))
    first = one(browser, "body").value_of_css_property("background-color")
    one(browser, "#theme").click()
    second = one(browser, "body").value_of_css_property("background-color")
    assert ("255" in first, "255" in second) == (not dark, dark)


def test_a_typical_map_fits_its_frame(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a frame whose last words can only be seen by scrolling, and one that is mostly empty."""
    sizes = "return [document.documentElement.scrollHeight, innerHeight]"
    words = [f"word{number}" for number in range(9)]
    for fragment in (
        map_html(SOURCE, WORDS, WEIGHTS),
        map_html(words, words, np.eye(9), candidates=[Candidate(words, -1.0, np.eye(9))] * 4),
    ):
        show(browser, tmp_path, fragment)
        needed, given = browser.execute_script(sizes)
        assert needed <= given
        last = max(node.rect["y"] + node.rect["height"] for node in browser.find_elements(By.CSS_SELECTOR, "#sentence"))
        assert last > given * 0.7
        browser.switch_to.default_content()
