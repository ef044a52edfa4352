"""Parallel text: the splits of a corpus and their sentence pairs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
from jaxtyping import Bool

from heed.errors import UserError
from heed.text.lines import selected


@dataclass(frozen=True)
class Part:
    """A corpus in a mix (`heed.data.mix`): how often its pairs are read in an epoch, and how many they are.

    `scored` of the pairs read were left out because they have a sentence of the validation or the test split. `turned`:
    it is in the other direction, so its sources are in the target language of the mix.
    """

    name: str
    weight: float
    read: int
    scored: int = 0
    notes: Sequence[str] = ()
    turned: bool = False


@dataclass(frozen=True)
class Pairs:
    """Sentence pairs.

    Attributes:
        src, tgt: sources and targets.
        gold: a gold alignment in Pharaoh format for each pair, or None.
        lines: line numbers in the files, from 1, if some lines were left out; otherwise None.
        notes: messages for the user, for example about changes to the text.
        further: additional reference translations; each is a list with one for every pair, or None if it has none.
        parts: the parts of the training split of a mix.
        part: the number of the part of each pair, if there are parts.

    The sides and the alignments may be read from files at every iteration (`heed.text.lines.Lines`), so iterate over
    long text in order.
    """

    src: Sequence[str]
    tgt: Sequence[str]
    gold: Sequence[str] | None = None
    lines: Sequence[int] | None = None
    notes: Sequence[str] = ()
    further: Sequence[Sequence[str | None]] = ()
    parts: Sequence[Part] = ()
    part: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.src)

    def select(self, keep: Sequence[bool] | Bool[np.ndarray, "pairs"]) -> "Pairs":
        """A selection of the pairs, with their alignments, additional references, line numbers and parts.

        Text is not copied; it is read again at every iteration.
        """
        flags = np.asarray(keep, bool).tobytes()  # faster to iterate over than an array
        numbers = range(1, len(self) + 1) if self.lines is None else self.lines
        gold = None if self.gold is None else selected(self.gold, flags)
        lines = None if gold is None else list(compress(numbers, flags))
        further = tuple(list(compress(reference, flags)) for reference in self.further)
        src, tgt = selected(self.src, flags), selected(self.tgt, flags)
        return Pairs(src, tgt, gold, lines, self.notes, further, self.parts, tuple(compress(self.part, flags)))

    def in_memory(self) -> "Pairs":
        """The same pairs with their text in lists."""
        gold = None if self.gold is None else list(self.gold)
        return replace(self, src=list(self.src), tgt=list(self.tgt), gold=gold)


@dataclass(frozen=True)
class Corpus:
    """A named parallel corpus; its splits are read when they are needed.

    `notes` are messages for the user, for example about how the splits were made.
    """

    name: str
    src_lang: str
    tgt_lang: str
    splits: Mapping[str, Callable[[], Pairs]]
    notes: Sequence[str] = ()

    def read(self, split: str) -> Pairs:
        """All pairs of the split, in order, in memory. Blank lines are kept, so that line numbers stay the same.

        Raises:
            UserError: there is no such split, or it cannot be read.
        """
        return self.stream(split).in_memory()

    def stream(self, split: str) -> Pairs:
        """The same as `read` for a split that may not fit into memory: files are checked now and read when iterated.

        Raises:
            UserError: there is no such split, or it cannot be read.
        """
        if split not in self.splits:
            known = ("train", "valid", "test")
            advice = f"set corpus.{split}=…" if split in known else f"expected one of {', '.join(known)}"
            raise UserError(f"corpus {self.name} has no {split} split; {advice}")
        try:
            return self.splits[split]()
        except UserError:
            raise
        except (OSError, ValueError) as error:  # the reader may come from another package
            raise UserError(f"corpus {self.name} cannot be read (split {split}): {error}") from error
