"""Find fonts for words of any script among the installed ones."""

import logging
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby

from matplotlib.font_manager import FontEntry, findSystemFonts, fontManager
from matplotlib.ft2font import FT2Font

log = logging.getLogger(__name__)

BASE = "DejaVu Sans"  # comes with matplotlib: Latin, Greek, Cyrillic, Arabic, Hebrew, many symbols
LAST_RESORT = "Last Resort High-Efficiency"  # comes with matplotlib too: boxes for all other characters

EAST_ASIAN = "Chinese, Japanese and Korean"
EMOJI = "emoji"
# packages of Debian and Ubuntu. Symbola, because Noto's emoji are bitmaps, which matplotlib cannot draw.
PACKAGES = {EAST_ASIAN: "fonts-noto-cjk", EMOJI: "fonts-symbola"}
SHORT = {EAST_ASIAN: "CJK"}
OTHER_PACKAGE = "fonts-noto-core"

_warned: set[str] = set()  # scripts that were already reported, once per process


def families(words: Iterable[str]) -> list[str]:
    """Font families that together show the words, for the `family` of a matplotlib text.

    The others fill the gaps of the first one. If no installed font covers a script, this is logged once, with a package
    that contains a font for it.
    """
    return list(_families(frozenset("".join(words)))[0])


def readable(words: Sequence[str]) -> list[str]:
    """The words, with the name of the script instead of characters that no font shows: [Devanagari] and not boxes."""
    _, missing = _families(frozenset("".join(words)))
    if not missing:
        return list(words)
    return [_spelled(word, missing) for word in words]


def _spelled(word: str, missing: frozenset[str]) -> str:
    runs = groupby(word, lambda char: _name(char, missing))
    return "".join(f"[{name}]" if name else "".join(chars) for name, chars in runs)


def _name(char: str, missing: frozenset[str]) -> str:
    return SHORT.get(script(char), script(char)) if char in missing else ""


@lru_cache(maxsize=1024)
def _families(chars: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Families for the characters, and the characters that none of them shows."""
    base = next(entry for entry in fontManager.ttflist if entry.name == BASE and _regular(entry))
    scripts = defaultdict(set)
    for char in _uncovered(base, chars):
        scripts[script(char)].add(char)
    names, missing = [BASE], set[str]()
    for name in sorted(scripts):
        more, rest = _covering(name, frozenset(scripts[name]))
        names += more
        missing |= rest
    return (*names, LAST_RESORT), frozenset(missing)


def script(char: str) -> str:
    """The usual name of the character's script, such as "Devanagari"."""
    if unicodedata.category(char) in ("So", "Sk"):
        return EMOJI
    if unicodedata.east_asian_width(char) in "WF":
        return EAST_ASIAN
    name = unicodedata.name(char, "")
    return name.split()[0].capitalize() if name else f"U+{ord(char):04X}"


def _covering(name: str, chars: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    names, rest = _search(chars)
    if rest and _add_new_fonts():
        names, rest = _search(chars)
    if rest:
        _warn(name, "".join(sorted(rest)[:5]))
    return names, rest


def _search(chars: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    candidates = [entry for entry in fontManager.ttflist if entry.name != LAST_RESORT and _regular(entry)]
    candidates.sort(key=lambda entry: _dislike(entry.name, chars))
    names: list[str] = []
    while chars:
        best = min(candidates, key=lambda entry: len(_uncovered(entry, chars)))
        rest = _uncovered(best, chars)
        if rest == chars:
            break
        names.append(best.name)
        chars = rest
    return names, chars


def _regular(entry: FontEntry) -> bool:
    # the regular face; bold and italic ones may cover other characters
    return entry.style == "normal" and entry.weight in (400, 500)


def _uncovered(entry: FontEntry, chars: frozenset[str]) -> frozenset[str]:
    try:
        font = FT2Font(entry.fname, face_index=entry.index)
    except (OSError, RuntimeError):  # removed after matplotlib listed it
        return chars
    return frozenset(char for char in chars if not (font.get_char_index(ord(char)) or _invisible(char)))


def _invisible(char: str) -> bool:
    # joiners and variation selectors have no glyphs themselves
    category, name = unicodedata.category(char), unicodedata.name(char, "")
    return category in ("Cc", "Cf", "Zs", "Zl", "Zp") or name.startswith("VARIATION SELECTOR")


def _dislike(family: str, chars: frozenset[str]) -> tuple[bool, bool, bool, str]:
    """Sort key: Noto's sans-serif families first, and among them the one with the language's Han glyphs."""
    names = {unicodedata.name(char, "").split(" ")[0] for char in chars}
    region = "JP" if names & {"HIRAGANA", "KATAKANA"} else "KR" if "HANGUL" in names else "SC"
    return not family.startswith("Noto Sans"), "Mono" in family, not family.endswith(region), family


@lru_cache(maxsize=1)
def _add_new_fonts() -> bool:
    """Add fonts that were installed after matplotlib wrote its list of fonts, which it does not update."""
    before = len(fontManager.ttflist)
    for path in set(findSystemFonts()) - {entry.fname for entry in fontManager.ttflist}:
        try:
            fontManager.addfont(path)
        except (OSError, RuntimeError, NotImplementedError):  # a broken font or a bitmap font
            log.debug("skipped the font %s", path)
    return len(fontManager.ttflist) > before


def _warn(name: str, examples: str) -> None:
    if name in _warned:
        return
    _warned.add(name)
    log.warning(
        "no font on this machine shows %s characters such as %s: heatmaps name the script in their place; "
        "install a font and start again, on Debian or Ubuntu: apt-get install %s",
        name,
        examples,
        PACKAGES.get(name, OTHER_PACKAGE),
    )
