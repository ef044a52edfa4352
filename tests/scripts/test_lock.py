import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.lock import BUILD, DEV_LOCK, EXTRAS, LOCK, LOWEST_PYTHON, OF_A_BUILD, blocks

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(*locks: Path) -> list[Requirement]:
    text = "".join(lock.read_text() for lock in locks)
    return [Requirement(block.partition("\\")[0]) for block in blocks(text)]


def locked_at(name: str, python: str, *locks: Path) -> list[str]:
    """The versions of a distribution that the locks give for a Python on Linux; there should be one."""
    on = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux", "os_name": "posix"}
    found = [pin for pin in pins(*locks) if pin.name == name and (pin.marker is None or pin.marker.evaluate(on))]
    return [str(pin.specifier).removeprefix("==") for pin in found]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("extra", [None, *PROJECT["optional-dependencies"]])
def test_each_dependency_is_locked_at_a_version_that_heed_allows(extra: str | None, python: str) -> None:
    """Catches a dependency added without `make lock`: a fresh clone would be installed without it."""
    named = [*PROJECT["dependencies"], *BUILD] if extra is None else PROJECT["optional-dependencies"][extra]
    locks = [LOCK, DEV_LOCK] if extra == "dev" else [LOCK]
    for requirement in map(Requirement, named):
        if requirement.name not in ("torch", "heed"):
            versions = locked_at(canonicalize_name(requirement.name), python, *locks)
            assert len(versions) == 1, f"{requirement.name} is not locked: make lock"
            assert requirement.specifier.contains(versions[0]), f"{requirement} is locked at {versions}: make lock"


def test_every_line_is_one_distribution_with_its_hashes() -> None:
    """Catches a line added by hand: with one hash missing pip refuses all of them, with none it checks nothing."""
    locked = r"[a-z0-9-]+==\S+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    for lock in (LOCK, DEV_LOCK):
        assert re.fullmatch(rf"(#.*\n)*({locked})+", lock.read_text())
    lines = [(pin.name, str(pin.marker)) for pin in pins(LOCK, DEV_LOCK)]
    assert len(set(lines)) == len(lines) > 100


def test_users_do_not_install_what_only_checks_need() -> None:
    """Catches an extra that `make setup` leaves out, and pytest or ruff in what it installs."""
    assert {*EXTRAS, "dev"} == {*PROJECT["optional-dependencies"]}
    assert not {pin.name for pin in pins(LOCK)} & {"pytest", "ruff", "mypy", "hypothesis", "selenium", "uv"}
    assert f">={LOWEST_PYTHON}" == PROJECT["requires-python"]


def test_the_build_of_torch_is_left_to_the_machine() -> None:
    """Catches a lock that installs gigabytes of CUDA everywhere, or nowhere but on Linux."""
    text = LOCK.read_text()
    assert not list(filter(OF_A_BUILD.match, chain(blocks(text), blocks(DEV_LOCK.read_text()))))
    assert f"; {re.search(r'^TORCH := (.*)', (ROOT / 'Makefile').read_text(), re.MULTILINE)[1]} is" in text  # type: ignore[index]


def test_what_builds_heed_is_installed_before_all_else() -> None:
    """Catches a new dependency of the build backend: a fresh clone is installed without building in isolation."""
    first = re.search(r"sed -nE '/\^\((.*)\)==/", (ROOT / "Makefile").read_text())
    assert first is not None
    assert {*first[1].split("|")} >= {*BUILD}
