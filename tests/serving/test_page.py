"""The page at /, in a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from heed.translator import Translator, load
from scripts.screenshot import chromium
from tests.support.server import Server, serving

pytestmark = pytest.mark.slow

SENTENCE = "two birds sing in the old tree"


@pytest.fixture(scope="module")
def browser() -> Iterator[WebDriver]:
    with chromium({"browser": "ALL"}) as browser:
        yield browser


@pytest.fixture(scope="module")
def translator(folder: Path) -> Translator:
    return load(folder, "cpu", "float32")


def faults(browser: WebDriver) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]


def until(browser: WebDriver, condition: Any) -> Any:
    return WebDriverWait(browser, 30).until(lambda _: condition())


def one(browser: WebDriver, css: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, css)


def all_of(browser: WebDriver, css: str) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, css)


def translated(browser: WebDriver) -> list[str]:
    until(browser, lambda: not one(browser, "#stop").is_displayed() and all(t.text for t in all_of(browser, ".time")))
    return [text.text for text in all_of(browser, ".translation")]


def visit(browser: WebDriver, server: Server, text: str = SENTENCE, query: str = "") -> list[str]:
    browser.get("about:blank")
    browser.get(f"http://127.0.0.1:{server.port}/{query}#{quote(text)}")
    return translated(browser)


def test_the_server_translates_and_the_page_shows_it(
    browser: WebDriver, server: Server, translator: Translator
) -> None:
    """Catches a page blocked by its own policy, and a map of other weights than those in the server's answer."""
    direct = translator.translate(SENTENCE, "beam", beam_size=5, n_best=5)
    assert visit(browser, server) == [direct.text]
    assert [row.text for row in all_of(browser, ".candidates .text")] == [each.text for each in direct.candidates]
    one(browser, "input[value=matrix]").find_element(By.XPATH, "..").click()
    for row, weights in enumerate(direct.attention):
        shown = [cell.get_attribute("textContent") for cell in all_of(browser, f".map td[data-target='{row}']")]
        assert shown[: len(weights)] == [f"{100 * weight:.0f} %" for weight in weights]
    assert faults(browser) == []


def test_a_word_can_be_forced_and_released(browser: WebDriver, server: Server, translator: Translator) -> None:
    """Catches alternatives after another prefix, and a choice that is not sent to the server."""
    (before,) = visit(browser, server)
    all_of(browser, ".translation button")[1].click()
    until(browser, lambda: all_of(browser, ".alternatives li button"))
    first, offered = before.split()[0], translator.alternatives(SENTENCE, before.split()[0])
    choices = [each.text for each in all_of(browser, ".alternatives li bdi")]
    assert choices == [each.word for each in offered if each.word]
    choice = next(word for word in choices if word != before.split()[1])
    all_of(browser, ".alternatives li button")[choices.index(choice)].click()
    until(browser, lambda: all_of(browser, ".translation .forced"))
    forced = translator.translate(SENTENCE, "beam", beam_size=5, prefix=f"{first} {choice}")
    assert translated(browser) == [forced.text]
    one(browser, ".release").click()
    until(browser, lambda: not all_of(browser, ".translation .forced"))
    assert translated(browser) == [before]
    assert faults(browser) == []


def test_hostile_text_is_text_and_unknown_words_are_marked(browser: WebDriver, server: Server) -> None:
    """Catches text that is mistaken for markup, and an unknown word without a mark."""
    visit(browser, server, "<img src=x onerror=alert(1)> sees 漢 \U0001f600 cat")
    assert all_of(browser, "img") == []
    words = all_of(browser, ".map .word[data-source]")
    assert words[0].text.startswith("<img")
    assert len(all_of(browser, ".map .word[data-source='4'] .unknown")) == 1
    browser.execute_script("document.querySelector('#text').value = 'a dog \\ud83d'")
    one(browser, "#translate").click()
    until(browser, lambda: len(all_of(browser, ".map .word[data-source]")) == 3)
    browser.execute_script("document.querySelector('#text').value = '  '")
    one(browser, "#translate").click()
    until(browser, lambda: one(browser, ".translation").text == "")
    assert not one(browser, "#error").is_displayed()
    assert faults(browser) == []


def test_searches_are_the_server_s(browser: WebDriver, server: Server, translator: Translator) -> None:
    """Catches a search that is chosen but not sent to the server."""
    visit(browser, server)
    Select(one(browser, "#search")).select_by_value("greedy")
    until(browser, lambda: not one(browser, ".candidates").is_displayed())
    assert translated(browser) == [translator.translate(SENTENCE).text]
    Select(one(browser, "#search")).select_by_value("sample")
    until(browser, lambda: len(all_of(browser, ".candidates input")) == 5)
    assert faults(browser) == []


def test_models_of_other_languages_have_a_page_of_their_own(browser: WebDriver, server: Server) -> None:
    """Catches a French sentence that is given to a model of English."""
    visit(browser, server)
    assert [panel.text for panel in all_of(browser, ".panel h2")] == ["small"]
    one(browser, ".lead a[href*=fr-en]").click()
    until(browser, lambda: [panel.text for panel in all_of(browser, ".panel h2")] == ["back"])
    assert one(browser, "#title").text == "French to English, with attention"
    assert server.get("/?languages=de-fr").status == 404


def test_what_fails_is_reported_in_one_line(browser: WebDriver, folder: Path) -> None:
    """Catches a page that waits forever, and a page that hides the server's message."""
    with serving(f"model={{one: {folder}, two: {folder}}}", "limits.beam_size=4") as server:
        browser.get("about:blank")
        browser.get(f"http://127.0.0.1:{server.port}/#{quote(SENTENCE)}")
        until(browser, lambda: "at most 4" in one(browser, "#error").text)
        Select(one(browser, "#search")).select_by_value("greedy")
        assert len(set(translated(browser))) == 1
        assert len(all_of(browser, ".panel")) == 2
        server.process.kill()
        server.process.wait()
        one(browser, "#translate").click()
        until(browser, lambda: "the server does not answer" in one(browser, "#error").text)
        assert not one(browser, "#stop").is_displayed()
    faults(browser)
