"""Many processes that want a token at the same moment; run as a program by `races.py`.

One interpreter imports what is needed and forks, so that what is measured is the session: no import, and no
collection of what the imports made, whose memory 50 processes would copy for it. Each process makes its own
session and its callers, then all wait for one pipe to close. Times are those of the monotonic clock, which
all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx  # noqa: F401  # the session imports it at its first refresh

from litellm_qwen_ai.oauth import FileStore, Session

Served = tuple[str, float]  # a token or an error, and when it came


def one_call(session: Session, rejected: str | None) -> Served:
    try:
        token = session.get(rejected=rejected).access_token
    except Exception as error:  # noqa: BLE001  # every failure counts
        token = f"{type(error).__name__}: {error}"
    return token, time.monotonic()


async def one_task(session: Session, rejected: str | None) -> Served:
    try:
        token = (await session.aget(rejected=rejected)).access_token
    except Exception as error:  # noqa: BLE001  # every failure counts
        token = f"{type(error).__name__}: {error}"
    return token, time.monotonic()


def with_threads(
    count: int, session: Session, rejected: str | None, gate: Callable[[], None]
) -> list[Served]:
    start = threading.Barrier(count + 1)

    def caller() -> Served:
        start.wait(60)
        return one_call(session, rejected)

    with ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(caller) for _ in range(count)]
        gate()
        start.wait(60)
        return [call.result() for call in calls]


def with_tasks(count: int, session: Session, rejected: str | None, gate: Callable[[], None]) -> list[Served]:
    async def main() -> list[Served]:
        gate()
        return await asyncio.gather(*(one_task(session, rejected) for _ in range(count)))

    return asyncio.run(main())


def ours(folder: Path, url: str) -> Session:
    return Session(FileStore(folder), oauth_base_url=url)


def child(
    job: dict[str, Any], new_session: Callable[[Path, str], Any], ready: int, go: int, out: int
) -> None:
    def gate() -> None:
        os.write(ready, b".")
        os.read(go, 1)  # returns when the parent closes its end

    session = new_session(Path(job["folder"]), job["url"])
    calls = with_tasks if job["tasks"] else with_threads
    served = calls(job["callers"], session, job["rejected"], gate)
    with os.fdopen(out, "w") as pipe:
        json.dump(served, pipe)


def main(new_session: Callable[[Path, str], Any] = ours) -> None:
    job = json.loads(sys.argv[1])
    ready_in, ready_out = os.pipe()
    go_in, go_out = os.pipe()
    outs = []
    gc.freeze()
    for _ in range(job["processes"]):
        out_in, out_out = os.pipe()
        if os.fork() == 0:
            os.close(go_out)
            os.close(out_in)
            try:
                child(job, new_session, ready_out, go_in, out_out)
            finally:
                os._exit(0)
        os.close(out_out)
        outs.append(out_in)
    waiting = job["processes"]
    while waiting:
        waiting -= len(os.read(ready_in, waiting))
    begun = time.monotonic()
    os.close(go_out)
    served = []
    for out in outs:
        with os.fdopen(out) as pipe:
            served += json.load(pipe)
    json.dump({"begun": begun, "served": served}, sys.stdout)


if __name__ == "__main__":
    main()
