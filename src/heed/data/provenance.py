"""Where translated text comes from: a file beside a corpus of which models have written one side.

PREFIX.en, PREFIX.de       the corpus, as `corpus=files` reads it
PREFIX.provenance.json     which side was translated, by which models, how, from which text and when
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from heed.errors import UserError
from heed.settings import parse


@dataclass(frozen=True)
class Provenance:
    """Where one side of a corpus comes from."""

    translated: str
    """The language that models have written."""
    source: str
    """The language that they have read, whose lines are those of the corpus."""
    models: Mapping[str, str]
    """Model folders, as they were called then, with the SHA-256 of their weights."""
    search: str
    closest: str | None
    """What chose one of several translations: the closest to the corpus's own by this metric."""
    replace_unk: bool
    precision: str
    corpus: str
    split: str
    text: str
    """A digest of the text of that split."""
    lines: int
    heed: str
    date: str

    def is_of(self, other: "Provenance") -> bool:
        """Whether another translation would be the same one, made at another time."""
        return replace(self, date="") == replace(other, date="")

    def to_json(self) -> str:
        """As `read_provenance` reads it."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @property
    def note(self) -> str:
        """A line for people."""
        models = " and ".join(f"{folder} (weights {digest[:12]})" for folder, digest in self.models.items())
        closest = f", closest to the original by {self.closest}" if self.closest else ""
        return f"{self.translated} translated from {self.source} by {models}: {self.search}{closest}"


def provenance_path(prefix: str | Path) -> Path:
    """The file beside the corpus that is called so."""
    return Path(f"{prefix}.provenance.json")


def read_provenance(prefix: str | Path) -> Provenance | None:
    """What the file beside a corpus says; None if there is no such file.

    Raises:
        UserError: the file is damaged.
    """
    path = provenance_path(prefix)
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # a UserError is one
        raise UserError(f"{path} cannot be read ({error}); remove it if the text is not from heed-translate") from error


def from_json(text: str) -> Provenance:
    """What `to_json` has written. ValueError for anything else."""
    content: Any = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("a JSON object was expected")
    return parse(Provenance, content)
