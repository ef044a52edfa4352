"""The built documentation site: every internal link leads somewhere, and search works without a network.

`make docs` builds it; without it these tests are skipped. CI runs them after building.
"""

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

SITE = Path(__file__).resolve().parents[2] / "build" / "docs"

needs_site = pytest.mark.skipif(not (SITE / "index.html").exists(), reason="the site is not built: make docs")


class Page(HTMLParser):
    """The anchors of a page, and the addresses that it refers to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors, self.addresses = set[str](), list[str]()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.addresses.append(value)


def dead_links(site: Path) -> list[str]:
    """Each internal address without a file, or without its anchor in the file, after the page that contains it."""
    pages = {path: Page(path) for path in site.rglob("*.html")}
    dead = []
    for path, page in pages.items():
        for address in page.addresses:
            if urlsplit(address).scheme or address.startswith("//"):
                continue
            place, anchor = urldefrag(address)
            target = (path.parent / unquote(urlsplit(place).path)).resolve() if place else path
            target = target / "index.html" if target.is_dir() else target
            found = target.exists() and (not anchor or target not in pages or unquote(anchor) in pages[target].anchors)
            if not found:
                dead.append(f"{path.relative_to(site)}: {address}")
    return dead


@pytest.mark.slow
@needs_site
def test_every_internal_link_leads_somewhere() -> None:
    """Catches a heading that was renamed, which Sphinx does not report for a link made of HTML or of its own pages."""
    assert len(list(SITE.rglob("*.html"))) > 40
    assert dead_links(SITE) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    """Catches a check that finds nothing because it reads nothing."""
    (tmp_path / "a.html").write_text('<a href="b.html#x">1</a><a href="c.html">2</a><a href="https://x.org">3</a>')
    (tmp_path / "b.html").write_text('<p id="y"><a href="#y">4</a><a href="a.html">5</a>')
    assert dead_links(tmp_path) == ["a.html: b.html#x", "a.html: c.html"]


@pytest.fixture
def server() -> Iterator[str]:
    """The address of the site on this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE))) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


@pytest.mark.slow
@needs_site
@pytest.mark.skipif(not shutil.which("chromedriver"), reason="needs chromium and its driver")
@pytest.mark.parametrize("scheme", ["file", "http"])
def test_search_works_without_a_network(scheme: str, server: str) -> None:
    """Catches an index that a page opened from a folder may not load, and a theme that asks a network for it."""
    from selenium.webdriver.common.by import By  # noqa: PLC0415
    from selenium.webdriver.support.expected_conditions import presence_of_element_located  # noqa: PLC0415
    from selenium.webdriver.support.wait import WebDriverWait  # noqa: PLC0415

    from scripts.screenshot import chromium  # noqa: PLC0415

    home = SITE.as_uri() if scheme == "file" else server
    with chromium({"browser": "ALL"}) as browser:
        browser.get(f"{home}/search.html?q=faithfulness")
        link = WebDriverWait(browser, 60).until(
            presence_of_element_located((By.CSS_SELECTOR, "#search-results li a[href*='trust.html']"))
        )
        assert str(link.get_attribute("href")).startswith(home)
