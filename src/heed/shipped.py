"""Files that come with heed: inside the package if it was installed from a wheel, in the checkout otherwise."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parents[1]


def shipped(name: str) -> Path:
    """The folder `configs` or `data/tiny`, in the installed package or in the checkout."""
    installed = PACKAGE / name
    return installed if installed.is_dir() else CHECKOUT / name
