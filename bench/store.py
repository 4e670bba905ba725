"""The store of a fleet, a real Valkey: one look at it, and how soon another process has a new token."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bench.lanes import OURS, environment
from bench.run import Figures, say
from tests.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOOKS, _CHANGES = 300, 20
_A_DAY = 86_400

#: A process of the fleet: measures its looks, or says when it has another token than before.
_MEMBER = """
import sys, time
from litellm_qwen_ai.accounts import account_of
from litellm_qwen_ai.settings import Settings
account = account_of(Settings.from_environment())
token = account.session.get().access_token
print("ready", flush=True)
for line in sys.stdin:
    began = time.perf_counter()
    for _ in range(int(line)):
        account.store.look()
    if int(line):
        print((time.perf_counter() - began) / int(line), flush=True)
        continue
    print("waits", flush=True)
    while account.session.get().access_token == token:
        time.sleep(0.0001)
    print(time.monotonic(), flush=True)
    token = account.session.get().access_token
"""

#: The process that puts each new login there, one for a line.
_WRITER = """
import sys, time
from litellm_qwen_ai import Credentials
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.place import place_of
store = place_of(Settings.from_environment()).login(None)
for line in sys.stdin:
    made = Credentials.from_json(line.encode())
    began = time.monotonic()
    store.save(made)
    print(began, flush=True)
"""


def run(folder: Path, rounds: int) -> Figures:
    """Measure the store, with two processes beside it.

    Args:
        folder: For the server, and where the made-up logins are.
        rounds: How often.
    """
    say("store")
    figures: Figures = {"store-look": [], "store-seen": []}
    with contextlib.ExitStack() as ends:
        server = Valkey(folder)
        ends.callback(server.stop)
        variables = {
            **environment(folder),
            "QWEN_STORE": server.url,
            "QWEN_STORE_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        }
        with _process(_WRITER, variables) as writer:
            _ask(writer, _login())
            with _process(_MEMBER, variables) as member:
                _answer(member)
                for _ in range(rounds):
                    figures["store-look"].append({OURS: float(_ask(member, str(_LOOKS)))})
                    figures["store-seen"].append({OURS: _seen(writer, member)})
    return figures


def _seen(writer: subprocess.Popen[str], member: subprocess.Popen[str]) -> float:
    """Seconds from the start of the writing until another process hands the new token out: the median."""
    took = []
    for _ in range(_CHANGES):
        _ask(member, "0")
        began = float(_ask(writer, _login()))
        took.append(float(_answer(member)) - began)
    return sorted(took)[len(took) // 2]


def _login() -> str:
    return json.dumps(
        {
            "access_token": secrets.token_urlsafe(24),
            "refresh_token": secrets.token_urlsafe(24),
            "resource_url": "https://portal.qwen.ai",
            "expiry_date": int((time.time() + _A_DAY) * 1000),
        }
    )


@contextlib.contextmanager
def _process(program: str, variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
    )
    try:
        yield started
    finally:
        started.terminate()
        started.communicate()


def _ask(process: subprocess.Popen[str], line: str) -> str:
    if process.stdin is not None:
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    return _answer(process)


def _answer(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        raise RuntimeError("a process of the fleet ended; its traceback is above")
    return line
