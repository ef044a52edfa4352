"""Write constraints.txt: every distribution that heed needs, at one version, with the hashes of the files it comes in.

    python scripts/lock.py torch==2.13.0 [--upgrade]

`make lock` runs it, with the release of torch that the Makefile names. Versions that are locked already stay as they
are wherever pyproject.toml admits them; --upgrade asks for the newest of all. uv resolves for Linux, macOS and Windows
from what the index says of each distribution; no distribution is downloaded. torch itself, and what only its CUDA
builds need, stay out: which build it is, CPU or CUDA, is a choice of each machine.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "constraints.txt"

HEAD = """\
# Every distribution that heed needs, tests and tools included: one version each, with the hashes of its files.
# `make lock` writes this from pyproject.toml; {torch} is installed beside it, in the build that the machine takes.
"""

BUILD = ("setuptools", "wheel")
"""What heed and the one dependency without a wheel are built with."""

OF_A_BUILD = re.compile(r"(torch|triton|cuda-.*|nvidia-.*)==")


def main() -> None:
    """Resolve, leave out, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("torch", help="the release of torch that all this must fit, as torch==VERSION")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions, not those that are locked")
    given = parser.parse_args()
    LOCK.touch()
    resolve(given.torch, given.upgrade)
    kept = [block for block in blocks(LOCK.read_text(encoding="utf-8")) if not OF_A_BUILD.match(block)]
    LOCK.write_text(HEAD.format(torch=given.torch) + "".join(kept), encoding="utf-8")
    print(f"{len(kept)} distributions, written to {LOCK.name}")


def resolve(torch: str, upgrade: bool) -> None:
    """Let uv write the lock, torch and all."""
    command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "pyproject.toml", "-"]
    command += "--quiet --universal --all-extras --generate-hashes --no-annotate --no-header".split()
    command += ["--python", sys.executable, "--output-file", str(LOCK), *(["--upgrade"] if upgrade else [])]
    done = subprocess.run(command, cwd=ROOT, input="\n".join([torch, *BUILD]), text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def blocks(lock: str) -> list[str]:
    """A lock as one text for each distribution: its line and those of its hashes."""
    return re.findall(r"^\w(?:.*\\\n)*.*\n", lock, re.MULTILINE)


if __name__ == "__main__":
    main()
