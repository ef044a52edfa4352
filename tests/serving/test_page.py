"""The page at /, in a browser."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from scripts.screenshot import chromium
from tests.support.server import Server

pytestmark = pytest.mark.slow


def test_the_page_translates(server: Server) -> None:
    """Catches a page that its own policy stops, and text that is taken for markup."""
    with chromium({"browser": "ALL"}) as browser:
        browser.get(f"http://127.0.0.1:{server.port}/")
        wait = WebDriverWait(browser, 30)
        wait.until(lambda _: len(browser.find_elements(By.CSS_SELECTOR, "#model option")) == 2)
        browser.find_element(By.ID, "text").send_keys("a dog barks\n<img src=x> sees a cat")
        Select(browser.find_element(By.ID, "search")).select_by_visible_text("beam")
        count = browser.find_element(By.ID, "n_best")
        count.clear()
        count.send_keys("2")
        browser.find_element(By.TAG_NAME, "button").click()
        wait.until(lambda _: len(browser.find_elements(By.TAG_NAME, "section")) == 2)

        heads = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "section:last-child th[scope=col]")]
        assert heads[:5] == ["<img", "src=x>", "sees", "a", "cat"]
        assert len(browser.find_elements(By.TAG_NAME, "table")) == 4
        assert not browser.find_elements(By.TAG_NAME, "img")
        count.clear()
        count.send_keys("9")
        browser.find_element(By.TAG_NAME, "button").click()
        wait.until(lambda _: "n_best" in browser.find_element(By.ID, "status").text)
        faults = [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]
        assert [fault for fault in faults if "422" not in fault] == []
