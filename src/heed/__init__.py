"""Sequence-to-sequence translation with attention: train models, and see and measure what they attend to.

    >>> import heed
    >>> translator = heed.load("runs/tiny/model")  # doctest: +SKIP
    >>> translator.translate("The black cat sleeps.").text  # doctest: +SKIP
    'Le chat noir dort.'

Importing heed changes nothing in the process. The names below are imported when they are first used: torch with the
first model, Hydra and Lightning with the first training.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heed.cli.api import train
    from heed.errors import UserError
    from heed.evaluation import Evaluation, evaluate
    from heed.experiment import Run
    from heed.translation import Translation
    from heed.translator import Translator, align, load

_HOME = {
    "Evaluation": "heed.evaluation",
    "Run": "heed.experiment",
    "Translation": "heed.translation",
    "Translator": "heed.translator",
    "UserError": "heed.errors",
    "align": "heed.translator",
    "evaluate": "heed.evaluation",
    "load": "heed.translator",
    "train": "heed.cli.api",
}

__all__ = [  # noqa: RUF022 - in the order in which a user needs them
    "load",
    "train",
    "evaluate",
    "align",
    "Translator",
    "Translation",
    "Evaluation",
    "Run",
    "UserError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("heed")
    if name not in _HOME:
        raise AttributeError(f"module 'heed' has no attribute {name!r}")
    from heed.errors import needs  # noqa: PLC0415

    with needs("train"):
        return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
