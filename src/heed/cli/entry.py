"""The entry points of the commands: --help and --version answer before anything heavy is imported."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any, cast

COMMANDS = ("train", "evaluate", "translate", "align")

HELP, VERSION = ("--help", "-h"), ("--version",)


def train() -> None:
    """heed-train."""
    start("train")


def evaluate() -> None:
    """heed-evaluate."""
    start("evaluate")


def translate() -> None:
    """heed-translate."""
    start("translate")


def align() -> None:
    """heed-align."""
    start("align")


def start(name: str) -> None:
    """Run the command `heed-<name>` with the arguments of this process, and leave with its exit code."""
    from heed.signals import end_silently_at_interrupt  # noqa: PLC0415

    arguments = sys.argv[1:]
    if answer := _answered(name, arguments):
        print(answer)
        return
    end_silently_at_interrupt()
    import_module(f"heed.cli.{name}").main()


def _answered(name: str, arguments: Sequence[str]) -> str | None:
    """What --help and --version print."""
    if any(flag in arguments for flag in HELP):
        return help_text(name)
    return f"heed {version('heed')}" if any(flag in arguments for flag in VERSION) else None


def help_text(name: str) -> str:
    """The help of a command, as its config file holds it."""
    import yaml  # noqa: PLC0415

    from heed.shipped import shipped  # noqa: PLC0415

    config: Any = yaml.safe_load((shipped("configs") / f"{name}.yaml").read_text(encoding="utf-8"))
    return cast(str, config["hydra"]["help"]["template"]).rstrip()
