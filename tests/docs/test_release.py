"""The version, its date and what is listed for it agree in all files that name them."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]

HEADING = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)


def project() -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return content


def test_the_version_is_the_same_everywhere() -> None:
    """Catches a release that is cited, or described, under the number or the date of another."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    unreleased, (version, date), *_ = HEADING.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert unreleased == ("Unreleased", "")
    assert (citation["version"], str(citation["date-released"])) == (version, date)
    assert project()["version"] == version


def test_changes_are_listed_newest_first() -> None:
    """Catches a version without a date, and one below an older one."""
    _, *releases = HEADING.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert [date for _, date in releases] == sorted((date for _, date in releases), reverse=True)
    assert all(date for _, date in releases)


def test_placeholders_of_addresses_are_marked() -> None:
    """Catches a made-up address that looks like a real one."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    made_up = [url for url in project()["urls"].values() if url.startswith("https://example.org/")]
    assert not made_up or "[project.urls] # PLACEHOLDERS" in text
