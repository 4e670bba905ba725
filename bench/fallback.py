"""The upstream in asyncio (uvloop, if it is there): the answers of `upstream.c` without a compiler."""

from __future__ import annotations

import asyncio
import json
from typing import cast


class Answers(asyncio.Protocol):
    """One connection; `chunks` and `pace` (microseconds) are those of `upstream.c`."""

    chunks, pace = 16, 0

    def __init__(self) -> None:
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self._streams: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, rest = self._data.partition(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            length = int(lengths[0].split(b":")[1]) if lengths else 0
            if len(rest) < length:
                return
            self._data = rest[length:]
            self._answer(head, rest[:length])

    def _answer(self, head: bytes, body: bytes) -> None:
        if not head.startswith(b"POST"):
            target = head.split()[1].decode()
            for pair in target.partition("?")[2].split("&"):
                name, _, value = pair.partition("=")
                if name in {"chunks", "pace"}:
                    setattr(Answers, name, int(value))
            self._whole(b"{}")
            return
        asked = json.loads(body)
        if asked.get("stream"):
            usage = bool((asked.get("stream_options") or {}).get("include_usage"))
            task = asyncio.ensure_future(self._stream(asked["model"], usage=usage))
            self._streams.add(task)
            task.add_done_callback(self._streams.discard)
            return
        message = {"role": "assistant", "content": "Hello! How can I help you today?"}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        self._whole(_event("chat.completion", asked["model"], choices, usage=True))

    def _whole(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._write(head.encode() + body)

    async def _stream(self, model: str, *, usage: bool) -> None:
        chunks, pace = self.chunks, self.pace / 1e6
        self._write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        kind = "chat.completion.chunk"
        role = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        self._chunk(_event(kind, model, [role]))
        for number in range(chunks):
            delta = {"index": 0, "delta": {"content": f"{number:05d} "}, "finish_reason": None}
            self._chunk(_event(kind, model, [delta]))
            if pace:
                await asyncio.sleep(pace)
        self._chunk(_event(kind, model, [{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        if usage:
            self._chunk(_event(kind, model, [], usage=True))
        self._chunk(b"[DONE]")
        self._write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        event = b"data: " + data + b"\n\n"
        self._write(f"{len(event):x}\r\n".encode() + event + b"\r\n")

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _event(kind: str, model: str, choices: list[dict[str, object]], *, usage: bool = False) -> bytes:
    event = {"id": "chatcmpl-bench", "object": kind, "created": 1_800_000_000, "model": model}
    event["choices"] = choices
    if usage:
        event["usage"] = {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}
    return json.dumps(event, separators=(",", ":")).encode()


async def _serve_fallback() -> None:
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0, backlog=4096)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve_fallback())
    else:
        uvloop.install()
        asyncio.run(_serve_fallback())
