"""Server-sent events: bytes in, events out. Any split of the bytes gives the same events.

Follows the WHATWG HTML standard, section 9.2 (event streams): CR, LF and CRLF end a line, a leading
byte-order mark is skipped, lines that start with a colon are comments, several data lines of one event are
joined by LF. Beyond the standard, it keeps lines that belong to no event stream at all (a JSON or HTML
error sent in place of one), reads the status from a comment `:HTTP_STATUS/429`, and hands out an event that
the end of the body left without its blank line, since servers that omit `[DONE]` omit that too.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Bytes that one event or one line may have: far above any delta, far below what hurts."""
MAX_STRAY_BYTES = 64 * 1024
"""Bytes kept of a body that is no event stream, enough to say what it was."""

_LINE_COST = 64  # what a line of an event costs in memory besides its bytes
_BOM = b"\xef\xbb\xbf"
_STATUS_COMMENT = re.compile(rb":\s*HTTP_STATUS/(\d{3})\b")


class SSEvent(NamedTuple):
    """One event: its name (`message` if none was given), its data and the status of a status comment."""

    name: bytes
    data: bytes
    status: int | None


class EventTooLongError(ValueError):
    """An event or a line exceeds `MAX_EVENT_BYTES`: the server is broken or hostile."""


class SSEParser:
    """Splits a byte stream into events, holding no more than one event and one line."""

    def __init__(self) -> None:
        #: The lines that are no field of an event, up to `MAX_STRAY_BYTES`.
        self.stray = bytearray()
        self._at_start = True
        self._after_cr = False
        self._line = bytearray()  # the line that has not ended yet
        self._data: list[bytes] = []
        self._data_size = 0
        self._name = b""
        self._status: int | None = None

    def feed(self, data: bytes) -> list[SSEvent]:
        """Take the next bytes and return the events they complete.

        Raises:
            EventTooLongError: A line or event grew beyond the cap.
        """
        if self._after_cr or b"\r" in data:
            data = self._normalise(data)
        end = data.rfind(b"\n")
        if end < 0:
            self._hold(data)
            return []
        complete, rest = data[:end], data[end + 1 :]
        if self._line:
            self._line += complete
            complete = bytes(self._line)
            self._line.clear()
        if self._at_start:
            self._at_start = False
            complete = complete.removeprefix(_BOM)
        events: list[SSEvent] = []
        for line in complete.split(b"\n"):
            if line:
                self._take(line)
            elif self._data or self._name or self._status:
                self._dispatch(events)
        self._hold(rest)
        return events

    def close(self) -> list[SSEvent]:
        """End of the body: the event that lacked its blank line, if any."""
        return self.feed(b"\n\n")

    def _hold(self, piece: bytes) -> None:
        self._line += piece
        if len(self._line) > MAX_EVENT_BYTES:
            raise EventTooLongError

    def _take(self, line: bytes) -> None:
        if len(line) > MAX_EVENT_BYTES:
            raise EventTooLongError
        if line.startswith(b"data:"):
            value = line[6:] if line[5:6] == b" " else line[5:]
            self._data.append(value)
            self._data_size += len(value) + _LINE_COST
            if self._data_size > MAX_EVENT_BYTES:
                raise EventTooLongError
        elif line.startswith(b":"):
            found = _STATUS_COMMENT.match(line)
            if found:
                self._status = int(found[1])
        elif line.startswith(b"event:"):
            self._name = line[6:].strip()
        elif line == b"data":
            self._data.append(b"")
            self._data_size += _LINE_COST
        elif not line.startswith((b"id:", b"retry:")) and len(self.stray) < MAX_STRAY_BYTES:
            self.stray += line[: MAX_STRAY_BYTES - len(self.stray)] + b"\n"

    def _dispatch(self, events: list[SSEvent]) -> None:
        if self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            events.append(SSEvent(self._name or b"message", data, self._status))
            self._data.clear()
            self._data_size = 0
            self._status = None
        # A status comment may stand in a block of its own, before the event it speaks of: it is kept.
        self._name = b""

    def _normalise(self, data: bytes) -> bytes:
        """Turn CR and CRLF into LF; a CR at the end of one piece may be half of a CRLF."""
        if not data:
            return data
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
