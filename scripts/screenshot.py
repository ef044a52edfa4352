"""Take a picture of a page with headless Chromium: of a gallery, or of TensorBoard."""

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

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
    """Chromium with an empty profile, gone when the block ends; `logs` is what it records, as in goog:loggingPrefs."""
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


def show_as(browser: WebDriver, width: int, height: int, dark: bool = False, scale: float = 1.0) -> None:
    """Give the page a window of this size in CSS pixels, and the reader's wish for a light or a dark page."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def main() -> None:
    """Read the command line and write one PNG."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", help="an HTML file, or an address")
    parser.add_argument("output", type=Path, help="the PNG to write")
    parser.add_argument("--width", type=int, default=1280, help="of the window, in CSS pixels (default: %(default)s)")
    parser.add_argument("--height", type=int, default=800, help="of the window, in CSS pixels (default: %(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="device pixels a CSS pixel (default: %(default)s)")
    parser.add_argument("--dark", action="store_true", help="as for a reader who prefers dark pages")
    parser.add_argument("--run", default="", help="JavaScript to run first, to open or light up something")
    given = parser.parse_args()
    address = given.page if "://" in given.page else Path(given.page.split("#")[0]).resolve().as_uri()
    with chromium() as browser:
        show_as(browser, given.width, given.height, given.dark, given.scale)
        browser.get(address)
        browser.execute_script(given.run)
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_bytes(browser.get_screenshot_as_png())


if __name__ == "__main__":
    main()
