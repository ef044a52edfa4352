"""Settings of all tests. Torch uses one thread, because the models are too small for a second one to help.

hypothesis has no deadlines, because the machine may be busy, and prints how to reproduce a failure.

Ctrl-C is enabled: a shell starts background processes with SIGINT ignored, which processes started by tests inherit.

Array shapes, which mypy cannot check, are checked at every call, in all modules that annotate them: in tests of models,
and in other tests with the first of their parameters. Tests of whole commands and runs check no shapes, because the
checks nearly double their time. Other types are left to mypy.
"""

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

begun: set[str] = set()
"""The tests that have run, without their parameters."""

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
    config.update("jaxtyping_disable", place in WHOLE or (place != "models" and test in begun))
    begun.add(test)


torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("untimed", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
