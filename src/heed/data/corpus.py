"""Parallel text: the splits of a corpus, and the pairs that they hold."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
from jaxtyping import Bool

from heed.errors import UserError
from heed.text.lines import selected


@dataclass(frozen=True)
class Pairs:
    """Sentence pairs, side by side; `gold` holds an alignment in Pharaoh's format for each, or is None.

    `lines` are their numbers in the files, from 1, if some were left out. `notes` are lines that a person should read,
    as on what was done to the files. `further` are other translations of the sources, each a list with one for every
    pair, or None for a source that it lacks.

    The sides and the alignments may be read from files at every iteration (`heed.text.lines.Lines`): whoever reads long
    text goes through it in order.
    """

    src: Sequence[str]
    tgt: Sequence[str]
    gold: Sequence[str] | None = None
    lines: Sequence[int] | None = None
    notes: Sequence[str] = ()
    further: Sequence[Sequence[str | None]] = ()

    def __len__(self) -> int:
        return len(self.src)

    def select(self, keep: Sequence[bool] | Bool[np.ndarray, "pairs"]) -> "Pairs":
        """The pairs to keep, with their gold alignments, further references and the numbers of their lines.

        Text is not copied; it is read again at every iteration.
        """
        flags = np.asarray(keep, bool).tobytes()  # quicker to iterate over than an array
        numbers = range(1, len(self) + 1) if self.lines is None else self.lines
        gold = None if self.gold is None else selected(self.gold, flags)
        lines = None if gold is None else list(compress(numbers, flags))
        further = tuple(list(compress(each, flags)) for each in self.further)
        return Pairs(selected(self.src, flags), selected(self.tgt, flags), gold, lines, self.notes, further)

    def in_memory(self) -> "Pairs":
        """The same with its text in lists."""
        gold = None if self.gold is None else list(self.gold)
        return replace(self, src=list(self.src), tgt=list(self.tgt), gold=gold)


@dataclass(frozen=True)
class Corpus:
    """A named bitext; its splits are read when asked for.

    `notes` are lines that a person should read before training, as on how the splits were made.
    """

    name: str
    src_lang: str
    tgt_lang: str
    splits: Mapping[str, Callable[[], Pairs]]
    notes: Sequence[str] = ()

    def read(self, split: str) -> Pairs:
        """Every pair of the split, in order, in memory; blank lines stay, so that line numbers do.

        Raises:
            UserError: there is no such split, or it cannot be read.
        """
        return self.stream(split).in_memory()

    def stream(self, split: str) -> Pairs:
        """`read` for a split that may not fit into memory: its files are checked now, and read at every iteration.

        Raises:
            UserError: as `read`.
        """
        if split not in self.splits:
            known = ("train", "valid", "test")
            advice = f"set corpus.{split}=…" if split in known else f"a split is one of {', '.join(known)}"
            raise UserError(f"corpus {self.name} has no {split} split; {advice}")
        try:
            return self.splits[split]()
        except UserError:
            raise
        except (OSError, ValueError) as error:  # from a reader of another package
            raise UserError(f"corpus {self.name} cannot be read, split {split}: {error}") from error
