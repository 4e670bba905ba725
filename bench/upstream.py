"""The server under every lane: compiled from `upstream.c`, or `fallback.py` where there is no compiler.

It has a core of its own where there is more than one, answers from fixed text, and is measured itself before
anything else, so that the report can say how far it was from being the bottleneck.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("upstream.c")
_BODY = b'{"model":"any","messages":[{"role":"user","content":"Hello"}]}'
_STREAM_BODY = _BODY[:-1] + b',"stream":true}'


@dataclass(frozen=True, slots=True)
class Limit:
    """What the upstream can do at least; a Python client on another core asks, so the true limit is higher.

    Attributes:
        kind: `C` or `asyncio`.
        requests_per_second: Whole answers, over 32 connections.
        chunks_per_second: Chunks of burst streams, over 4 connections.
    """

    kind: str
    requests_per_second: int
    chunks_per_second: int

    def as_json(self) -> dict[str, object]:
        """For the results file."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Upstream:
    """A running server.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        kind: `C` or `asyncio`.
    """

    port: int
    kind: str

    @property
    def base_url(self) -> str:
        """The OpenAI base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def mode(self, *, chunks: int, pace: int) -> None:
        """From now on streams have so many content chunks.

        Args:
            chunks: Content chunks per stream.
            pace: Microseconds between two; 0 sends all at once.
        """
        control = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        control.request("GET", f"/mode?chunks={chunks}&pace={pace}")
        control.getresponse().read()
        control.close()

    def limit(self, seconds: float = 0.5) -> Limit:
        """Measure it with raw sockets, in this process.

        Args:
            seconds: How long for each of the two figures.
        """
        self.mode(chunks=2000, pace=0)
        chunks = self._rate(_STREAM_BODY, b"0\r\n\r\n", connections=4, seconds=seconds) * 2000
        whole = self._rate(_BODY, b'"total_tokens":21}}', connections=32, seconds=seconds)
        return Limit(self.kind, round(whole), round(chunks))

    def _rate(self, body: bytes, end: bytes, *, connections: int, seconds: float) -> float:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        request = head.encode() + body
        with contextlib.ExitStack() as stack:
            sockets = [
                stack.enter_context(socket.create_connection(("127.0.0.1", self.port)))
                for _ in range(connections)
            ]
            answers, began = 0, time.perf_counter()
            while time.perf_counter() - began < seconds:
                for one in sockets:
                    one.sendall(request)
                for one in sockets:
                    _read_until(one, end)
                answers += connections
            return answers / (time.perf_counter() - began)


def _read_until(connection: socket.socket, end: bytes) -> None:
    tail = b""
    while not tail.endswith(end):
        data = connection.recv(1 << 20)
        if not data:
            raise ConnectionError("the upstream closed the connection")
        tail = (tail + data)[-len(end) :]


@functools.cache  # of the whole machine: before this process is kept on some of them
def cores() -> tuple[set[int], set[int]]:
    """The cores for the upstream (and whoever loads a proxy) and those for what is measured."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    every = sorted(os.sched_getaffinity(0))
    return ({every[-1]}, set(every[:-1])) if len(every) > 1 else (set(every), set(every))


def pin(process: int, to: set[int]) -> None:
    """Keep a process on some cores, where the system can.

    Args:
        process: Its id; 0 is this one.
        to: The cores; empty leaves it alone.
    """
    if to and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process, to)


@contextlib.contextmanager
def running() -> Iterator[Upstream]:
    """Start the server, on its own core; end it afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        program = _compiled(Path(folder))
        command = [str(program)] if program else [sys.executable, "-m", "bench.fallback"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        pin(process.pid, cores()[0])
        try:
            if process.stdout is None:
                raise RuntimeError("the upstream has no output")
            line = process.stdout.readline().split()
            if not line:
                raise RuntimeError("the upstream did not start")
            yield Upstream(int(line[1]), "C" if program else "asyncio")
        finally:
            process.terminate()
            process.communicate()


def _compiled(folder: Path) -> Path | None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    program = folder / "upstream"
    done = subprocess.run(
        [compiler, "-O2", "-o", str(program), str(SOURCE)], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        print(f"upstream.c does not compile here, so asyncio serves instead:\n{done.stderr}", file=sys.stderr)
        return None
    return program
