"""What a person can fix."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """A fault in a config, a file or an argument; its message is one line that says what to do.

    The commands print it and exit with code 2; every other exception keeps its traceback.
    """


class MissingExtra(UserError, ImportError):
    """A package that comes with an extra of heed is not installed."""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Name the extra to install if an import in the block fails.

    Use it where an extra is first needed: `with needs("plot"): from heed.viz.heatmap import heatmap`.

    Args:
        extra: an extra of heed, as `pip install 'heed[extra]'` takes it.

    Raises:
        MissingExtra: a package outside heed is not there. A module of heed that is not there stays a fault of heed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "heed"):
            raise
        message = f"{package} is not installed; it comes with an extra of heed: pip install 'heed[{extra}]'"
        raise MissingExtra(message) from error
