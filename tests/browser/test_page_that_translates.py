"""The page in a real browser; every test also checks that there were no errors and no network requests."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import torch
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from heed.bundle import Bundle
from heed.export.page import make_page
from heed.models.seq2seq import Seq2Seq
from heed.search.beam import beam
from heed.text.subwords import BOS, EOS, train_pair
from scripts.screenshot import show_as
from tests.support.page import sized_bundle

pytestmark = pytest.mark.slow

TINY = Path(__file__).parents[2] / "data" / "tiny"
EXAMPLES = ["A white cat sleeps.", "My sister is reading a letter.", "<img src=x onerror=alert(1)>"]
HOSTILE = '</script><img src=x onerror=alert(1)> "&amp; \u202e\u0000 ${x} ' + "𝕏" * 40


@pytest.fixture(scope="module")
def small() -> Bundle:
    english, french = ((TINY / f"valid.{lang}").read_text("utf-8").splitlines() for lang in ("en", "fr"))
    return sized_bundle(*train_pair(english, french, "unigram", vocab_size=300), seed=2, ending=0.6)


@pytest.fixture(scope="module")
def endless(small: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that always writes the maximum length, which takes a few seconds."""
    slow = sized_bundle(small.src, small.tgt, hid_dim=700, emb_dim=300, readout_dim=300, ending=-30)
    path = tmp_path_factory.mktemp("page") / "endless.html"
    path.write_text(make_page([slow]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page(small: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(make_page([small], "float32", EXAMPLES), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def two(small: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    other = sized_bundle(small.src, small.tgt, {"score": "dot"}, seed=9, ending=0.6)
    path = tmp_path_factory.mktemp("page") / "two models.html"
    path.write_text(make_page([small, other], "float32", EXAMPLES), encoding="utf-8")
    return path


@pytest.fixture
def browser(chromium_session: WebDriver) -> Iterator[WebDriver]:
    chromium_session.get("about:blank")
    show_as(chromium_session, 1280, 900)
    log(chromium_session, "browser")  # reading empties it
    log(chromium_session, "performance")
    yield chromium_session
    assert log(chromium_session, "browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in log(chromium_session, "performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert {address.partition(":")[0] for address in asked} <= {"file", "data", "about", "blob"}


def log(browser: WebDriver, kind: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return lines


def until(browser: WebDriver, condition: Callable[[], Any]) -> Any:
    changing = [StaleElementReferenceException]  # the page replaces what a condition reads
    return WebDriverWait(browser, 60, ignored_exceptions=changing).until(lambda _: condition())


def one(browser: WebDriver, css: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, css)


def all_of(browser: WebDriver, css: str) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, css)


def translated(browser: WebDriver) -> list[str]:
    """The translations of all models, once none is translating."""
    until(
        browser,
        lambda: all(panel.text for panel in all_of(browser, ".time")) and not one(browser, "#stop").is_displayed(),
    )
    return [text.text for text in all_of(browser, ".translation")]


def visit(browser: WebDriver, page: Path, fragment: str = "") -> list[str]:
    browser.get("about:blank")
    browser.get(f"{page.as_uri()}{fragment}")
    return translated(browser)


def enter(browser: WebDriver, text: str) -> list[str]:
    """Put the text into the field, as if pasted, and translate it."""
    browser.execute_script("document.querySelector('#text').value = arguments[0]", text)
    one(browser, "#translate").click()
    return translated(browser)


def expected(bundle: Bundle, line: str) -> str:
    assert isinstance(bundle.model, Seq2Seq)
    ids = torch.tensor([[*bundle.src.encode(line), EOS]])
    found = beam(bundle.model, ids, torch.tensor([ids.size(1)]), BOS, EOS, beam_size=5)
    return bundle.tgt.decode(found[0][0].ids)


def test_a_typed_sentence_is_translated_as_in_python(browser: WebDriver, two: Path, small: Bundle) -> None:
    """Catches a worker that does not start from a file, and a page that shows something else than the engine wrote."""
    assert visit(browser, two)[0] == expected(small, EXAMPLES[0])
    one(browser, "#text").clear()
    one(browser, "#text").send_keys("A bird sings.")
    until(browser, lambda: one(browser, ".translation").text == expected(small, "A bird sings."))
    assert translated(browser)[0] == expected(small, "A bird sings.")
    assert " ms." in one(browser, ".time").text
    assert expected(small, "A bird sings.") in (one(browser, "#status").get_attribute("textContent") or "")


def test_models_are_side_by_side_and_each_has_its_own_map(browser: WebDriver, two: Path) -> None:
    """Catches an answer of one model in the panel of another."""
    first, second = visit(browser, two)
    assert first != second
    boxes = [panel.rect for panel in all_of(browser, ".panel")]
    assert boxes[0]["y"] == boxes[1]["y"]
    for panel, text in zip(all_of(browser, ".panel"), (first, second), strict=True):
        words = [word.text.split("\n")[0] for word in panel.find_elements(By.CSS_SELECTOR, ".map [data-target].word")]
        assert " ".join(words) == text


def test_the_map_shows_the_links_of_the_word_that_is_pointed_at(browser: WebDriver, page: Path) -> None:
    """Catches a map that is drawn but does not react to the pointer."""
    visit(browser, page)
    word = one(browser, ".map .word[data-source='1']")
    ActionChains(browser).move_to_element(word).perform()
    assert one(browser, ".readout").text.startswith("white is attended to by ")
    one(browser, "input[value=matrix]").find_element(By.XPATH, "..").click()
    assert len(all_of(browser, ".map td[data-source='1']")) == len(all_of(browser, ".map tbody tr"))


def test_a_word_can_be_forced_and_released(browser: WebDriver, page: Path) -> None:
    """Catches alternatives of another word, a choice that is not used, and one that cannot be undone."""
    (before,) = visit(browser, page)
    position = 1
    all_of(browser, ".translation button")[position].click()
    until(browser, lambda: all_of(browser, ".alternatives li button"))
    choices = all_of(browser, ".alternatives li button")
    shares = [float(c.find_element(By.CSS_SELECTOR, "small").text.split()[-2]) for c in choices]
    assert shares == sorted(shares, reverse=True)
    other = next(c for c in choices if c.get_attribute("aria-pressed") == "false")
    word = other.find_element(By.CSS_SELECTOR, "bdi").text
    other.click()
    until(browser, lambda: all_of(browser, ".translation .forced"))
    (after,) = translated(browser)
    assert after.split()[:2] == [before.split()[0], word]
    assert [forced.text for forced in all_of(browser, ".translation .forced")] == after.split()[:2]
    one(browser, ".release").click()
    until(browser, lambda: not all_of(browser, ".translation .forced"))
    assert translated(browser) == [before]


def test_everything_can_be_done_by_keyboard(browser: WebDriver, page: Path) -> None:
    """Catches a control that only a pointer reaches, and a focus that is lost."""
    visit(browser, page)
    one(browser, "#text").send_keys(Keys.END, " Again.", Keys.ENTER)
    translated(browser)
    assert one(browser, "#text").get_attribute("value") == f"{EXAMPLES[0]} Again."
    one(browser, ".translation button").send_keys(Keys.ENTER)
    until(browser, lambda: browser.switch_to.active_element.find_elements(By.CSS_SELECTOR, "small"))
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not one(browser, ".alternatives").is_displayed()
    assert browser.switch_to.active_element == one(browser, ".translation button")
    one(browser, ".map .word[tabindex='0']").send_keys(Keys.ARROW_RIGHT)
    assert browser.switch_to.active_element.get_attribute("data-source") == "1"


def test_candidates_and_samples_can_be_shown(browser: WebDriver, page: Path) -> None:
    """Catches a list without its texts, and a choice that does not change text and map."""
    visit(browser, page)
    texts = [row.text for row in all_of(browser, ".candidates .text")]
    assert len(texts) == 5
    all_of(browser, ".candidates input")[2].click()
    assert one(browser, ".translation").text == texts[2]
    Select(one(browser, "#search")).select_by_value("sample")
    assert one(browser, "#temperature").is_displayed()
    assert not one(browser, "#beam-size").is_displayed()
    until(browser, lambda: [row.text for row in all_of(browser, ".candidates .text")] != texts)
    Select(one(browser, "#search")).select_by_value("greedy")
    until(browser, lambda: not one(browser, ".candidates").is_displayed())


def test_the_address_carries_the_sentence(browser: WebDriver, page: Path, small: Bundle) -> None:
    """Catches a link that opens another sentence, and a damaged one that stops the page."""
    text = "100 % of the cats & dogs # sleep?"
    assert visit(browser, page, f"#{quote(text)}") == [expected(small, text)]
    assert one(browser, "#link").get_attribute("href") == f"{page.as_uri()}#{quote(text, safe='')}"
    enter(browser, "My dog.")
    assert browser.current_url.endswith("#My%20dog.")
    browser.execute_script("location.hash = '#My%20cat.'")
    until(browser, lambda: one(browser, "#text").get_attribute("value") == "My cat.")
    assert visit(browser, page, "#%E0%A4%A") == [expected(small, EXAMPLES[0])]


def test_hostile_and_long_texts_are_texts(browser: WebDriver, page: Path) -> None:
    """Catches markup that becomes elements, a lone surrogate that stops the page, and a text without an end."""
    visit(browser, page)
    enter(browser, HOSTILE)
    browser.execute_script("document.querySelector('#text').value = 'half of a pair: \\ud83d'")
    one(browser, "#translate").click()
    until(browser, lambda: all_of(browser, ".map .word[data-source='4']"))
    assert all_of(browser, "img") == []
    Select(one(browser, "#examples")).select_by_visible_text(EXAMPLES[2])
    translated(browser)
    assert one(browser, ".map .word[data-source='0']").text.startswith("<img")
    assert all_of(browser, "img") == []
    for empty in ("", "   ", "\u3000"):
        assert enter(browser, EXAMPLES[0]) != [""]
        browser.execute_script("document.querySelector('#text').value = arguments[0]", empty)
        one(browser, "#translate").click()
        until(browser, lambda: one(browser, ".translation").text == "")


def test_a_text_that_is_too_long_is_cut_and_the_page_says_so(browser: WebDriver, page: Path) -> None:
    """Catches a translation of a part of the text that looks like a translation of all of it."""
    visit(browser, page, f"#{'cat%20' * 500}")
    assert len(one(browser, "#text").get_attribute("value") or "") == 1000
    assert "1000 characters" in one(browser, "#full").text
    Select(one(browser, "#search")).select_by_value("greedy")
    enter(browser, EXAMPLES[0])
    assert not one(browser, "#full").is_displayed()


def test_a_long_search_can_be_stopped_and_the_page_stays_responsive(browser: WebDriver, endless: Path) -> None:
    """Catches a search that blocks the page, and one that cannot be stopped."""
    visit(browser, endless, "#cat")
    one(browser, "#beam-size").clear()
    one(browser, "#beam-size").send_keys("16")
    browser.execute_script("document.querySelector('#text').value = 'cat '.repeat(250)")
    one(browser, "#translate").click()
    until(browser, lambda: one(browser, "#stop").is_displayed() and all_of(browser, ".panel.writing"))
    wait = browser.execute_async_script(
        "const done = arguments[0], start = performance.now(); requestAnimationFrame(() => "
        "requestAnimationFrame(() => done(performance.now() - start)))"
    )
    assert wait < 2000
    one(browser, "#stop").click()
    assert not all_of(browser, ".panel.writing")
    assert enter(browser, "A cat.") != [""]


@pytest.mark.parametrize("width", [390, 1280])
def test_a_wide_matrix_scrolls_by_itself(browser: WebDriver, page: Path, width: int) -> None:
    """Catches texts for screen readers that reach out of the map, so that the whole page scrolls sideways."""
    show_as(browser, width, 844)
    visit(browser, page, f"#{'cat%20' * 100}")
    one(browser, "input[value=matrix]").find_element(By.XPATH, "..").click()
    until(browser, lambda: all_of(browser, ".map td"))
    assert browser.execute_script("const map = document.querySelector('.map > div'); return map.scrollWidth") > width
    assert browser.execute_script("return document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(browser: WebDriver, two: Path, dark: bool) -> None:
    """Catches content that is wider than a phone, and a dark page with dark text."""
    show_as(browser, 390, 844, dark=dark)
    visit(browser, two)
    all_of(browser, ".translation button")[0].click()
    until(browser, lambda: all_of(browser, ".alternatives li button"))
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    colours = browser.execute_script(
        "const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]"
    )
    ink, paper = (sum(map(int, colour.partition("(")[2].strip(")").split(",")[:3])) for colour in colours)
    assert (ink > paper) == dark
    assert abs(ink - paper) > 400
