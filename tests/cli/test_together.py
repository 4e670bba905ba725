"""Several `login`s of one account, such as the init containers of one deployment: one code, and one end."""

from __future__ import annotations

import re
import secrets
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.oauth import pending_login
from litellm_qwen_ai.sandbox import Sandbox
from tests.cli.conftest import PROGRAM
from tests.valkey import KEY, shared_valkey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from litellm_qwen_ai.oauth import FileStore

LIMIT = 120.0  # seconds, on a busy machine


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One in which every code waits for a person."""
    with Sandbox(interval=0.1) as running:
        yield running


@pytest.fixture(params=["files", "Valkey"])
def machines(request: pytest.FixtureRequest, environ: dict[str, str], tmp_path: Path) -> list[dict[str, str]]:
    """The environments of three programs with one place for logins."""
    if request.param == "files":
        return [environ] * 3
    name = f"together-{secrets.token_hex(4)}"
    shared = {
        **environ,
        "QWEN_STORE": f"redis://127.0.0.1:{shared_valkey().port}/0",
        "QWEN_STORE_KEY": KEY,
        "QWEN_STORE_PREFIX": name,
    }
    return [{**shared, "QWEN_TOKEN_DIR": str(tmp_path / str(number))} for number in range(3)]


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_all_show_one_code_and_end_together(
    sandbox: Sandbox, machines: list[dict[str, str]], decision: str
) -> None:
    code, word, logins = {
        "approve": (0, "Approved.", 1),
        "deny": (1, "Error: The login was refused on the approval page.", 0),
    }[decision]
    running = [
        subprocess.Popen(
            [PROGRAM, "login", "--no-browser"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environ in machines
    ]
    hangs = threading.Timer(LIMIT, lambda: [one.kill() for one in running])
    hangs.start()
    try:
        codes = {_code_of(one) for one in running}
        assert len(codes) == 1
        getattr(sandbox, decision)(codes.pop())
        for one in running:
            assert one.stderr is not None
            told = one.stderr.read()
            assert one.wait() == code, told or f"it did not end within {LIMIT:g} s"
            assert word in told
    finally:
        hangs.cancel()
        for one in running:
            one.kill()
            one.wait()
            assert one.stderr is not None
            one.stderr.close()
    assert sandbox.counts.logins == logins


def _code_of(program: subprocess.Popen[str]) -> str:
    """The code that a program shows."""
    assert program.stderr is not None
    while line := program.stderr.readline():
        if found := re.search(r"user_code=([\w-]+)", line):
            return found[1]
    raise AssertionError(f"no code within {LIMIT:g} s")


def test_a_plain_login_goes_on_with_the_one_that_waits(
    run: Any, sandbox: Sandbox, waiting: Any, store: FileStore
) -> None:
    run("login", "--start")
    code = sandbox.pending_codes()[0]
    waiting.on_nap = lambda: sandbox.approve(code) if sandbox.pending_codes() else None
    done = run("login")
    assert done.code == 0
    assert "A login of this account waits already, started " in done.err
    assert code in done.err
    assert sandbox.counts.device_codes == 1
    assert pending_login(store) is None
