"""Take a picture of a page, such as a gallery or TensorBoard, with headless Chromium."""

import argparse
import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import visibility_of_element_located
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@contextmanager
def chromium(logs: Mapping[str, str] | None = None) -> Iterator[WebDriver]:
    """Start Chromium with an empty profile, and end it with the block; `logs` is the value of goog:loggingPrefs."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        raise FileNotFoundError(
            "chromium or chromedriver is not on PATH; on Debian: apt-get install chromium chromium-driver"
        )
    options = Options()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", dict(logs or {}))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=Service(driver))
        try:
            yield browser
        finally:
            browser.quit()


def show_as(
    browser: WebDriver, width: int, height: int, dark: bool = False, still: bool = False, scale: float = 1.0
) -> None:
    """Set the size of the window in CSS pixels, and whether the page is `dark` and without motion (`still`)."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wishes = [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
        {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wishes})


def main() -> None:
    """Read the command line and write one PNG."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", help="an HTML file or an address; FILE#NUMBER for a sentence of a gallery")
    parser.add_argument("output", type=Path, help="the PNG to write")
    parser.add_argument("--width", type=int, default=1280, help="window width in CSS pixels (default: %(default)s)")
    parser.add_argument("--height", type=int, default=800, help="window height in CSS pixels (default: %(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="device pixels per CSS pixel (default: %(default)s)")
    parser.add_argument("--dark", action="store_true", help="use the dark style of the page")
    parser.add_argument(
        "--ready", default="body", help="CSS selector of the element to wait for (default: %(default)s)"
    )
    parser.add_argument("--run", default="", help="JavaScript to run before the picture is taken")
    given = parser.parse_args()
    file, _, fragment = given.page.partition("#")
    address = given.page if "://" in given.page else f"{Path(file).resolve(strict=True).as_uri()}#{fragment}"
    with chromium() as browser:
        show_as(browser, given.width, given.height, given.dark, still=True, scale=given.scale)
        browser.get(address)
        WebDriverWait(browser, 60).until(visibility_of_element_located((By.CSS_SELECTOR, given.ready)))
        browser.execute_script(given.run)
        picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    # The file has a third of the bytes. The other methods show steps in smooth colours, or tint white.
    picture.quantize(256, Image.Quantize.MAXCOVERAGE).save(given.output, optimize=True)


if __name__ == "__main__":
    main()
