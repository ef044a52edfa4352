"""The environment of a run: versions, machine and command line, which may affect the result."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("heed", "torch", "lightning", "sentencepiece", "sacrebleu", "numpy", "hydra-core")


def environment(config: Mapping[str, Any]) -> dict[str, Any]:
    """The environment of a run, with the time at which it began (UTC)."""
    return {
        "command": shlex.join(_typed()),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": config.get("seed"),
        "git": _git(),
        "packages": {name: version(name) for name in PACKAGES} | {"torch": str(torch.__version__)},  # with its build
        "python": platform.python_version(),
        "machine": {
            "platform": platform.platform(),
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
            "memory_gib": _memory_gib(),
        },
    }


def _typed() -> list[str]:
    """The command line. In a job of a sweep that a launcher started, `sys.argv` is that of the parent process."""
    own = sys.orig_argv[len(sys.orig_argv) - len(sys.argv) + 1 :]
    return sys.orig_argv if own == sys.argv[1:] else [sys.executable, *sys.argv]


def _git() -> dict[str, Any] | None:
    """The commit of the checkout that heed runs from, and whether files were changed since; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        answer = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    commit, _, dirty = answer.strip().partition("-")
    return {"commit": commit, "dirty": bool(dirty)}


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _memory_gib() -> float | None:
    """Memory of the machine in GiB; None if the system does not report it."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None
