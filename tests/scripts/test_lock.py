import re
import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.lock import BUILD, OF_A_BUILD, blocks

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "constraints.txt").read_text()
LOCKED = dict(re.findall(r"^(\S+?)==(\S+)", LOCK, re.MULTILINE))


def test_what_heed_names_is_locked_at_a_version_that_it_admits() -> None:
    """Catches a dependency added without `make lock`: a fresh clone would be installed without it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *chain(*project["optional-dependencies"].values()), *BUILD]
    for requirement in map(Requirement, named):
        if requirement.name != "torch":
            version = LOCKED.get(canonicalize_name(requirement.name))
            assert version, f"{requirement.name} is not locked: make lock"
            assert requirement.specifier.contains(version), f"{requirement} is locked at {version}: make lock"


def test_every_line_is_one_distribution_with_its_hashes() -> None:
    """Catches a line added by hand: with one hash missing pip refuses all of them, with none it checks nothing."""
    locked = r"[a-z0-9-]+==\S+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    assert re.fullmatch(rf"(#.*\n)*({locked})+", LOCK)
    assert len(blocks(LOCK)) == len(LOCKED) > 100


def test_the_build_of_torch_is_left_to_the_machine() -> None:
    """Catches a lock that installs gigabytes of CUDA everywhere, or nowhere but on Linux."""
    assert not list(filter(OF_A_BUILD.match, blocks(LOCK)))
    assert f"; {re.search(r'^TORCH := (.*)', (ROOT / 'Makefile').read_text(), re.MULTILINE)[1]} is" in LOCK  # type: ignore[index]
