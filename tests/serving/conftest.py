"""Real servers in separate processes, on free ports of this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.model_folder import SOURCES, TARGETS, write
from tests.support.server import Server, serving


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of English to French."""
    return write(tmp_path_factory.mktemp("serving") / "small" / "model")


@pytest.fixture(scope="session")
def reverse_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of French to English."""
    about = {"src_lang": "fr", "tgt_lang": "en"}
    return write(tmp_path_factory.mktemp("serving") / "back" / "model", about, TARGETS, SOURCES, seed=5)


@pytest.fixture(scope="session")
def server(folder: Path, reverse_folder: Path) -> Iterator[Server]:
    """A server of two models with the default limits."""
    with serving(f"model={{small: {folder}, back: {reverse_folder}}}") as server:
        yield server
