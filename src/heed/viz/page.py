"""What the pages have in common: one file with its style, its script and its data inside, and nothing else allowed."""

import base64
import gzip
import hashlib
import html
import json
from collections.abc import Sequence
from string import Template

from heed.viz.language_tags import language_tag
from heed.viz.modules import join_modules, read_part


def fill(
    name: str,
    style: Sequence[str],
    script: str,
    src_lang: str | None,
    tgt_lang: str | None,
    allowed: str = "",
    **holes: str,
) -> str:
    """A page from its template, with a content security policy that lets this style and this script run alone.

    Args:
        name: The template's file name in `web`.
        style: The names of the style sheets.
        script: The name of the page's first module.
        src_lang: A language's code, for the `lang` of the texts.
        tgt_lang: The same for what was written.
        allowed: What else the policy lets the page do.
        holes: What the template's other names stand for; HTML, so the caller has escaped it.
    """
    return Template(read_part(name)).substitute(
        policy=content_policy(style, script, allowed),
        style=_sheet(style),
        script=join_modules(script),
        card=read_part("card.html").rstrip(),
        source_lang=html.escape(language_tag(src_lang) or ""),
        target_lang=html.escape(language_tag(tgt_lang) or ""),
        **holes,
    )


def content_policy(style: Sequence[str], script: str, allowed: str = "") -> str:
    """What a page's content security policy says; arguments as for `fill`."""
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_fingerprint(_sheet(style))}'; script-src '{_fingerprint(join_modules(script))}'"
        + (f"; {allowed}" if allowed else "")
    )


def _sheet(style: Sequence[str]) -> str:
    return "\n".join(map(read_part, style))


def pack(plain: object) -> str:
    """JSON, compressed: less than half the size."""
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate, as text decoded with errors="surrogateescape" has, is not UTF-8.
    return pack_bytes(text.encode(errors="replace"))


def pack_bytes(content: bytes, level: int = 6) -> str:
    """Bytes, compressed, in base64, which has no character that HTML could take for its own."""
    return base64.b64encode(gzip.compress(content, compresslevel=level, mtime=0)).decode()


def _fingerprint(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
