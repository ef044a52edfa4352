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
    workers: bool = False,
    **holes: str,
) -> str:
    """A page from its template, with a content security policy that lets this style and this script run alone.

    Args:
        name: The template's file name in `web`.
        style: The names of the style sheets.
        script: The name of the page's first module.
        src_lang: A language's code, for the `lang` of the texts.
        tgt_lang: The same for what was written.
        workers: Whether the page may start a worker from a text of its own.
        holes: What the template's other names stand for; HTML, so the caller has escaped it.
    """
    sheet, module = "\n".join(map(read_part, style)), join_modules(script)
    return Template(read_part(name)).substitute(
        policy="default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_fingerprint(sheet)}'; script-src '{_fingerprint(module)}'"
        + ("; worker-src blob:" if workers else ""),
        style=sheet,
        script=module,
        card=read_part("card.html").rstrip(),
        source_lang=html.escape(language_tag(src_lang) or ""),
        target_lang=html.escape(language_tag(tgt_lang) or ""),
        **holes,
    )


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
