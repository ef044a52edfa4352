"""Make self-contained pages: one HTML file with style, script and data, which may not load anything else."""

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
    """Fill a page's template, with a content security policy that allows only this style and this script.

    Args:
        name: The template's file name in `web`.
        style: The names of the style sheets.
        script: The name of the page's first module.
        src_lang: The source's language code, for `lang` attributes.
        tgt_lang: The target's language code.
        allowed: More directives of the policy.
        holes: Values of the template's other names, as HTML that the caller has escaped.
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
    """The content security policy of a page; arguments as for `fill`."""
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_fingerprint(_sheet(style))}'; script-src '{_fingerprint(join_modules(script))}'"
        + (f"; {allowed}" if allowed else "")
    )


def _sheet(style: Sequence[str]) -> str:
    return "\n".join(map(read_part, style))


def pack(plain: object) -> str:
    """JSON, gzipped, in base64; less than half the size."""
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # lone surrogates, as in text decoded with errors="surrogateescape", are not valid UTF-8
    return pack_bytes(text.encode(errors="replace"))


def pack_bytes(content: bytes, level: int = 6) -> str:
    """Bytes, gzipped, in base64, which has no characters with a meaning in HTML."""
    return base64.b64encode(gzip.compress(content, compresslevel=level, mtime=0)).decode()


def _fingerprint(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
