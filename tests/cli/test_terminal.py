"""The program itself, in a real terminal."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from litellm_qwen_ai.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from litellm_qwen_ai.oauth import FileStore

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a terminal of this kind is POSIX's")

# Ctrl-C reaches the program that the terminal belongs to.
IN_OWN_SESSION = (
    "import fcntl, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "from litellm_qwen_ai.cli import main\n"
    "main()\n"
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One in which every code waits for a person."""
    with Sandbox(interval=0.1) as running:
        yield running


class InTerminal:
    """A program whose stdin, stdout and stderr are one terminal."""

    def __init__(self, arguments: list[str], environ: dict[str, str]) -> None:
        import pty  # noqa: PLC0415  # not there on every system

        self._ours, theirs = pty.openpty()
        self.screen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_OWN_SESSION, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environ, "TERM": "xterm"},
            start_new_session=True,
        )
        os.close(theirs)

    def read_until(self, text: str) -> None:
        while text not in self.screen:
            assert self._read(), f"the program ended without {text!r}:\n{self.screen}"

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> int:
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait(30)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], 30)
        assert ready, f"the program hangs:\n{self.screen}"
        try:
            data = os.read(self._ours, 4096)
        except OSError:  # the other side is closed
            return False
        self.screen += data.decode()
        return bool(data)


def test_a_login_shows_the_code_and_the_time_left_and_ends_well(
    sandbox: Sandbox, environ: dict[str, str], store: FileStore
) -> None:
    terminal = InTerminal(["login", "--no-browser"], environ)
    terminal.read_until("Waiting for your approval ... 15:00 left (Ctrl-C cancels)")
    assert f"{sandbox.url}/" in terminal.screen
    sandbox.approve()
    terminal.read_until("renewed by itself.")
    assert terminal.end() == 0
    assert "\r" + " " * 40 in terminal.screen
    assert store.load() is not None


def test_ctrl_c_ends_a_login_with_2_and_leaves_nothing_behind(
    environ: dict[str, str], token_dir: Path
) -> None:
    terminal = InTerminal(["login"], environ)
    terminal.read_until("Ctrl-C cancels")
    terminal.type("\x03")
    assert terminal.end() == 2
    assert terminal.screen.endswith("Cancelled; nothing was changed.\r\n")
    assert "Traceback" not in terminal.screen
    assert {path.name for path in token_dir.iterdir()} == {"oauth_creds.json.lock"}


def test_ctrl_d_at_the_logout_question_changes_nothing(
    sandbox: Sandbox, environ: dict[str, str], token_dir: Path
) -> None:
    path = sandbox.write_credentials(token_dir)
    terminal = InTerminal(["logout"], environ)
    terminal.read_until("[y/N]")
    terminal.type("\x04")
    assert terminal.end() == 2
    assert path.exists()
