from collections.abc import Iterator

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from scripts.screenshot import chromium


@pytest.fixture(scope="session")
def chromium_session() -> Iterator[WebDriver]:
    with chromium({"browser": "ALL", "performance": "ALL"}) as browser:
        yield browser
