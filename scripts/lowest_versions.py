"""Test the lowest versions that pyproject.toml allows: install them all, and run the fast tests.

    python scripts/lowest_versions.py torch==2.13.0 [--keep]

`make test-lowest` runs this script. Packages that pyproject.toml names for translating, training and plotting get the
lowest version that it allows, and their dependencies get the newest. They are installed into a virtual environment
under build/. The release of torch is given, because other releases bring gigabytes of CUDA. pytest and its dependencies
have the versions of constraints.txt and constraints-dev.txt. --keep uses an existing environment as it is.
"""

import argparse
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run by its path, not installed

from scripts.lock import DEV_LOCK, LOCK, OF_A_BUILD  # noqa: E402

FOLDER = ROOT / "build" / "lowest"
REQUIREMENTS = ROOT / "build" / "lowest.txt"

TEST_TOOLS = ("beartype", "hypothesis", "pytest")

TESTS = (
    "text search metrics viz/test_fonts.py viz/test_heatmap.py test_bundle.py test_maps.py test_translator.py".split()
)
"""Tests of translating, metrics and plots, which matter to users who install heed into their own environment."""


def main() -> int:
    """Resolve, install and test; return the exit code of pytest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("torch", help="the release of torch to test with, as torch==VERSION")
    parser.add_argument("--keep", action="store_true", help="keep the existing environment")
    options = parser.parse_args()
    if not (options.keep and FOLDER.exists()):
        resolve(options.torch)
        install()
    python = FOLDER / "bin" / "python"
    return subprocess.run(
        [python, "-m", "pytest", "-q", *(f"tests/{name}" for name in TESTS)], cwd=ROOT, check=False
    ).returncode


def resolve(torch: str) -> None:
    """Write build/lowest.txt, without what only the CUDA builds of torch need."""
    REQUIREMENTS.parent.mkdir(exist_ok=True)
    command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "pyproject.toml", "-", "--extra=train"]
    command += "--quiet --resolution=lowest-direct --no-annotate --no-header".split()
    command += ["--python", sys.executable, "--output-file", str(REQUIREMENTS)]
    REQUIREMENTS.unlink(missing_ok=True)  # otherwise uv would keep the versions in it
    subprocess.run(command, cwd=ROOT, input="\n".join([torch, *locked(TEST_TOOLS)]), text=True, check=True)
    resolved = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    REQUIREMENTS.write_text(
        "\n".join([torch, *(pin for pin in resolved if not OF_A_BUILD.match(pin))]), encoding="utf-8"
    )


def locked(names: tuple[str, ...]) -> list[str]:
    """The lines of the locks for these distributions, without hashes."""
    text = "".join(path.read_text(encoding="utf-8") for path in (LOCK, DEV_LOCK))
    pins = [line.rstrip(" \\") for line in text.splitlines()]
    return [pin for pin in pins if pin.partition("==")[0] in names]


def install() -> None:
    """Make the environment, with heed itself from a wheel."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    venv.create(FOLDER, with_pip=True)
    wheels = FOLDER / "wheels"
    pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, ROOT)
    pip(FOLDER / "bin" / "python", "install", "--no-compile", "--requirement", REQUIREMENTS)
    pip(FOLDER / "bin" / "python", "install", "--no-deps", *wheels.iterdir())


def pip(python: str | Path, *arguments: str | Path) -> None:
    """Run pip quietly; an error ends the script."""
    subprocess.run([python, "-m", "pip", "--quiet", *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
