"""A lane's process: reads one JSON command a line, measures, answers with one JSON line.

It lives as long as the run, so that imports and first calls are not in any figure.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import json
import os
import resource
import sys
import traceback
from typing import TYPE_CHECKING, Any, TextIO

from bench import measure, probes, where
from bench.clients import client

if TYPE_CHECKING:
    from bench.clients import Client

_KNOWN = {
    function.__name__: function
    for module in (measure, probes, where)
    for function in vars(module).values()
    if inspect.isfunction(function) and function.__module__ == module.__name__
}


def _answers() -> TextIO:
    """Where answers go; what libraries print goes to stderr instead."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _loop() -> asyncio.AbstractEventLoop:
    if os.environ.get("BENCH_UVLOOP"):
        loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
        return loop
    return asyncio.new_event_loop()


def _warm_up(lane: Client, loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(NotImplementedError):
        for _ in range(3):
            lane.call(measure.SHORT)
            list(lane.stream(measure.SHORT))
    loop.run_until_complete(measure.concurrent_calls(lane, 4, 8))
    loop.run_until_complete(measure.first_content(lane, 2, 2, 16, 0))


def main() -> None:
    """Serve commands until standard input ends. Arguments: the lane's name and the upstream's base URL."""
    _, name, base_url = sys.argv
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    answers = _answers()
    loop = _loop()
    asyncio.set_event_loop(loop)
    lane = client(name, base_url)
    if wanted := os.environ.get("BENCH_SET"):
        setattr(importlib.import_module("litellm"), wanted, True)
    for line in sys.stdin:
        command: dict[str, Any] = json.loads(line)
        what = command.pop("what")
        try:
            if what == "_warm_up":
                _warm_up(lane, loop)
                result: Any = {}
            else:
                result = _KNOWN[what](lane, **command)
                if inspect.isawaitable(result):
                    result = loop.run_until_complete(result)
        except Exception:  # noqa: BLE001  # the parent ends the run with it
            result = {"error": traceback.format_exc()}
        print(json.dumps(result), file=answers, flush=True)
    os._exit(0)  # what is open ends with the process


if __name__ == "__main__":
    main()
