"""Asks for a token in a folder that something is wrong with; run as a program by `stores.py`.

One interpreter imports what is needed, forks a process for each line that it reads, and prints what came of
it.
"""

from __future__ import annotations

import contextlib
import encodings.utf_8_sig
import encodings.utf_16_be
import encodings.utf_16_le
import encodings.utf_32_be
import encodings.utf_32_le  # noqa: F401  # json tells them apart
import fcntl
import functools
import importlib.readers  # noqa: F401  # certifi
import json
import logging
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from litellm_qwen_ai.oauth import FileStore, Session

LOCK_TIMEOUT = 0.5  # seconds


def answer(session: Session) -> tuple[str, str]:
    try:
        return "token", session.get().access_token
    except Exception as error:  # noqa: BLE001  # its kind and text are what is looked at
        return type(error).__name__, str(error)


def ask(job: dict[str, Any]) -> dict[str, Any]:
    """Ask twice: an error must not get worse, and a new token must not be renewed again."""
    warnings: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: warnings.append(record.getMessage())  # type: ignore[method-assign]  # short
    logging.getLogger("litellm_qwen_ai").addHandler(handler)
    session = Session(FileStore(Path(job["folder"])), oauth_base_url=job["url"], lock_timeout=LOCK_TIMEOUT)
    begun = time.monotonic()
    outcomes = [answer(session) for _ in range(2)]
    return {"outcomes": outcomes, "warnings": warnings, "seconds": time.monotonic() - begun}


def answer_lock(code: int, _fd: int, _how: int) -> None:
    """Lock a file as a mount without working locks does."""
    if code:
        raise OSError(code, os.strerror(code))


def child(job: dict[str, Any]) -> None:
    if job["user"] is not None:
        os.setgroups([])
        os.setgid(job["user"])
        os.setuid(job["user"])
    if job["limit"] is not None:
        number, most = job["limit"]
        resource.setrlimit(number, (most, resource.getrlimit(number)[1]))
    os.umask(job["umask"])
    if job["flock"] is not None:
        fcntl.flock = functools.partial(answer_lock, job["flock"])
    said = ask(job)
    if job["limit"] is not None and job["limit"][0] == resource.RLIMIT_FSIZE:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(json.dumps(said), flush=True)


def main() -> None:
    # Imports the rest: another user may not be able to read this interpreter's files.
    with contextlib.suppress(httpx.HTTPError):
        httpx.post("http://127.0.0.1:9")
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            try:
                child(json.loads(line))
            except BaseException as error:  # noqa: BLE001  # the parent waits for a line
                said = {"outcomes": [["broke", repr(error)]], "warnings": [], "seconds": 0}
                print(json.dumps(said), flush=True)
            finally:
                os._exit(0)
        os.waitpid(process, 0)


if __name__ == "__main__":
    main()
