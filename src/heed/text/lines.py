"""Lines that are read again at every iteration, so that only a few of them are in memory at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, compress, islice
from typing import overload


class Lines(Sequence[str]):
    """A sequence of `size` lines; each call of `read` returns an iterator over all of them.

    Iterate in order: to get a single line, all lines before it are read.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, size: int, read: Callable[[], Iterable[str]]) -> None:
        self._size, self._read = size, read

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return list(islice(self, *place.indices(len(self))))
        return next(islice(self, range(len(self))[place], None))

    def __eq__(self, other: object) -> bool:
        """Whether `other` is a sequence of the same lines."""
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(one == another for one, another in zip(self, other, strict=True))

    def __repr__(self) -> str:
        return f"<{len(self)} lines>"


def concatenated(parts: Sequence[Sequence[str]]) -> Sequence[str]:
    """The lines of all parts, one part after the other."""
    return parts[0] if len(parts) == 1 else Lines(sum(map(len, parts)), partial(chain.from_iterable, parts))


def selected(lines: Sequence[str], flags: bytes) -> Lines:
    """The lines with a flag of 1; the other flags are 0."""
    return Lines(flags.count(1), partial(compress, lines, flags))
