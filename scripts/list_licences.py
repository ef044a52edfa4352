"""Write docs/licences.md: every distribution that heed installs here, with the licence that its own metadata names.

    python scripts/list_licences.py [--output docs/licences.md]

Run it in the environment of `make test`: it lists the installed packages and needs no network.
"""

import argparse
import re
from collections.abc import Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
LOCKS = (ROOT / "constraints.txt", ROOT / "constraints-dev.txt")

HEAD = """# Licences of what heed installs

heed itself is under the MIT licence. This table lists every distribution that heed can install. heed without extras
needs those in **bold**, which is all that translating needs. The others come with the extras, or are used only to check
and test heed.

`python scripts/list_licences.py` writes this page from the metadata of the installed distributions: from the licence
expression, or if there is none from the classifiers, or else from the first line of the licence field.

| distribution | version | licence |
|---|---|---|
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "licences.md")
    output: Path = parser.parse_args().output
    direct = required("heed")
    rows = [row(name, direct) for name in installed(LOCKS)]
    output.write_text(HEAD + "".join(rows), encoding="utf-8")
    print(f"{len(rows)} distributions, written to {output}")


def installed(locks: Sequence[Path]) -> list[str]:
    """What the locks list for this platform, and torch, which is in no lock; names are as their authors write them."""
    text = "".join(lock.read_text(encoding="utf-8") for lock in locks)
    lines = [line.partition("\\")[0] for line in text.splitlines() if line[:1].isalnum()]
    wanted = [
        requirement.name
        for requirement in map(Requirement, lines)
        if requirement.marker is None or requirement.marker.evaluate()
    ]
    return sorted((distribution(name).name for name in [*wanted, "torch"]), key=str.lower)


def required(name: str) -> set[str]:
    """What a distribution needs to run, directly or through other distributions; extras are left out."""
    names: set[str] = set()
    waiting = [name]
    while waiting:
        for requirement in distribution(waiting.pop()).requires or []:
            needed = canonical(re.split(r"[ ;<>=!~\[(]", requirement, maxsplit=1)[0])
            if ";" not in requirement and needed not in names:
                names.add(needed)
                waiting.append(needed)
    return names


def row(name: str, direct: set[str]) -> str:
    """A line of the table."""
    package = distribution(name)
    shown = f"**{name}**" if canonical(name) in direct else name
    return f"| {shown} | {package.version.partition('+')[0]} | {licence(package)} |\n"


def licence(package: Distribution) -> str:
    """The licence that a distribution names in its metadata."""
    metadata = package.metadata
    if metadata["License-Expression"]:
        return str(metadata["License-Expression"])
    classifiers = metadata.get_all("Classifier") or []
    named = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    text = (metadata["License"] or "").strip().splitlines()
    return ", ".join(name for name in named if name != "OSI Approved") or (text[0] if text else "not named")


def canonical(name: str) -> str:
    """The form of a name in which package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
