"""Settings of all tests. Torch uses one thread, because the models are too small for a second one to help.

hypothesis has no deadlines, because the machine may be busy, and prints how to reproduce a failure.

Ctrl-C is enabled: a shell starts background processes with SIGINT ignored, which processes started by tests inherit.

Array shapes, which mypy cannot check, are checked at every call, in all modules that annotate them. Other types are
left to mypy: checking them too at every call would double the time of the tests.
"""

import signal
from pathlib import Path

import torch
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

SRC = Path(__file__).resolve().parents[1] / "src"

shaped = [
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
    for path in SRC.rglob("*.py")
    if "from jaxtyping import" in path.read_text(encoding="utf-8")
]
install_import_hook(shaped, "beartype.beartype")

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("untimed", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
