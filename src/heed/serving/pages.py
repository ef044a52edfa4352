"""The HTML pages: one to translate with, and the API documentation. They load nothing from other servers."""

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from starlette.responses import HTMLResponse

from heed.bundle import Bundle
from heed.export.page import ServedPage, make_served_page
from heed.translator import Translator


def translating_pages(translators: Mapping[str, Translator], longest: int) -> dict[str, HTMLResponse]:
    """The page for each pair of languages, such as "en-fr"; models of the same pair translate side by side.

    Args:
        translators: translators by name, at least one; the languages of the first one come first.
        longest: the largest number of characters of a sentence.
    """
    by_languages: dict[str, dict[str, Bundle]] = {}
    for name, translator in translators.items():
        languages = f"{translator.src_lang or '?'}-{translator.tgt_lang or '?'}"
        by_languages.setdefault(languages, {})[name] = translator.bundle
    addresses = {f"Translate {languages}": f"?languages={quote(languages)}" for languages in by_languages}
    return {
        languages: _response(
            make_served_page(
                bundles, longest, {text: to for text, to in addresses.items() if text != f"Translate {languages}"}
            )
        )
        for languages, bundles in by_languages.items()
    }


def _response(page: ServedPage) -> HTMLResponse:
    return HTMLResponse(page.text, headers={"content-security-policy": page.policy})


def docs_page(document: dict[str, Any]) -> HTMLResponse:
    """The page at /docs: an OpenAPI document as HTML."""
    operations = [
        _operation(path, method, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    head = (
        f"<h1>{escape(document['info']['title'])}</h1><p>{escape(document['info']['description'])}</p>"
        '<p>For programs: <a href="openapi.json">openapi.json</a></p>'
    )
    return _page("interface", head + "".join(operations))


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    lines = [
        f"<section><h2>{method.upper()} {escape(path)}</h2>",
        f"<p>{escape(operation.get('description') or operation.get('summary', ''))}</p>",
    ]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if content:
        name = content["$ref"].rpartition("/")[2]
        schema = document["components"]["schemas"][name]
        rows = "".join(_property(key, value, key in schema.get("required", ())) for key, value in _properties(schema))
        lines.append(f"<table><tr><th>key</th><th>value</th><th></th></tr>{rows}</table>")
    statuses = ", ".join(f"{code} {escape(one['description'])}" for code, one in operation["responses"].items())
    return "".join(lines) + f"<p>Answers: {statuses}</p></section>"


def _properties(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(schema.get("properties", {}).items())


def _property(key: str, value: dict[str, Any], required: bool) -> str:
    default = "required" if required else f"default {json.dumps(value.get('default'))}"
    cells = (key, _type(value), f"{value.get('description', '')} ({default})".strip())
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _type(value: dict[str, Any]) -> str:
    if "anyOf" in value:
        return " or ".join(_type(one) for one in value["anyOf"])
    if "enum" in value:
        return " or ".join(map(str, value["enum"]))
    inner = f" of {_type(value['items'])}" if "items" in value else ""
    return str(value.get("type", "object")) + inner


def _page(title: str, body: str) -> HTMLResponse:
    style = files("heed.serving").joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    head = "<meta charset=utf-8><meta name=viewport content='width=device-width'><link rel=icon href='data:,'>"
    head += f"<title>heed: {title}</title>"
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    html = f"<!doctype html><html lang=en>{head}<style>{style}</style><main>{body}</main>"
    return HTMLResponse(html, headers={"content-security-policy": policy})
