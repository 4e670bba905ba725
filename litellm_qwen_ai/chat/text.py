"""Text that came from a server, made fit for a message: short, printable, without secrets."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.redaction import STARS, redacted

if TYPE_CHECKING:
    from collections.abc import Iterable

MESSAGE_LIMIT = 800
"""Characters of a server's message that are kept."""

_SECRETS = re.compile(
    r"""
      (?P<scheme>\bbearer\s+)(?P<bearer>[^\s"',;<>]+)
    | (?P<key>["']?\b(?:access_token|refresh_token|id_token|device_code|code_verifier
        |api[_-]?key|password|secret)
        ["']?\s*[:=]\s*["']?)(?P<value>[^\s"',;&<>]{4,})
    | \bsk-[A-Za-z0-9_\-*.]{8,}
    | (?<=://)[^\s/?\#"'<>]*(?=@)
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.{0,400}?)</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]{0,200}>")


def one_line(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Fold white space and control characters into single spaces and cut at `limit` characters."""
    # Twice the limit before folding: a huge text is not walked whole.
    visible = "".join(char if char.isprintable() else " " for char in text[: 2 * limit])
    folded = " ".join(visible.split())
    return folded if len(folded) <= limit else folded[: limit - 1].rstrip() + "…"


def presentable(text: str, secrets: Iterable[str] = (), limit: int = MESSAGE_LIMIT) -> str:
    """Without bearers, keys, JWTs, an address's name and password, and `secrets`.

    Then folded and cut, so no half of a secret survives.
    """
    stars = redacted(text[:65536], secrets)
    stars = _SECRETS.sub(lambda found: f"{found['scheme'] or found['key'] or ''}{STARS}", stars)
    return one_line(stars, limit)


def looks_like_html(body: bytes) -> bool:
    """Whether the body is a web page (a gateway's error page, a firewall's captcha)."""
    head = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith((b"<!doctype", b"<head", b"<body", b"<h1", b"<title")) or b"<html" in head


def html_summary(body: bytes) -> str:
    """What a page says about itself: its title or first heading, never its markup."""
    found = _TITLE.search(body[:65536].decode("utf-8", "replace"))
    title = one_line(html.unescape(_TAG.sub(" ", found[2])), 120) if found else ""
    return f'an HTML page titled "{title}"' if title else "an HTML page"


def json_value(data: bytes) -> Any:
    """A server's JSON, without lone surrogates: pydantic and UTF-8 both refuse them.

    Raises:
        ValueError: It is no JSON, or too deep.
    """
    try:
        value = json.loads(data.decode("utf-8", "replace").removeprefix("\ufeff"))
        # Only an escape can smuggle one in.
        return _without_surrogates(value) if b"\\ud" in data or b"\\uD" in data else value
    except RecursionError:
        raise ValueError from None


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        # Through UTF-16 so that two escapes forming a pair become their character.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
