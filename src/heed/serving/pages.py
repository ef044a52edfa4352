"""The pages for people: a form to translate with, and the interface in words. Nothing in them comes from elsewhere."""

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from typing import Any

from starlette.responses import HTMLResponse


def form_page() -> HTMLResponse:
    """The page at /."""
    return _page("translate", _file("form.html"), _file("form.js"))


def docs_page(document: dict[str, Any]) -> HTMLResponse:
    """The page at /docs: an OpenAPI document as it is read from top to bottom."""
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


def _page(title: str, body: str, script: str = "") -> HTMLResponse:
    style = _file("page.css")
    head = "<meta charset=utf-8><meta name=viewport content='width=device-width'><link rel=icon href='data:,'>"
    head += f"<title>heed: {title}</title>"
    html = f"<!doctype html><html lang=en>{head}<style>{style}</style><main>{body}</main>"
    html += f"<script>{script}</script>" if script else ""
    policy = [
        "default-src 'none'",
        f"style-src {_digest(style)}",
        f"script-src {_digest(script) if script else chr(39) + 'none' + chr(39)}",
        "img-src data:",
        "connect-src 'self'" if script else "connect-src 'none'",
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ]
    return HTMLResponse(html, headers={"content-security-policy": "; ".join(policy)})


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _file(name: str) -> str:
    return files("heed.serving").joinpath(name).read_text(encoding="utf-8")
