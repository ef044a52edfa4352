"""Parallel text: the splits of a corpus and their sentence pairs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from heed.errors import UserError


@dataclass(frozen=True)
class Part:
    """A corpus in a mix (`heed.data.mix`): how often its pairs are read in an epoch, and how many they are.

    `scored` of the pairs read were left out because they have a sentence of the validation or the test split.
    """

    name: str
    weight: float
    read: int
    scored: int = 0
    notes: Sequence[str] = ()


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
    """

    src: list[str]
    tgt: list[str]
    gold: list[str] | None = None
    lines: Sequence[int] | None = None
    notes: Sequence[str] = ()
    further: Sequence[Sequence[str | None]] = ()
    parts: Sequence[Part] = ()
    part: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.src)

    def select(self, keep: Sequence[bool]) -> "Pairs":
        """A selection of the pairs, with their alignments, additional references, line numbers and parts."""
        numbers = range(1, len(self) + 1) if self.lines is None else self.lines
        gold = None if self.gold is None else list(compress(self.gold, keep))
        lines = None if gold is None else list(compress(numbers, keep))
        further = tuple(list(compress(reference, keep)) for reference in self.further)
        src, tgt = list(compress(self.src, keep)), list(compress(self.tgt, keep))
        return Pairs(src, tgt, gold, lines, self.notes, further, self.parts, tuple(compress(self.part, keep)))


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
        """All pairs of the split, in order. Blank lines are kept, so that line numbers stay the same.

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
