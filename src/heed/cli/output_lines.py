"""The lines written for a translation, and the warnings and attention printed below it."""

from collections.abc import Callable
from functools import partial

from rich.console import Console

from heed.cli.remarks import show_remarks
from heed.text.controls import harmless
from heed.translation import Translation
from heed.viz.interlinear import interlinear

Show = Callable[[Translation], object] | None
Form = Callable[[int, Translation], str]
"""A function of a line's number, counted from 0, and its translation; returns the text to write."""


def one_line(number: int, translation: Translation) -> str:
    """Only the translation."""
    return f"{translation.text}\n"


def n_best_lines(number: int, translation: Translation) -> str:
    """`number ||| translation ||| score` for each candidate, best first, in the n-best format of Moses, from line 0."""
    return "".join(f"{number} ||| {candidate.text} ||| {candidate.score:.4f}\n" for candidate in translation.candidates)


def shown(remarks: bool, attention: bool) -> Show:
    """A function that prints warnings and attention below each translation, on standard error; None for neither."""
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
    parts = [partial(show_remarks, console)] if remarks else []
    parts += [partial(show_attention, console)] if attention else []

    def show(translation: Translation) -> None:
        for part in parts:
            part(translation)

    return show if parts else None


def show_attention(console: Console, translation: Translation) -> None:
    """Print each word of a translation with the source word, or </s>, that it attended to most."""
    shown = translation.shown(end=True)
    words = [harmless(word) for word in translation.tgt.marked(translation.words)]
    sources = [harmless(word) for word in shown.src]
    console.print(f"{interlinear(shown.weights[: len(words)], sources, words, console.width)}\n", style="dim")


def for_terminal(lines: str) -> str:
    """The lines without control characters, which an untrusted model may have written."""
    return "".join(f"{harmless(line)}\n" for line in lines.removesuffix("\n").split("\n"))
