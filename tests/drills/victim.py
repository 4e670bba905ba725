"""Processes that refresh without a pause, to be killed at any moment; run as a program by `crashes.py`.

One interpreter imports what is needed and forks a process for each line that it reads. What that process is
doing is written into memory that survives it: when it sent a refresh, when the answer's last byte had come,
when that was on disk. Times are those of the monotonic clock.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpcore
import httpx  # noqa: F401  # the session imports it at its first refresh

from litellm_qwen_ai.oauth import FileStore, Session
from litellm_qwen_ai.oauth.transport import httpx_poster
from litellm_qwen_ai.stores.files.turn import FileTurn

SAMPLES = 20_000
SENT, RECEIVED, CAUGHT, COUNT, FIRST_SAMPLE = range(5)
SIZE = (FIRST_SAMPLE + SAMPLES) * 8  # bytes


def marks(path: Path) -> memoryview:
    """The shared numbers, as 64-bit floats; see the constants above."""
    if not path.exists():
        path.write_bytes(bytes(SIZE))
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), SIZE)).cast("d")


def watched(shared: memoryview) -> Any:
    """A poster that marks what happens; the two patches mark what no seam shows."""
    network = httpcore.SyncBackend().connect_tcp.__globals__["SyncStream"]
    read, catch = network.read, FileTurn.catch

    def marking_read(self: Any, *arguments: Any, **named: Any) -> bytes:
        data: bytes = read(self, *arguments, **named)
        if data.endswith(b"}"):  # the end of the sandbox's answer, and of no part of it
            shared[RECEIVED] = time.monotonic()
        return data

    def marking_catch(self: FileTurn, piece: bytes) -> None:
        catch(self, piece)
        if not piece.endswith(b"}"):
            return
        shared[CAUGHT] = time.monotonic()
        count = int(shared[COUNT])
        shared[FIRST_SAMPLE + count % SAMPLES] = shared[CAUGHT] - shared[RECEIVED]
        shared[COUNT] = count + 1

    network.read, FileTurn.catch = marking_read, marking_catch  # type: ignore[method-assign]  # on purpose

    def post(request: Any, timeout: float) -> Any:
        shared[SENT] = time.monotonic()
        return httpx_poster(request, timeout)

    return post


def refresh_for_ever(post: Any, folder: Path, url: str, rounds: int) -> None:
    """Each answer is taken for refused by the chat server, so that the next refresh begins at once."""
    session = Session(FileStore(folder), oauth_base_url=url, poster=post)
    token = None
    while rounds:
        token = session.get(rejected=token).access_token
        rounds -= 1


def main(refresh: Callable[[Path, str, int], None] | None = None) -> None:
    folder, url, memory = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    if refresh is None:
        refresh = partial(refresh_for_ever, watched(marks(memory)))
    for line in sys.stdin:  # how many refreshes; -1 for ever
        child = os.fork()
        if child == 0:
            try:
                refresh(folder, url, json.loads(line))
            finally:
                os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    main()
