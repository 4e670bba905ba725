"""Streams written as Qwen writes them, and a real server on loopback that sends any bytes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Wire:
    """Builds server-sent events."""

    done = b"data: [DONE]\n\n"

    def event(self, value: Any) -> bytes:
        return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"

    def delta(self, delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": more.pop("index", 0), "delta": delta or {}, "finish_reason": finish}
        choice.update({name: more.pop(name) for name in ("logprobs",) if name in more})
        return self.event({"id": "chatcmpl-1", "created": 1700000000, "choices": [choice], **more})

    def shard(self, index: int | None, call_id: str | None, name: str | None, arguments: str | None) -> bytes:
        call: dict[str, Any] = {"id": call_id, "function": {"name": name, "arguments": arguments}}
        if index is not None:
            call["index"] = index
        return self.delta({"tool_calls": [call]})

    def usage(self, prompt: int = 7, completion: int = 5) -> bytes:
        return self.event(
            {
                "id": "chatcmpl-1",
                "created": 1700000000,
                "choices": [],
                "usage": {
                    "prompt_tokens": prompt,
                    "completion_tokens": completion,
                    "total_tokens": prompt + completion,
                    "prompt_tokens_details": {"cached_tokens": 3},
                    "completion_tokens_details": {"reasoning_tokens": 2},
                },
            }
        )


@pytest.fixture
def wire() -> Wire:
    return Wire()


@dataclass
class Canned:
    """What the server answers: a status, headers, the pieces of its body, and whether it ends it."""

    pieces: list[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hold: threading.Event | None = None  # waited for before the body ends


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Clients that hang up are what some tests are about."""


class Server:
    """A server on loopback; counts connections."""

    def __init__(self) -> None:
        self.answer = Canned([])
        self.connections = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = outer.answer
                self.send_response(answer.status)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for piece in answer.pieces:
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                    self.wfile.flush()
                if answer.hold is not None:
                    answer.hold.wait(60)
                if answer.cut:
                    self.close_connection = True
                    return
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/chat/completions"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def sends(self, *pieces: bytes, **more: Any) -> None:
        self.answer = Canned([piece for piece in pieces if piece], **more)

    def close(self) -> None:
        if self.answer.hold is not None:
            self.answer.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()
