"""A program that is ended while it waits for a refresh, in one of several ways; run by `endings.py`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from pathlib import Path

from litellm_qwen_ai.oauth import FileStore, Session


def in_a_call(session: Session) -> None:
    session.get()


def in_a_task(session: Session) -> None:
    asyncio.run(session.aget())


def in_two_tasks(session: Session) -> None:
    """The task that came first is cancelled; the other one still waits when the signal comes."""

    async def main() -> None:
        first = asyncio.create_task(session.aget())
        await asyncio.sleep(0)
        second = asyncio.create_task(session.aget())
        await asyncio.sleep(0)
        first.cancel()
        await second

    asyncio.run(main())


def in_a_thread(session: Session) -> None:
    """A server: its main thread has a handler, as uvicorn's has, and its calls run elsewhere."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    threading.Thread(target=session.get, daemon=True).start()
    stopped.wait()


def cancelled(session: Session) -> None:
    """The task is cancelled when a line comes in, and the program ends."""

    async def main() -> None:
        task = asyncio.create_task(session.aget())
        await asyncio.to_thread(sys.stdin.readline)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())


def main() -> None:
    way, folder, url = sys.argv[1:]
    session = Session(FileStore(Path(folder)), oauth_base_url=url)
    globals()[way](session)


if __name__ == "__main__":
    main()
