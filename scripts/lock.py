"""Write constraints.txt and constraints-dev.txt: every distribution that heed needs, with the hashes of its files.

    python scripts/lock.py torch==2.13.0 [--upgrade]

`make lock` runs this script with the release of torch that the Makefile names. constraints.txt has the packages that a
user needs, with all extras except `dev`; constraints-dev.txt has the further packages of tests and checks. Locked
versions do not change if pyproject.toml allows them; --upgrade takes the newest versions. uv resolves for Linux, macOS
and Windows and for every Python that heed supports; if no version fits all of them, a package has several lines with
markers. torch and the packages of its CUDA builds are left out, because each machine chooses a CPU or CUDA build.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "constraints.txt"
DEV_LOCK = ROOT / "constraints-dev.txt"

HEAD = """\
# Every distribution that heed needs, with all its extras but dev, and the hashes of its files.
# `make lock` writes this from pyproject.toml; {torch} is installed beside it, in the build that the machine takes.
"""
DEV_HEAD = """\
# What tests and checks need beyond constraints.txt, with the hashes of its files.
# `make lock` writes this from pyproject.toml.
"""

LOWEST_PYTHON = "3.11"
EXTRAS = ("train", "plot", "parallel", "serve", "onnx")
"""The extras that a user may choose: all but `dev`."""

BUILD = ("hatchling", "setuptools", "wheel")
"""What heed and the only dependency without a wheel are built with."""

OF_A_BUILD = re.compile(r"(torch|triton|cuda-.*|nvidia-.*)==")


def main() -> None:
    """Resolve all packages, then those that a user needs, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("torch", help="the release of torch, as torch==VERSION")
    parser.add_argument("--upgrade", action="store_true", help="use the newest versions instead of the locked ones")
    options = parser.parse_args()
    former = "" if options.upgrade else "".join(path.read_text(encoding="utf-8") for path in (LOCK, DEV_LOCK))
    everything = resolve(options.torch, ["--all-extras"], former)
    user = {name(block) for block in resolve(options.torch, [f"--extra={extra}" for extra in EXTRAS], everything)}
    write(LOCK, HEAD.format(torch=options.torch), (block for block in everything if name(block) in user))
    write(DEV_LOCK, DEV_HEAD, (block for block in everything if name(block) not in user))


def resolve(torch: str, extras: list[str], locked: str | list[str]) -> list[str]:
    """Resolve pyproject.toml and these extras with uv; keep `locked` versions if possible; return the lock's blocks."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "lock.txt"
        output.write_text("".join(locked), encoding="utf-8")
        command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "pyproject.toml", "-", *extras]
        command += "--quiet --universal --generate-hashes --no-annotate --no-header".split()
        command += ["--python", sys.executable, "--python-version", LOWEST_PYTHON, "--output-file", str(output)]
        done = subprocess.run(command, cwd=ROOT, input="\n".join([torch, *BUILD]), text=True, check=False)
        if done.returncode:
            sys.exit(done.returncode)
        lines = output.read_text(encoding="utf-8")
    return [block for block in blocks(lines) if not OF_A_BUILD.match(block)]


def write(path: Path, head: str, content: Iterable[str]) -> None:
    """Write a lock and print how long it is."""
    written = list(content)
    path.write_text(head + "".join(written), encoding="utf-8")
    print(f"{len(written)} entries, written to {path.name}")


def blocks(lock: str) -> list[str]:
    """Split a lock into one text for each distribution: its line and the lines of its hashes."""
    return re.findall(r"^\w(?:.*\\\n)*.*\n", lock, re.MULTILINE)


def name(block: str) -> str:
    """The distribution that a block is about."""
    return block.partition("==")[0]


if __name__ == "__main__":
    main()
