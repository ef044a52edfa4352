"""Origins of web pages that may use the server from a browser."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from heed.errors import UserError

PORTS = {"http": 80, "https": 443}
"""Ports that a browser leaves out of an origin."""


def check_origins(origins: Sequence[str]) -> None:
    """Refuse origins that no browser would send, because they would never match.

    Args:
        origins: origins such as `https://example.org` or `http://localhost:8080`, or `*` for all pages.

    Raises:
        UserError: an origin has another form; the message suggests the right form if possible.
    """
    for origin in origins:
        sent = "*" if origin == "*" else _as_sent(origin)
        if sent != origin:
            near = f"; did you mean {sent}?" if sent else ""
            raise UserError(
                f"origins=[{origin}]: expected an origin, scheme://host or scheme://host:port as in "
                f"https://example.org, or * for every page{near}"
            )


def _as_sent(url: str) -> str | None:
    """The origin of a page at this address (RFC 6454, section 6.2); None if it is not an address."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:  # includes UnicodeError
        return None
    if not parts.scheme or not host or any(sign.isspace() for sign in url):
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, PORTS.get(parts.scheme)) else "")
