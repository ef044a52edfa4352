"""Parallel text: the splits of a corpus, and the pairs that they hold."""

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
    """Sentence pairs, side by side; `gold` holds an alignment in Pharaoh's format for each, or is None.

    `lines` are their numbers in the files, from 1, if some were left out. `notes` are lines that a person should read,
    as on what was done to the files. `further` are other translations of the sources, each a list with one for every
    pair, or None for a source that it lacks. The training split of a mix has `parts`, and the number of the part of
    each pair.
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
        """The pairs to keep, with all that belongs to them."""
        numbers = range(1, len(self) + 1) if self.lines is None else self.lines
        gold = None if self.gold is None else list(compress(self.gold, keep))
        lines = None if gold is None else list(compress(numbers, keep))
        further = tuple(list(compress(each, keep)) for each in self.further)
        src, tgt = list(compress(self.src, keep)), list(compress(self.tgt, keep))
        return Pairs(src, tgt, gold, lines, self.notes, further, self.parts, tuple(compress(self.part, keep)))


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
        """Every pair of the split, in order; blank lines stay, so that line numbers do.

        Raises:
            UserError: there is no such split, or it cannot be read.
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
