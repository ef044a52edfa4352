"""What may be wrong with a translation, for the person who asked for it."""

from collections.abc import Sequence

from rich.console import Console

from heed.cli.streams import print_error
from heed.text.controls import harmless
from heed.translation import Translation


class Seen:
    """What of the translated lines a person should know, counted."""

    def __init__(self) -> None:
        self.lines = 0
        self._where: dict[str, list[int]] = {"unknown": [], "spelled": [], "unended": []}

    def add(self, translation: Translation) -> None:
        """Count the next line."""
        self.lines += 1
        faults = {
            "unknown": translation.unknown_words,
            "spelled": translation.spelled_words,
            "unended": translation.src.ids and not translation.finished,
        }
        for name, fault in faults.items():
            if fault:
                self._where[name].append(self.lines)

    def summary(self) -> list[str]:
        """A line for each kind of fault."""
        texts = {
            "unknown": "have words with letters that the model does not know",
            "spelled": "have words that the model reads letter by letter, as it does if it has learnt none like them",
            "unended": "were cut at their longest length: the model found no end",
        }
        return [
            f"{len(where):,} of {self.lines:,} lines {texts[name]} (the first is line {where[0]:,})"
            for name, where in self._where.items()
            if where
        ]


def remarks(translation: Translation) -> list[str]:
    """The same of one translation, as lines to stand below it."""
    words = {
        "not known, as it has letters that the model was not trained on": translation.unknown_words,
        "read letter by letter, as the model does if it has learnt no word like it": translation.spelled_words,
    }
    lines = [f"{', '.join(some)}: {text}" for text, some in words.items() if some]
    if translation.src.ids and not translation.finished:
        lines.append(f"cut after {len(translation.tgt.ids)} pieces: the model found no end")
    return lines


def show_remarks(console: Console, translation: Translation) -> None:
    """Under a translation what may be wrong with it."""
    for line in remarks(translation):
        console.print(harmless(f"({line})"), style="dim")


def print_notes(lines: Sequence[str]) -> None:
    """Remarks on all that was translated, on standard error."""
    for line in lines:
        print_error(f"heed-translate: {line}")
