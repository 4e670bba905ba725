"""Requests and replies as plain data: what came in and what goes out.

Everything in the sandbox that decides something takes a `RecordedRequest` and returns a `Reply`; only
`network.py` touches a socket. So each decision can be tested without one.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"
EVENT_STREAM_TYPE = "text/event-stream; charset=utf-8"


@dataclass(slots=True)
class RecordedRequest:
    """One request that the sandbox received.

    Attributes:
        endpoint: Where it came to: `device`, `token`, `refresh`, `chat`, `models`, `page`, `control` or
            `other`.
        method: The HTTP method, upper case.
        path: The path without the query.
        query: The query's fields; the last one wins when a name repeats.
        headers: Header fields with lower-case names.
        body: The body, byte for byte.
        at: When it arrived, in seconds since the epoch by the sandbox's clock.
        status: The HTTP status it was answered with; None while it is being answered or held.
        disconnected: Whether the client went away before the answer was complete.
        error: The error's text in the answer, if it was one.
        unknown_keys: For `chat`: top-level keys of the body that Qwen does not document. Qwen ignores
            most of them, so this is where a key that leaked from a client library shows.
    """

    endpoint: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    at: float = 0.0
    status: int | None = None
    disconnected: bool = False
    error: str | None = None
    unknown_keys: tuple[str, ...] = ()

    @property
    def form(self) -> dict[str, str]:
        """The body read as `application/x-www-form-urlencoded` (an empty dict for anything else)."""
        if not self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return {}
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def json(self) -> Any:
        """The body read as JSON.

        Raises:
            ValueError: The body is not JSON.
        """
        return json.loads(self.body)

    @property
    def bearer(self) -> str | None:
        """The bearer token in the `Authorization` header, or None."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as data.

    Attributes:
        status: The HTTP status.
        headers: Header fields to send.
        pieces: The body, one piece for each write to the socket.
        streamed: Send the pieces one by one with chunked transfer encoding.
        cut: Break the connection after the last piece instead of ending the answer properly. Without any
            piece the client gets no answer at all.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: tuple[bytes, ...] = ()
    streamed: bool = False
    cut: bool = False

    @property
    def body(self) -> bytes:
        """All pieces together."""
        return b"".join(self.pieces)

    @property
    def error(self) -> str | None:
        """The error's text, of an OAuth error or of a chat error; None if it is no error or not in JSON."""
        if (
            self.streamed
            or b'"error"' not in self.body[:64]
            or not self.headers.get("content-type", "").startswith("application/json")
        ):
            return None
        try:
            said = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        error = said.get("error") if isinstance(said, dict) else None
        if isinstance(error, str):
            return f"{error}: {said.get('error_description', '')}"
        return str(error.get("message")) if isinstance(error, dict) else None


def new_request_id() -> str:
    """Return a request id in the form that Qwen uses, a UUID."""
    return str(uuid.uuid4())


def json_reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return `value` as a JSON answer."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    body = text.encode(errors="backslashreplace")  # half of a surrogate pair becomes JSON's escape of it
    return Reply(status, {"content-type": JSON_TYPE, **(headers or {})}, (body,))


def html_reply(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return `text` as an HTML answer."""
    return Reply(status, {"content-type": HTML_TYPE, **(headers or {})}, (text.encode(),))


def chat_error(  # noqa: PLR0913  # the members of the error object
    status: int,
    code: str | None,
    message: str,
    *,
    kind: str = "invalid_request_error",
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Return an error of the chat endpoint in Qwen's form, with a new request id."""
    request_id = new_request_id()
    error = {"message": message, "type": kind, "param": param, "code": code}
    return json_reply(
        {"error": error, "request_id": request_id}, status, {"x-request-id": request_id, **(headers or {})}
    )
