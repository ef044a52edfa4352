"""The entry points of the commands. --help and --version are printed before anything slow is imported."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, cast

COMMANDS: dict[str, dict[str, Any]] = {
    "train": {"resumes": True},
    "evaluate": {},
    "translate": {"shorthands": {"--interactive": "interactive=true"}},
    "align": {},
    "serve": {},
    "export": {"shorthands": {"page": "to=page", "onnx": "to=onnx"}},
}
"""The commands, and the arguments of `heed.cli.command.Command` that differ from its defaults."""

HELP, VERSION = ("--help", "-h"), ("--version",)

PRIMITIVES, KEPT = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "512"
"""An environment variable of oneDNN, which computes products in bfloat16: for how many shapes it keeps compiled code.
With its default of 1,024, a long training needs about a gigabyte more, and compiles a tenth fewer shapes."""

SPINS, FEW, POLICY = "GOMP_SPINCOUNT", "2000", "OMP_WAIT_POLICY"
"""Environment variables of OpenMP: how long a thread keeps its core while it waits for the others.

With libgomp's default, training on two cores is much slower beside another program. If the user has set a policy, it
decides instead."""


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


def serve() -> None:
    """heed-serve."""
    start("serve")


def export() -> None:
    """heed-export."""
    start("export")


def choose() -> None:
    """Run the command that the first argument names: `python -m heed train …`."""
    from heed.cli.streams import fill_closed  # noqa: PLC0415
    from heed.cli.terminal import print_what_fits  # noqa: PLC0415

    fill_closed()
    print_what_fits()
    usage = f"usage: python -m heed COMMAND [SETTINGS]; COMMAND is one of {', '.join(COMMANDS)}"
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    if first in COMMANDS:
        del sys.argv[1]
        start(first)
    elif first in VERSION:
        _print("heed", f"heed {version('heed')}")
    elif first in HELP:
        _print("heed", usage)
    else:
        print(usage, file=sys.stderr)
        sys.exit(2)


def start(name: str) -> None:
    """Run the command `heed-<name>` with the arguments of this process, then exit with its exit code."""
    from heed.cli.streams import fill_closed  # noqa: PLC0415
    from heed.cli.terminal import print_what_fits  # noqa: PLC0415
    from heed.signals import end_silently_at_interrupt  # noqa: PLC0415

    fill_closed()
    print_what_fits()
    arguments = sys.argv[1:]
    if answer := _answered(name, arguments):
        _print(f"heed-{name}", answer)
        return
    end_silently_at_interrupt()
    os.environ.setdefault(PRIMITIVES, KEPT)
    if POLICY not in os.environ:
        os.environ.setdefault(SPINS, FEW)
    from heed.cli.command import Command  # noqa: PLC0415

    Command(name, **COMMANDS[name])()


def _print(program: str, text: str) -> None:
    """Print the text; exit with 141 if the pipe is closed, as in `heed-train --help | head`, or 2 if writing fails."""
    from heed.cli.streams import discard_output, print_error, unwritten  # noqa: PLC0415

    try:
        print(text, flush=True)
    except OSError as error:
        discard_output()
        if isinstance(error, BrokenPipeError):
            sys.exit(141)
        print_error(f"{program}: {unwritten(error)}")
        sys.exit(2)


def _answered(name: str, arguments: Sequence[str]) -> str | None:
    """The text that --help or --version prints."""
    if any(flag in arguments for flag in HELP):
        return help_text(name)
    return f"heed {version('heed')}" if any(flag in arguments for flag in VERSION) else None


def help_text(name: str) -> str:
    """The help of a command, from its config file."""
    import yaml  # noqa: PLC0415

    from heed.shipped import shipped  # noqa: PLC0415

    config: Any = yaml.safe_load((shipped("configs") / f"{name}.yaml").read_text(encoding="utf-8"))
    return cast(str, config["hydra"]["help"]["template"]).rstrip()
