"""Parse language codes in all usual forms: `zh`, `zho`, `chi`, `cmn`, `zh_CN`, `zh-Hans-CN`, `zho_Hans`.

Codes of ISO 639-1, -2 and -3, BCP 47 tags, locales such as `pt_BR.UTF-8` and the codes of FLORES are parsed by
langcodes, which contains the registries. A country code used as a language code (`cn`, `jp`, `cz`) is read as the
language that most people in that country write.
"""

import re
from functools import cache

from langcodes import Language, standardize_tag, tag_is_valid
from langcodes.tag_parser import LanguageTagError

SPACELESS = {
    **dict.fromkeys(("Hans", "Hant", "Hani"), "zh"),
    **dict.fromkeys(("Jpan", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr", "Tibt"), "char"),
}
"""Script (ISO 15924) -> sacreBLEU's tokenisation, for scripts without spaces between words. With sacreBLEU's default, a
sentence in them would be one word. Japanese is divided into characters, because sacreBLEU's own choice needs MeCab."""


def language(code: str) -> str:
    """The shortest code of the language: `pt` for pt_BR, `zh` for zho_Hans.

    A text that is not a language code is returned in lower case, up to its first hyphen or underscore.
    """
    known = _parsed(code)
    return str(known.language) if known else re.split("[-_]", code.lower())[0]


def script(code: str) -> str:
    """The script that the code names, or the usual script of the language; empty if neither is known."""
    known = _parsed(code)
    return str(known.maximize().script or "") if known else ""


@cache
def _parsed(code: str) -> Language | None:
    """The code parsed by langcodes, or None."""
    try:
        tag = standardize_tag(re.split("[.@]", code)[0].replace("_", "-"), macro=True)
    except LanguageTagError:
        return None
    language, _, rest = tag.partition("-")
    if not tag_is_valid(language):
        return _main_language(language, rest)
    return Language.get(tag)


def _main_language(territory: str, rest: str) -> Language | None:
    """The language that most people write in a territory; `rest` is the rest of the code, such as a script."""
    if len(territory) != 2 or not tag_is_valid(f"und-{territory}"):
        return None
    main = Language.get(f"und-{territory}").maximize().language
    if main == "en":  # langcodes also returns this for a territory that it does not know
        return None
    return _parsed("-".join(filter(None, (main, rest))))
