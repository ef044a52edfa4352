"""The gallery in a real browser: every test also checks that there were no errors and no network requests."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from heed.viz.gallery import Candidate, Entry, gallery
from scripts.screenshot import show_as
from tests.support.viz import made_entries

pytestmark = pytest.mark.slow

ENTRIES = made_entries(60)
SMALL = Entry(
    source="the red house".split(),
    reference="la maison rouge".split(),
    candidates=[
        Candidate(
            "la maison rouge".split(), -0.1, torch.tensor([[0.9, 0.02, 0.08], [0.0, 0.2, 0.8], [0.0, 0.97, 0.03]])
        ),
        Candidate("le château".split(), -0.7, torch.tensor([[0.6, 0.0, 0.4], [0.0, 0.0, 1.0]])),
    ],
    bleu=100.0,
    entropy=0.3,
    coverage=1.0,
    forced=torch.eye(3),
    gold=(frozenset({(0, 0), (2, 1)}), frozenset({(0, 0), (2, 1), (1, 2)})),
)


@pytest.fixture
def browser(chromium_session: WebDriver) -> Iterator[WebDriver]:
    chromium_session.get("about:blank")
    show_as(chromium_session, 1280, 800)
    log(chromium_session, "browser")  # reading empties it
    log(chromium_session, "performance")
    yield chromium_session
    assert log(chromium_session, "browser") == []
    assert {address.partition(":")[0] for address in requests(chromium_session)} <= {"file", "data", "about"}


def log(browser: WebDriver, kind: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return lines


def requests(browser: WebDriver) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in log(browser, "performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


SUMMARY = {"BLEU": "38.4", **{f"{name} signature": f"{name}|" * 20 for name in ("BLEU", "chrF", "TER")}}


def show(browser: WebDriver, folder: Path, entries: list[Entry], fragment: str = "", **languages: str) -> None:
    page = folder / "gallery.html"
    page.write_text(gallery(entries, "English to French", SUMMARY, **languages), encoding="utf-8")
    browser.get(page.as_uri() + fragment)
    WebDriverWait(browser, 120).until(lambda b: one(b, "#map").get_attribute("class"))


def one(browser: WebDriver, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def texts(browser: WebDriver, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)"
    found: list[str] = browser.execute_script(script, selector)
    return found


def point(browser: WebDriver, selector: str) -> None:
    ActionChains(browser).move_to_element(one(browser, selector)).perform()


def press(browser: WebDriver, *keys: str) -> None:
    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def style(browser: WebDriver, selector: str, name: str) -> str:
    return one(browser, selector).value_of_css_property(name)


def choose(browser: WebDriver, name: str, label: str) -> None:
    one(browser, f"[name={name}]").find_element(By.XPATH, f"//label[contains(., '{label}')]").click()


def numbers(browser: WebDriver) -> list[int]:
    return [int(text) for text in texts(browser, "#list .number")]


def focused(browser: WebDriver) -> str:
    return browser.switch_to.active_element.text


def test_a_word_that_is_pointed_at_highlights_its_links_on_both_sides(browser: WebDriver, tmp_path: Path) -> None:
    """Catches rows mistaken for columns, links shifted by one, and highlighting that remains after the pointer left."""
    show(browser, tmp_path, [SMALL])
    point(browser, "[data-target='1']")
    assert texts(browser, ".word.chosen") == ["maison"]
    assert texts(browser, ".word.lit") == ["red", "house"]
    assert one(browser, "#readout").text == "maison attends to house 80 %, red 20 %"
    assert len(browser.find_elements(By.CSS_SELECTOR, "path.weight.lit")) == 2
    point(browser, "[data-source='2']")
    assert texts(browser, ".word.chosen") == ["house"]
    assert texts(browser, ".word.lit") == ["la", "maison"]
    assert one(browser, "#readout").text == "house is attended to by maison 80 %, la 8 %"
    point(browser, "h1")
    assert texts(browser, ".word:is(.lit, .chosen), path.lit") == []


def test_lines_join_the_words_they_stand_for_and_are_as_strong_as_the_weight(
    browser: WebDriver, tmp_path: Path
) -> None:
    """Catches lines placed before the words, and an opacity that is not the weight; 0.02 and 0.03 are not drawn."""
    show(browser, tmp_path, [SMALL])
    lines = browser.execute_script(
        """const box = document.querySelector("svg").getBoundingClientRect();
        const middle = (side, at) => document.querySelector(`[data-${side}="${at}"]`).getBoundingClientRect();
        return [...document.querySelectorAll("path.weight")].map((line) => {
          const [start, end] = [line.getPointAtLength(0), line.getPointAtLength(line.getTotalLength())];
          const near = (side, spot) => [0, 1, 2].find((at) => Math.abs(middle(side, at).x + middle(side, at).width / 2
            - box.x - spot.x) < 1);
          return [near("source", start), near("target", end), Number(getComputedStyle(line).strokeOpacity)];
        })"""
    )
    expected = [(0, 0, 0.9), (2, 0, 0.08), (1, 1, 0.2), (2, 1, 0.8), (1, 2, 0.97)]
    assert [tuple(line[:2]) for line in lines] == [line[:2] for line in expected]
    assert [line[2] for line in lines] == pytest.approx([line[2] for line in expected], abs=0.003)


def test_the_matrix_is_a_table_that_highlights_rows_columns_and_cells(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a transposed matrix, and one without texts for a screen reader."""
    show(browser, tmp_path, [SMALL])
    choose(browser, "shape", "Matrix")
    assert texts(browser, "thead th") == SMALL.source
    assert texts(browser, "tbody th") == SMALL.reference
    assert texts(browser, "tbody tr:nth-child(1) td") == ["90 %, a sure gold link", "2 %", "8 %"]
    point(browser, "[data-target='1']")
    assert texts(browser, "td.lit") == ["0 %", "20 %", "80 %, a sure gold link"]
    assert texts(browser, ".word.lit") == ["red", "house"]
    point(browser, "td[data-source='1'][data-target='2']")
    assert texts(browser, ".word.chosen") == ["red", "rouge"]
    assert one(browser, "#readout").text == "rouge attends to red 97 %, a possible gold link"
    assert style(browser, "td.possible", "outline-style") == "dashed"
    assert style(browser, "td.sure", "outline-style") == "solid"


def test_every_candidate_and_the_reference_can_be_chosen(browser: WebDriver, tmp_path: Path) -> None:
    """Catches the weights of one candidate under the words of another, and gold links of another text."""
    show(browser, tmp_path, [SMALL])
    assert len(browser.find_elements(By.CSS_SELECTOR, "path:is(.sure, .possible)")) == 3
    choose(browser, "reading", "le château")
    assert texts(browser, ".word[data-target]") == ["le", "château"]
    assert browser.find_elements(By.CSS_SELECTOR, "path:is(.sure, .possible)") == []
    point(browser, "[data-target='0']")
    assert one(browser, "#readout").text == "le attends to the 60 %, house 40 %"
    choose(browser, "reading", "Reference")
    point(browser, "[data-target='2']")
    assert one(browser, "#readout").text == "rouge attends to house 100 %"


MEASURES: dict[str, Callable[[Entry], float]] = {
    "BLEU": lambda entry: entry.bleu,
    "Entropy": lambda entry: entry.entropy,
    "Coverage": lambda entry: entry.coverage,
    "Words": lambda entry: len(entry.source),
}


@pytest.mark.parametrize("measure", MEASURES)
def test_sorting(browser: WebDriver, tmp_path: Path, measure: str) -> None:
    """Catches numbers sorted as text, an order that is not undone, and a missing score among the lowest."""
    lacking = ENTRIES[3]._replace(bleu=math.nan, entropy=math.nan, coverage=math.nan)
    entries = [*ENTRIES[:12], lacking]
    value = MEASURES[measure]
    order = range(1, len(entries) + 1)
    show(browser, tmp_path, entries)
    assert numbers(browser) == list(order)
    Select(one(browser, "#order")).select_by_visible_text(measure)
    rounded = [round(value(e), 4) for e in entries]
    assert numbers(browser) == sorted(order, key=lambda n: (math.isnan(rounded[n - 1]), rounded[n - 1]))
    one(browser, "#direction").click()
    assert numbers(browser) == sorted(order, key=lambda n: (math.isnan(rounded[n - 1]), -rounded[n - 1]))


def test_search_finds_any_side_whatever_its_accents(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a side that is not searched, and a count that is not shown."""
    entries = [*ENTRIES[:5], SMALL._replace(source="the Ångström unit".split())]
    show(browser, tmp_path, entries)
    box = one(browser, "#search")
    for wanted in ("angstrom", "maison rouge", "CHATEAU", "château"):
        box.clear()
        box.send_keys(wanted)
        assert 6 in numbers(browser), wanted
    assert numbers(browser) == [6]
    assert one(browser, "#count").text == "1 of 6 sentences"
    assert one(browser, "#count").get_attribute("aria-live") == "polite"
    box.send_keys("x")
    assert numbers(browser) == []
    assert one(browser, "#nothing").is_displayed()
    press(browser, *[Keys.BACKSPACE] * 8)
    assert one(browser, "#count").text == "6 sentences"


def test_every_part_is_reached_by_keyboard(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a key without effect, a key taken from the search box, and a focus that cannot be seen or is lost."""
    show(browser, tmp_path, [*ENTRIES[:5], SMALL])
    press(browser, "j", "j", Keys.ARROW_DOWN, "k")
    assert one(browser, "#heading").text == "Sentence 3"
    assert focused(browser).startswith("3\n")
    assert style(browser, "#list a:focus", "outline-style") == "solid"
    press(browser, "/", *"jk m", Keys.BACKSPACE * 4, *"the red house", Keys.ENTER)
    assert one(browser, "#search").get_attribute("value") == "the red house"
    assert focused(browser).splitlines()[0] in map(str, numbers(browser))
    press(browser, *["j"] * 6, Keys.ENTER)
    assert one(browser, "#heading").text == "Sentence 6"
    assert focused(browser) == "the"
    press(browser, Keys.ARROW_RIGHT)
    assert focused(browser) == "red"
    assert texts(browser, ".word.lit") == ["maison", "rouge"]
    press(browser, Keys.ARROW_DOWN)
    assert focused(browser) == "rouge"
    press(browser, Keys.ARROW_LEFT, Keys.ARROW_UP)
    assert focused(browser) == "house"
    press(browser, "m")
    assert one(browser, "#map").get_attribute("class") == "matrix"
    press(browser, Keys.ESCAPE)
    assert focused(browser).startswith("6\n")


JAPANESE = Entry(
    source=["猫", "は", "静かな", "家", "で", "眠る", "。"],
    reference="the cat sleeps".split(),
    candidates=[Candidate("the cat sleeps".split(), -0.5, torch.eye(3, 7))],
    bleu=1.0,
    entropy=0.1,
    coverage=1.0,
    source_text="猫は静かな家で眠る。",
    unknown=frozenset({2}),
)


def test_a_text_without_spaces_is_shown_and_searched_as_written(browser: WebDriver, tmp_path: Path) -> None:
    """Catches added spaces, and a search that fails because of them; an unknown word keeps its letters."""
    show(browser, tmp_path, [*ENTRIES[:5], JAPANESE], src_lang="jpn", tgt_lang="en_GB")
    one(browser, "#search").send_keys("静かな家")
    assert numbers(browser) == [6]
    assert texts(browser, "#list .source, #texts .text")[:2] == ["猫は静かな家で眠る。"] * 2
    assert texts(browser, ".word[data-source]") == JAPANESE.source
    assert texts(browser, ".unknown") == ["静かな"]
    mark = "return getComputedStyle(document.querySelector('.unknown'), '::after').content"
    assert "⁇" in browser.execute_script(mark)
    point(browser, "[data-source='2']")
    assert one(browser, "#readout").text == "静かな (unknown to the model) is attended to by sleeps 100 %"


def test_every_text_of_a_sentence_names_its_language(browser: WebDriver, tmp_path: Path) -> None:
    """Catches Japanese in Chinese letter shapes, and English read out with a Japanese voice."""
    show(browser, tmp_path, [JAPANESE], src_lang="jpn", tgt_lang="en_GB")
    language = "return [...document.querySelectorAll(arguments[0])].map((node) => node.lang)"
    assert set(browser.execute_script(language, "#list .source, .word[data-source]")) == {"ja"}
    assert set(browser.execute_script(language, "#list .target, .word[data-target]")) == {"en-GB"}
    assert browser.execute_script(language, "#texts .text") == ["ja", "en-GB", "en-GB"]
    show(browser, tmp_path, [JAPANESE], src_lang="cn")
    assert browser.find_elements(By.CSS_SELECTOR, "[lang]:not(html)") == []


def test_the_card_shows_a_sentence_of_the_list(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a card that keeps a sentence which a search or another order has taken out of sight."""
    show(browser, tmp_path, [*ENTRIES, SMALL], "#3")
    one(browser, "#search").send_keys("the red house")
    assert one(browser, "#heading").text == f"Sentence {numbers(browser)[0]}"
    Select(one(browser, "#order")).select_by_visible_text("BLEU")
    assert one(browser, "#heading").text == f"Sentence {numbers(browser)[0]}"
    assert texts(browser, "#list a[aria-current=true] .number") == [str(numbers(browser)[0])]
    one(browser, "#search").send_keys(" is nowhere")
    assert not one(browser, "#sentence").is_displayed()
    press(browser, *[Keys.BACKSPACE] * 11)
    assert one(browser, "#heading").text == f"Sentence {numbers(browser)[0]}"
    assert browser.execute_script("return location.hash") != "#3"


def test_a_large_share_of_the_end_is_written_beside_its_word(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a word whose attention went to the end, drawn as if it had none or as if 7 % were all of it."""
    weights = torch.tensor([[0.07, 0.0, 0.0, 0.93], [0.0, 0.0, 0.8, 0.2], [0.0, 1.0, 0.0, 0.0]])
    show(browser, tmp_path, [SMALL._replace(candidates=[Candidate(SMALL.reference, -0.1, weights)], gold=None)])
    ends = "return [...document.querySelectorAll('.word[data-target]')].map((node) => node.dataset.end ?? '')"
    assert browser.execute_script(ends) == ["93 %", "", ""]
    point(browser, "[data-target='0']")
    assert one(browser, "#readout").text == "la attends to </s> (end of the source) 93 %, the 7 %"
    assert float(style(browser, "path.lit", "stroke-opacity")) < 0.2
    choose(browser, "shape", "Matrix")
    assert texts(browser, "thead th")[-1] == "</s>"
    assert texts(browser, "td.end") == ["93 %", "20 %", "0 %"]


def test_a_row_with_a_note_is_dimmed_and_gives_the_reason(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a row that is not dimmed, and a reason that is not shown."""
    reason = "The word does not depend on its attention."
    best = SMALL.candidates[0]._replace(notes={1: reason})
    show(browser, tmp_path, [SMALL._replace(candidates=[best])])
    assert texts(browser, ".word.noted") == ["maison"]
    assert len(browser.find_elements(By.CSS_SELECTOR, "path.weight.noted")) == 2
    assert float(style(browser, "path.weight.noted", "stroke-opacity")) < 0.1
    point(browser, "[data-target='1']")
    assert one(browser, "#readout").text == f"maison attends to house 80 %, red 20 %. {reason}"
    assert one(browser, "[data-target='1']").get_attribute("title") == reason
    spoken = one(browser, "[data-target='1']").get_attribute("aria-label")
    assert spoken == f"maison attends to house 80 %, red 20 %. {reason}"
    assert one(browser, ".noted-key").is_displayed()
    choose(browser, "shape", "Matrix")
    assert len(browser.find_elements(By.CSS_SELECTOR, "td.noted")) == 3

    show(browser, tmp_path, [SMALL])
    assert not one(browser, ".noted-key").is_displayed()


def test_a_long_reason_moves_no_word_from_under_the_pointer(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a map that jumps down as the line above it grows, and up again as the pointer is on no word."""
    best = SMALL.candidates[0]._replace(notes={1: "A long reason. " * 30})
    show(browser, tmp_path, [SMALL._replace(candidates=[best]), SMALL])
    before = one(browser, "#readout").size["height"]
    point(browser, "[data-target='1']")
    grown = one(browser, "#readout").size["height"]
    assert grown > before
    point(browser, "h2")
    assert one(browser, "#readout").size["height"] == grown
    point(browser, "[data-target='1']")
    assert one(browser, "#readout").text.startswith("maison attends to house 80 %")
    one(browser, "#next").click()
    assert one(browser, "#readout").size["height"] < before


def test_the_links_of_a_dimmed_word_show_when_it_is_pointed_at(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a chosen word whose links stay nearly invisible."""
    best = SMALL.candidates[0]._replace(notes={1: "why"})
    show(browser, tmp_path, [SMALL._replace(candidates=[best])])
    point(browser, "[data-target='1']")

    def opacities() -> list[float]:
        found = browser.find_elements(By.CSS_SELECTOR, "path.weight.lit")
        return sorted(float(line.value_of_css_property("stroke-opacity")) for line in found)

    WebDriverWait(browser, 10).until(lambda _: opacities() == pytest.approx([0.28, 0.82]))


def test_the_end_of_a_dimmed_row_is_dimmed(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a cell of the source's end that is not dimmed with its row."""
    weights = torch.tensor([[0.7, 0.0, 0.0, 0.3], [0.0, 0.0, 0.1, 0.9], [0.0, 1.0, 0.0, 0.0]])
    best = Candidate(SMALL.reference, -0.1, weights, notes={1: "why"})
    show(browser, tmp_path, [SMALL._replace(candidates=[best])])
    choose(browser, "shape", "Matrix")
    ends = browser.find_elements(By.CSS_SELECTOR, "td.end")
    assert [cell.value_of_css_property("opacity") for cell in ends] == ["1", "0.5", "1"]


def test_sentences_can_be_sorted_by_their_dimmed_words_if_there_are_any(browser: WebDriver, tmp_path: Path) -> None:
    """Catches an option to sort by a measure that does not exist, and one that has no effect."""
    best = SMALL.candidates[0]._replace(notes={0: "why", 1: "why"})
    noted = SMALL._replace(candidates=[best])
    show(browser, tmp_path, [SMALL, SMALL])
    assert "Dimmed words" not in texts(browser, "#order option")
    show(browser, tmp_path, [SMALL, noted, SMALL])
    Select(one(browser, "#order")).select_by_visible_text("Dimmed words")
    one(browser, "#direction").click()
    assert numbers(browser) == [2, 1, 3]


@pytest.mark.parametrize(("width", "height"), [(390, 844), (900, 800), (1280, 800)])
def test_the_first_screen_begins_with_sentences(browser: WebDriver, tmp_path: Path, width: int, height: int) -> None:
    """Catches signatures that fill a phone's first screen, a button on a line of its own, and a page too wide."""
    show_as(browser, width, height)
    show(browser, tmp_path, ENTRIES)
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    assert one(browser, "#list").rect["y"] < height * 0.42
    title, button = one(browser, "h1").rect, one(browser, "#theme").rect
    assert button["x"] + button["width"] > width - 40
    assert button["x"] >= title["x"] + title["width"]
    assert abs(button["y"] - title["y"]) < 12
    assert not one(browser, ".notes").is_displayed()
    one(browser, "summary").click()
    assert "chrF|" in one(browser, ".notes").text
    assert browser.execute_script("return document.documentElement.scrollWidth") == width


def test_a_sentence_of_two_hundred_words_has_both_maps(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a page that fails for a long sentence."""
    words = [f"word{number}" for number in range(200)]
    show(browser, tmp_path, [Entry(words, words, [Candidate(words, -1.0, torch.eye(200))], 0.0, 0.0, 0.0)])
    assert one(browser, "#map").get_attribute("class") == "links columns"
    choose(browser, "shape", "Matrix")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#map tbody tr")) == 200
    point(browser, "[data-target='0']")
    assert one(browser, "#readout").text == "word0 attends to word0 100 %"


def test_a_hostile_sentence_does_nothing(browser: WebDriver, tmp_path: Path) -> None:
    """Catches any text that is mistaken for markup, in any place where a text is shown."""
    words = ["<img src=x onerror=alert(1)>", "<script>alert(2)</script>", "</script><script>alert(3)</script>", "<!--",
             "&lt;b&gt;", "<b>bold</b>", "javascript:alert(4)", "__proto__"]  # fmt: skip
    hostile = Entry(words, words[::-1], [Candidate(words, -1.0, torch.eye(8))] * 2, 0.0, 0.0, 0.0, torch.eye(8))
    page = tmp_path / "gallery.html"
    page.write_text(
        gallery([hostile, SMALL], words[0] + words[2], {words[1]: words[2], "note": words[0]}), encoding="utf-8"
    )
    browser.get(page.as_uri())
    for shape in ("Links", "Matrix"):
        choose(browser, "shape", shape)
        for side in ("source", "target"):
            for position in range(len(words)):
                point(browser, f".word[data-{side}='{position}']")
        assert texts(browser, ".word[data-source]") == words
    assert texts(browser, "#texts .text") == [" ".join(words), " ".join(words[::-1]), " ".join(words)]
    assert one(browser, "h1").text == words[0] + words[2]
    assert browser.find_elements(By.CSS_SELECTOR, "img, b:not(.guide b), iframe, object") == []
    assert len(browser.find_elements(By.CSS_SELECTOR, "script")) == 2
    assert browser.title == words[0] + words[2]  # an open alert would have made every call above fail


def test_no_script_runs_but_the_page_s_own(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a policy that is not in force: a script added to the very page must not run."""
    page = tmp_path / "gallery.html"
    text = gallery([SMALL], "t", {}).replace("</header>", "</header><script>document.title = 'ran'</script>")
    page.write_text(text, encoding="utf-8")
    browser.get(page.as_uri())
    assert browser.title == "t"
    (refusal,) = log(browser, "browser")
    assert "Content Security Policy" in refusal["message"]


def test_ten_thousand_sentences_open_and_search(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a list that is drawn whole: only rows near the window may exist, wherever the reader scrolls."""
    entries = ENTRIES * 167
    needle = SMALL._replace(source="needle in hay".split(), bleu=-1.0)
    show(browser, tmp_path, [*entries[:9999], needle])
    assert one(browser, "#count").text == "10,000 sentences"
    assert numbers(browser)[0] == 1
    assert len(numbers(browser)) < 60
    browser.execute_script("scrollTo(0, document.documentElement.scrollHeight)")
    WebDriverWait(browser, 60).until(lambda b: numbers(b)[-1] == 10_000)
    assert len(numbers(browser)) < 60
    Select(one(browser, "#order")).select_by_visible_text("BLEU")  # leads back to the top of the list
    assert numbers(browser)[0] == 10_000
    one(browser, "#search").send_keys("needle in")
    assert numbers(browser) == [10_000]
    press(browser, Keys.ENTER)
    assert texts(browser, ".word[data-source]") == ["needle", "in", "hay"]


def test_an_address_leads_to_its_sentence(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a link that opens another sentence, or whose row stays out of sight; a missing number is not an error."""
    show(browser, tmp_path, ENTRIES, "#57")
    assert one(browser, "#heading").text == "Sentence 57"
    assert texts(browser, "#list a[aria-current=true] .number") == ["57"]
    one(browser, "#list a[href='#56']").click()
    assert one(browser, "#heading").text == "Sentence 56"
    browser.back()
    WebDriverWait(browser, 20).until(lambda b: one(b, "#heading").text == "Sentence 57")
    browser.get("about:blank")
    show(browser, tmp_path, ENTRIES[:3], "#4")
    assert one(browser, "#heading").text == "Sentence 1"


def test_a_phone_shows_the_list_then_the_sentence(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a page wider than 360 pixels, a sentence that cannot be left again, and a map cut off at its side."""
    show_as(browser, 360, 740)
    show(browser, tmp_path, [*ENTRIES[:5], *made_entries(1, phrases=4)])
    wide = "return document.documentElement.scrollWidth"
    assert browser.execute_script(wide) == 360
    assert not one(browser, "#sentence").is_displayed()
    one(browser, "#list a[href='#6']").click()
    WebDriverWait(browser, 20).until(lambda b: one(b, "#sentence").is_displayed())
    assert browser.execute_script(wide) == 360
    assert one(browser, "#map").get_attribute("class") == "links columns"
    assert browser.execute_script("return document.getElementById('map').scrollWidth") <= 360
    one(browser, "#next").click()  # there is none after the last
    one(browser, "#previous").click()
    assert one(browser, "#heading").text == "Sentence 5"
    one(browser, ".word[data-target='1']").click()
    assert texts(browser, ".word.chosen") == texts(browser, ".word[data-target='1']")
    one(browser, "#back").click()
    WebDriverWait(browser, 20).until(lambda b: not one(b, "#sentence").is_displayed())
    assert one(browser, "#search").is_displayed()


def test_dark_and_light_follow_the_reader_and_the_button(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a page that is light for a reader who asked for dark, and a button without effect."""
    show_as(browser, 1280, 800, dark=True)
    show(browser, tmp_path, [SMALL])
    dark, text_on_dark = style(browser, "body", "background-color"), style(browser, "body", "color")
    one(browser, "#theme").click()
    light, text_on_light = style(browser, "body", "background-color"), style(browser, "body", "color")
    assert brightness(light) - brightness(dark) > 200
    assert brightness(text_on_dark) - brightness(text_on_light) > 150
    one(browser, "#theme").click()
    assert style(browser, "body", "background-color") == dark


def brightness(colour: str) -> float:
    channels = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(channels) / 3


def test_nothing_moves_for_a_reader_who_wants_no_motion(browser: WebDriver, tmp_path: Path) -> None:
    show(browser, tmp_path, [SMALL])
    assert style(browser, "path.weight", "transition-duration") != "0s"
    show_as(browser, 1280, 800, still=True)
    assert style(browser, "path.weight", "transition-duration") == "0s"


def test_a_screen_reader_finds_landmarks_names_and_links(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a part without a name, and links that a screen reader does not read."""
    show(browser, tmp_path, [SMALL])
    tree = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in accessibility(browser)]
    for part in [("banner", ""), ("main", ""), ("search", "Sentences"), ("navigation", "Sentences"), ("status", ""),
                 ("article", "Sentence 1"), ("heading", "Sentence 1"), ("combobox", "Sort by"), ("button", "Ascending"),
                 ("searchbox", "Search sources, references and hypotheses"), ("group", "Source"),
                 ("group", "Hypothesis 1"), ("button", "maison attends to house 80 %, red 20 %"),
                 ("button", "red is attended to by rouge 97 %, maison 20 %")]:  # fmt: skip
        assert part in tree, part
    unnamed = {role for role, name in tree if not name and role in {"button", "link", "radio", "combobox", "searchbox"}}
    assert unnamed == set()


def accessibility(browser: WebDriver) -> list[dict[str, Any]]:
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [node for node in nodes if not node["ignored"]]


def test_right_to_left_words_run_from_the_right_and_arrows_with_them(browser: WebDriver, tmp_path: Path) -> None:
    """Catches Hebrew laid out from the left, and an arrow key that goes against the reader."""
    words = "כלב זקן רואה בית".split()
    show(
        browser,
        tmp_path,
        [Entry(words, "a b".split(), [Candidate("a b".split(), -1.0, torch.eye(2, 4))], 0.0, 0.0, 0.0)],
    )
    lefts = [one(browser, f"[data-source='{n}']").rect["x"] for n in range(4)]
    assert lefts == sorted(lefts, reverse=True)
    one(browser, "[data-source='0']").click()
    press(browser, Keys.ARROW_LEFT)
    assert focused(browser) == words[1]


def test_a_model_that_writes_nothing_has_a_page(browser: WebDriver, tmp_path: Path) -> None:
    """Catches a script that stops at an empty hypothesis or an empty source, and with it the whole page."""
    silent = SMALL._replace(candidates=[Candidate([], -1.0, torch.zeros(0, 3))])
    empty = Entry([], ["b"], [Candidate(["b"], -1.0, torch.zeros(1, 0))], 0.0, 0.0, 0.0)
    show(browser, tmp_path, [silent, empty])
    assert texts(browser, "#texts .text")[2] == "(no word)"
    assert len(browser.find_elements(By.CSS_SELECTOR, "#texts [type=radio]")) == 2
    choose(browser, "shape", "Matrix")
    press(browser, "j")
    assert one(browser, "#heading").text == "Sentence 2"
    choose(browser, "shape", "Links")
    assert texts(browser, ".word") == ["b"]
