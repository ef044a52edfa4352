"""Settings of all tests. Torch uses one thread, because the models are too small for a second one to help.

hypothesis has no deadlines, because the machine may be busy, and prints how to reproduce a failure.

Ctrl-C is enabled: a shell starts background processes with SIGINT ignored, which processes started by tests inherit.

Array shapes, which mypy cannot check, are checked at every call, in all modules that annotate them: in tests of models,
and in other tests once with each value of each parameter. Tests of whole commands and runs check no shapes, because the
checks nearly double their time. Other types are left to mypy.
"""

import multiprocessing
import signal
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from jaxtyping import config, install_import_hook

TESTS = Path(__file__).resolve().parent
SRC = TESTS.parent / "src"

WHOLE = {
    "browser",
    "cli",
    "docs",
    "export",
    "gpu",
    "runs",
    "serving",
    "training",
    "test_learning.py",
    "test_scripts.py",
}
"""The folders and files with tests of whole commands and runs."""

checked: set[tuple[object, ...]] = set()
"""Tests, parameters and their values for which shapes have been checked."""

shaped = [
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
    for path in SRC.rglob("*.py")
    if "from jaxtyping import" in path.read_text(encoding="utf-8")
]
install_import_hook(shaped, "beartype.beartype")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Switch the check of shapes on or off for a test and the fixtures that it starts."""
    place, test = item.path.relative_to(TESTS).parts[0], item.nodeid.partition("[")[0]
    parameters = item.callspec.indices if hasattr(item, "callspec") else {}
    new = {(test,), *((test, *parameter) for parameter in parameters.items())} - checked
    config.update("jaxtyping_disable", place in WHOLE or (place != "models" and not new))
    checked.update(new)


def pytest_sessionfinish() -> None:
    """Kill what a failed test has left behind: multiprocessing would wait for it."""
    for child in multiprocessing.active_children():
        child.kill()


torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("untimed", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
