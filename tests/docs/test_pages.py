"""Commands on the pages accept their settings, and make targets exist."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path

import pytest

from tests.support.settings import settings_of

ROOT = Path(__file__).resolve().parents[2]

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if "decisions" not in path.parts),
]
PAGES.remove(ROOT / "docs" / "extending.md")  # tests/test_extending.py runs it

TARGETS = set(re.findall(r"^([a-z][\w-]*):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

COMMAND_OF_TARGET = {
    "train": "train",
    "evaluate": "evaluate",
    "translate": "translate",
    "align": "align",
    "demo": "export",
}

GIVEN = {  # settings that a command requires, and that the make target or the rest of the page supplies
    "train": (),
    "evaluate": ("model=runs/tiny/model",),
    "translate": ("model=runs/tiny/model",),
    "align": ("model=runs/tiny/model",),
    "export": ("to=page", "model=runs/tiny/model", "output=page.html"),
    "serve": ("model=runs/tiny/model",),
}

STARTS = re.compile(r"(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(heed-[a-z]+|make)\b")


def code_lines(page: Path) -> Iterator[str]:
    """Lines of code blocks, fenced or indented, continued lines joined."""
    fenced = False
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()


def commands(page: Path) -> list[list[str]]:
    """The words of every command on a page: environment, pipes and comments left out."""
    found = []
    for line in code_lines(page):
        for part in re.split(r" \| | && ", line):
            matched = STARTS.match(part.strip())
            if matched:
                found.append(shlex.split(part.strip()[matched.start(1) :], comments=True))
    return found


@cache
def check_settings(command: str, *words: str) -> None:
    """Compose the settings as the command does. UserError for a key or a value that it would refuse."""
    overrides = [word for word in words if "=" in word and not word.startswith("--")]
    if command == "export" and words and words[0] in ("page", "onnx"):
        overrides.append(f"to={words[0]}")
    keys = {override.partition("=")[0] for override in overrides}
    given = [one for one in GIVEN[command] if one.partition("=")[0] not in keys]
    for job in jobs(overrides) if "--multirun" in words else [overrides]:
        settings_of(command, import_module(f"heed.cli.{command}").Settings, *given, *job)


def jobs(overrides: list[str]) -> list[tuple[str, ...]]:
    """The overrides of each job of a sweep."""
    keys, _, values = zip(*(override.partition("=") for override in overrides), strict=True)
    return [
        tuple(f"{key}={value}" for key, value in zip(keys, chosen, strict=True))
        for chosen in product(*(value.split(",") for value in values))
    ]


def check(words: list[str]) -> None:
    """Check that a heed command accepts its settings, or that a make target exists and accepts its settings."""
    program, *rest = words
    rest = rest[: next((place for place, word in enumerate(rest) if word[0] in "<>;" or word == "2>"), None)]
    if program.startswith("heed-"):
        check_settings(program.removeprefix("heed-"), *rest)
        return
    targets = [word for word in rest if "=" not in word and not word.startswith("-")]
    assert set(targets) <= TARGETS, f"make has no target {set(targets) - TARGETS}"
    settings = [word.removeprefix("ARGS=") for word in rest if word.startswith("ARGS=")]
    for target in targets:
        if target in COMMAND_OF_TARGET:
            check_settings(COMMAND_OF_TARGET[target], *shlex.split(" ".join(settings)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_on_pages(page: Path) -> None:
    for words in commands(page):
        if not any("…" in word for word in words):
            check(words)


def test_commands_are_found_on_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Text.\n\n    $ echo x | make translate\n\n```\nheed-align model=a \\\n  method=norm # why\n```\n")
    assert commands(page) == [["make", "translate"], ["heed-align", "model=a", "method=norm"]]


@pytest.mark.parametrize("line", ["heed-train modle.hid_dim=3", "make trian", 'make train ARGS="model.hid_dim=x"'])
def test_a_wrong_command_fails(line: str) -> None:
    with pytest.raises(Exception, match=r"modle|trian|hid_dim"):
        check(shlex.split(line))
