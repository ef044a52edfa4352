"""The gallery: all sentences with their attention on one page that needs no network and no server."""

import html
from collections.abc import Mapping, Sequence

from heed.viz.entries import Candidate, Entry, Links, plain_entry
from heed.viz.page import fill, pack

__all__ = ["Candidate", "Entry", "Links", "gallery"]

LONGEST_FIGURE = 16  # characters; longer values, such as signatures, are shown in small type below


def gallery(
    entries: Sequence[Entry],
    title: str,
    summary: Mapping[str, str],
    src_lang: str | None = None,
    tgt_lang: str | None = None,
) -> str:
    """Make the page: HTML with style, script and data in one file.

    The sentences are included only as packed data, and the script inserts them only as text. The page's content
    security policy allows nothing to be loaded and no other script to run.

    Args:
        entries: The sentences; at least one.
        title: The page's title and heading.
        summary: Names and values to show above the sentences, such as corpus scores.
        src_lang: The language code of the sources, in any usual form, for `lang` attributes, by which browsers choose
            Japanese or Chinese glyphs and screen readers choose a voice.
        tgt_lang: The language code of references and hypotheses.

    Raises:
        ValueError: No entry, or one whose weights are not shares or do not fit its words.
        UserError: A gold link is outside its sentence.
    """
    if not entries:
        raise ValueError("there is no sentence to show; expected at least one")
    notes = {name: value for name, value in summary.items() if len(value) > LONGEST_FIGURE}
    return fill(
        "gallery.html",
        ("card.css", "gallery.css"),
        "gallery.mjs",
        src_lang,
        tgt_lang,
        title=html.escape(title),
        figures=_definitions({name: value for name, value in summary.items() if name not in notes}),
        notes=_definitions(notes),
        no_notes="" if notes else " hidden",
        count=f"{len(entries):,}",
        entries=pack([plain_entry(entry, number) for number, entry in enumerate(entries, start=1)]),
    )


def _definitions(terms: Mapping[str, str]) -> str:
    return "\n".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>" for name, value in terms.items()
    )
