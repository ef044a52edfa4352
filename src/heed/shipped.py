"""Files that come with heed: inside the package if it was installed from a wheel, in the checkout otherwise."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parents[1]


def shipped(name: str) -> Path:
    """The folder `configs` or `data/tiny`, as a wheel holds it or as the checkout does."""
    installed = PACKAGE / name
    return installed if installed.is_dir() else CHECKOUT / name
