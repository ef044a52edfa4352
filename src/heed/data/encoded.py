"""A split as numbers: the piece ids of every sentence in a few flat arrays."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Int32, Int64, Shaped
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from heed.data.corpus import Pairs
from heed.text.ragged import Ragged, concatenate, number_words, ragged
from heed.text.subwords import UNK, Subwords

LONGEST = 1024
"""Pieces of a line that are read. A longer line would take the memory of a whole batch of ordinary ones, squared."""

MANY = 200_000  # lines from on which reading them takes seconds

LINES_AT_ONCE = 50_000  # what is worked out on the way takes several times the memory of the ids


@dataclass(frozen=True)
class Encoded:
    """The ids of all sentences end to end, without BOS and EOS; sentence `i` is `ids[offsets[i]:offsets[i + 1]]`.

    Plain arrays, so that they can as well be memory-mapped files.
    """

    src_ids: Int32[np.ndarray, "src_pieces"]
    src_offsets: Int64[np.ndarray, "pairs1"]
    tgt_ids: Int32[np.ndarray, "tgt_pieces"]
    tgt_offsets: Int64[np.ndarray, "pairs1"]

    def __len__(self) -> int:
        return len(self.src_offsets) - 1

    def arrays(self) -> dict[str, Shaped[np.ndarray, "..."]]:
        """By the names of the fields."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> "Encoded":
        """What `arrays` gave; other names are no matter."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    def src(self, i: int) -> Int32[np.ndarray, "src"]:
        """The source ids of pair `i`."""
        return self.src_ids[self.src_offsets[i] : self.src_offsets[i + 1]]

    def tgt(self, i: int) -> Int32[np.ndarray, "tgt"]:
        """The target ids of pair `i`."""
        return self.tgt_ids[self.tgt_offsets[i] : self.tgt_offsets[i + 1]]

    @property
    def src_len(self) -> Int64[np.ndarray, "pairs"]:
        """Pieces in each source."""
        return np.diff(self.src_offsets)

    @property
    def tgt_len(self) -> Int64[np.ndarray, "pairs"]:
        """Pieces in each target."""
        return np.diff(self.tgt_offsets)

    @property
    def unk_rates(self) -> tuple[float, float]:
        """The share of `<unk>` among the pieces of each side."""
        return _share(self.src_ids), _share(self.tgt_ids)


def spelt(words: Ragged, pieces: Ragged, rows: Int32[np.ndarray, "words"]) -> Ragged:
    """Lines of words as lines of pieces; `rows` says for each word which row of `pieces` spells it."""
    parts = []
    for start in range(0, words.rows, LINES_AT_ONCE):
        ends = words.offsets[start : start + LINES_AT_ONCE + 1]
        parts.append(pieces.take(rows[ends[0] : ends[-1]]).joined(ends - ends[0]))
    return concatenate(parts)


def encode(pairs: Pairs, src: Subwords, tgt: Subwords) -> Encoded:
    """The pairs in the ids of their two vocabularies."""
    return Encoded(*_side(pairs.src, src), *_side(pairs.tgt, tgt))


def _side(lines: Sequence[str], subwords: Subwords) -> Ragged:
    different, words = number_words(_watched(lines))
    return spelt(words, ragged(subwords.encode_each(different)), words.values)


def _watched(lines: Sequence[str]) -> Iterator[str]:
    """The lines; at a terminal, while a large corpus is divided into words, a bar shows how far it is."""
    console = Console(highlight=False)
    columns = (TextColumn("{task.completed:>12,}/{task.total:,}"), BarColumn(24), TextColumn("lines encoded"))
    hidden = len(lines) < MANY or not console.is_terminal
    with Progress(*columns, console=console, auto_refresh=False, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=len(lines))
        for start in range(0, len(lines), LINES_AT_ONCE):
            yield from (portion := lines[start : start + LINES_AT_ONCE])
            bar.update(task, advance=len(portion), refresh=True)


def _share(ids: Int32[np.ndarray, "pieces"]) -> float:
    return float((ids == UNK).mean()) if len(ids) else 0.0
