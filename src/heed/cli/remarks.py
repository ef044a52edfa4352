"""Warnings about translations that may be wrong."""

from collections.abc import Sequence

from rich.console import Console

from heed.cli.streams import print_error
from heed.text.controls import harmless
from heed.translation import Translation


class Seen:
    """Counts of suspicious lines."""

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
        """One line for each kind of problem."""
        texts = {
            "unknown": "contain words with letters that the model does not know",
            "spelled": "contain words that the model reads letter by letter, because it has learned no similar words",
            "unended": "were cut at the maximum length, because the model did not end them",
        }
        return [
            f"{len(where):,} of {self.lines:,} lines {texts[name]} (the first is line {where[0]:,})"
            for name, where in self._where.items()
            if where
        ]


def remarks(translation: Translation) -> list[str]:
    """The warnings about one translation, as lines to print below it."""
    words = {
        "unknown: contains letters that the model was not trained on": translation.unknown_words,
        "read letter by letter, because the model has learned no similar word": translation.spelled_words,
    }
    lines = [f"{', '.join(some)}: {text}" for text, some in words.items() if some]
    if translation.src.ids and not translation.finished:
        lines.append(f"cut after {len(translation.tgt.ids)} subwords, because the model did not end the translation")
    return lines


def show_remarks(console: Console, translation: Translation) -> None:
    """Print the warnings about a translation below it."""
    for line in remarks(translation):
        console.print(harmless(f"({line})"), style="dim")


def print_notes(lines: Sequence[str]) -> None:
    """Print a summary of the warnings on standard error."""
    for line in lines:
        print_error(f"heed-translate: {line}")
