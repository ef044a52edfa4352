"""A translation as lines: what is written of it, and what is shown to a person below it."""

from collections.abc import Callable
from functools import partial

from rich.console import Console

from heed.cli.remarks import show_remarks
from heed.text.controls import harmless
from heed.translation import Translation
from heed.viz.interlinear import interlinear

Show = Callable[[Translation], object] | None
Form = Callable[[int, Translation], str]
"""What is written of a line, counted from 0, and of its translation."""


def one_line(number: int, translation: Translation) -> str:
    """The translation alone."""
    return f"{translation.text}\n"


def n_best_lines(number: int, translation: Translation) -> str:
    """`number ||| translation ||| score` for each, best first, as Moses writes its lists; lines count from 0."""
    return "".join(f"{number} ||| {one.text} ||| {one.score:.4f}\n" for one in translation.candidates)


def shown(remarks: bool, attention: bool) -> Show:
    """What is shown on standard error under each translation: remarks, and where the model looked."""
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
    parts = [partial(show_remarks, console)] if remarks else []
    parts += [partial(show_attention, console)] if attention else []

    def show(translation: Translation) -> None:
        for part in parts:
            part(translation)

    return show if parts else None


def show_attention(console: Console, translation: Translation) -> None:
    """Under each word of a translation the source word, or </s>, that the model looked at most."""
    shown = translation.shown(end=True)
    words = [harmless(word) for word in translation.tgt.marked(translation.words)]
    sources = [harmless(word) for word in shown.src]
    console.print(f"{interlinear(shown.weights[: len(words)], sources, words, console.width)}\n", style="dim")


def for_terminal(lines: str) -> str:
    """Lines that a stranger's model may have written, with no control sequence among them."""
    return "".join(f"{harmless(line)}\n" for line in lines.removesuffix("\n").split("\n"))
