"""Errors that the user can fix."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """An error in a config, a file or an argument; its message is one line that says what to do.

    The commands print it and exit with code 2; every other exception keeps its traceback.
    """


class MissingExtra(UserError, ImportError):
    """A package of one of heed's extras is not installed."""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Raise MissingExtra, which names the extra to install, if an import in the block fails.

    Use it where an extra is first needed: `with needs("plot"): from heed.viz.heatmap import heatmap`.

    Args:
        extra: an extra of heed, as `pip install 'heed[extra]'` takes it.

    Raises:
        MissingExtra: a package outside heed cannot be imported. A missing module of heed itself is a bug and is raised
            as it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "heed"):
            raise
        message = f"{package} is not installed; install it with: pip install 'heed[{extra}]'"
        raise MissingExtra(message) from error
