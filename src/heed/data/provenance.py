"""The provenance of translated text: a file beside a corpus of which one side was written by models.

PREFIX.en, PREFIX.de       the corpus, as `corpus=files` reads it
PREFIX.provenance.json     which side was translated, by which models and which search, from which text, and when
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from heed.errors import UserError
from heed.settings import parse


@dataclass(frozen=True)
class Provenance:
    """How one side of a corpus was made by translating the other side."""

    translated: str
    """The language of the translations."""
    source: str
    """The language of the lines that were translated."""
    models: Mapping[str, str]
    """The paths of the model folders when they were used, with the SHA-256 of their weights."""
    search: str
    """The search and its settings."""
    closest: str | None
    """The metric by which the candidate closest to the corpus's own line was chosen; None for the first candidate."""
    replace_unk: bool
    precision: str
    corpus: str
    split: str
    text: str
    """A digest of the text of the split."""
    lines: int
    heed: str
    """The version of heed."""
    date: str

    def is_of(self, other: "Provenance") -> bool:
        """Whether the two are of the same translation."""
        return self.compared() == other.compared()

    def compared(self) -> dict[str, Any]:
        """What makes it the same translation: everything but the date and where the models are."""
        return {**asdict(self), "models": sorted(self.models.values()), "date": ""}

    def to_json(self) -> str:
        """The content of the file, as `read_provenance` reads it."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @property
    def note(self) -> str:
        """One line that names the languages, the models and the search."""
        models = " and ".join(f"{folder} (weights {digest[:12]})" for folder, digest in self.models.items())
        closest = f", closest to the original by {self.closest}" if self.closest else ""
        return f"{self.translated} translated from {self.source} by {models}: {self.search}{closest}"


def provenance_path(prefix: str | Path) -> Path:
    """The path of the provenance of the corpus with this prefix."""
    return Path(f"{prefix}.provenance.json")


def read_provenance(prefix: str | Path) -> Provenance | None:
    """Read the provenance of the corpus with this prefix; None if it has none.

    Raises:
        UserError: the file cannot be read, or is not such a file.
    """
    path = provenance_path(prefix)
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); move it away, or give the text another name"
        ) from error
    except ValueError as error:  # a UserError is one
        raise UserError(
            f"{path} was not written by heed-translate, or is damaged; move it away, or give the text another name"
        ) from error


def from_json(text: str) -> Provenance:
    """Read the result of `Provenance.to_json`.

    Raises:
        ValueError: the text is anything else.
    """
    content: Any = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("a JSON object was expected")
    return parse(Provenance, content)
