"""Every sentence with its attention as one page that needs no network and no server."""

import html
from collections.abc import Mapping, Sequence

from heed.viz.entries import Candidate, Entry, Links, plain_entry
from heed.viz.page import fill, pack

__all__ = ["Candidate", "Entry", "Links", "gallery"]

LONGEST_FIGURE = 16  # characters; a longer summary value, such as a signature, is set small below


def gallery(
    entries: Sequence[Entry],
    title: str,
    summary: Mapping[str, str],
    src_lang: str | None = None,
    tgt_lang: str | None = None,
) -> str:
    """Make the page, an HTML text with its style, its script and its data inside.

    The texts of the sentences stand in it as packed data alone, and the script shows them as text alone. The page's
    own content security policy lets nothing be loaded and nothing run but that script.

    Args:
        entries: The sentences, at least one.
        title: The page's title and heading.
        summary: Names and values to show above the sentences, such as the scores of the whole.
        src_lang: The sources' language, as a code in any usual spelling, for the `lang` attributes: a browser then
            chooses the letter shapes of Japanese or of Chinese, and a screen reader its voice.
        tgt_lang: The same for references and hypotheses.

    Raises:
        ValueError: No entry, or one whose weights are not shares or do not fit its words.
        UserError: A gold link points outside its sentence.
    """
    if not entries:
        raise ValueError("no sentence to show; expected at least one")
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
