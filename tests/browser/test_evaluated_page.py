"""The gallery that a real evaluation writes, in a real browser."""

from functools import partial

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from heed.cli import align, evaluate
from heed.experiment import Run, train
from scripts.screenshot import show_as
from tests.support.settings import settings_of
from tests.support.small_run import settings

pytestmark = pytest.mark.slow

LEARNS = (
    *("corpus.train=2000", "corpus.valid=40", "corpus.test=40", "corpus.min_len=2", "corpus.max_len=5"),
    *(f"model.{name}=32" for name in "emb_dim enc_dim hid_dim readout_dim attended_dim attention.att_dim".split()),
    *("optim.lr=0.005", "schedule=constant", "teacher_forcing.steps=4000", "model.dropout=0.0"),
    *("trainer.max_steps=400", "trainer.validate_steps=200", "early_stop=null"),
)
"""Enough to learn to reverse digits: 12 seconds on one busy core of Xeon AVX-512 (docs/performance.md)."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(settings(tmp_path_factory.mktemp("runs"), *LEARNS))


def test_a_trained_model_aligns_equal_digits(run: Run) -> None:
    """Catches a shift by one between attention and words in any of the steps from training to the file."""
    links = align.align(settings_of("align", align.Settings, f"model={run.folder}/model"))

    right = sum(src == len(found) - 1 - tgt for found in links for src, tgt in found)
    assert right / sum(map(len, links)) > 0.8  # if links were shifted by one, hardly any would be right


def test_its_gallery_shows_what_the_model_attended_to(run: Run, chromium_session: WebDriver) -> None:
    """Catches a page that works with made-up entries but not with those of a real evaluation."""
    evaluate.evaluate(
        settings_of("evaluate", evaluate.Settings, f"model={run.folder}/model", "search=beam", "heatmaps=1")
    )
    page = run.folder / "evaluate/test/gallery.html"
    browser = chromium_session
    show_as(browser, 1280, 900)
    browser.get(page.resolve().as_uri())
    find = partial(browser.find_elements, By.CSS_SELECTOR)
    WebDriverWait(browser, 60).until(lambda _: find("[data-target='0']"))

    ActionChains(browser).move_to_element(find("[data-target='0']")[0]).perform()
    lit = [one.text for one in find(".word.lit")]
    assert find("[data-target='0']")[0].text in lit  # a digit attends to the equal digit

    Select(find("select")[0]).select_by_index(1)
    find("input[type=search]")[0].send_keys("1 2")
    WebDriverWait(browser, 60).until(lambda _: 0 < len(find("#list .number")) < 40)
