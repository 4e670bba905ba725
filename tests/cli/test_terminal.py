"""The program itself, in a real terminal."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from litellm_qwen_ai.oauth.prompt import NARROWED
from litellm_qwen_ai.sandbox import Sandbox
from tests.cli.conftest import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from litellm_qwen_ai.oauth import FileStore

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a terminal of this kind is POSIX's")

# Ctrl-C reaches the program that the terminal belongs to.
IN_OWN_SESSION = (
    "import fcntl, termios\n"
    "fcntl.ioctl(2, termios.TIOCSCTTY, 0)\n"
    "from litellm_qwen_ai.cli import main\n"
    "main()\n"
)


COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9]")
_OF_A_TERMINAL = {
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "COLORTERM",
    "CI",
    "PYTHONIOENCODING",
    "DISPLAY",
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One in which every code waits for a person."""
    with Sandbox(interval=0.1) as running:
        yield running


class InTerminal:
    """A program whose stdin, stdout and stderr are one terminal."""

    def __init__(
        self,
        arguments: list[str],
        environ: dict[str, str],
        *,
        columns: int = 80,
        stdin: int | None = None,
        **more: str,
    ) -> None:
        import fcntl  # noqa: PLC0415  # not there on every system
        import pty  # noqa: PLC0415  # Unix has them, Windows has not
        import termios  # noqa: PLC0415  # Unix has them, Windows has not

        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        inherited = {name: value for name, value in environ.items() if name not in _OF_A_TERMINAL}
        self.screen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_OWN_SESSION, *arguments],
            stdin=theirs if stdin is None else stdin,
            stdout=theirs,
            stderr=theirs,
            env={**inherited, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **more},
            start_new_session=True,
        )
        os.close(theirs)

    def read_until(self, text: str) -> None:
        while text not in self.screen:
            assert self._read(), f"the program ended without {text!r}:\n{self.screen}"

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def resize(self, columns: int) -> None:
        """As a window does that its user makes narrower: the kernel sends SIGWINCH."""
        import fcntl  # noqa: PLC0415  # as above
        import termios  # noqa: PLC0415  # as above

        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

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


def plain(screen: str) -> str:
    """A screen without colours and cursor movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\]8;[^\x1b]*\x1b\\", "", screen)


def log_in(sandbox: Sandbox, terminal: InTerminal, waiting: str = "left (Ctrl-C cancels)") -> str:
    terminal.read_until(waiting)
    sandbox.approve()
    terminal.read_until("Try it:")
    assert terminal.end() == 0, terminal.screen
    return terminal.screen


@pytest.mark.parametrize("without_rich", [False, True])
def test_a_login_shows_the_code_and_the_time_left_and_ends_well(
    sandbox: Sandbox, environ: dict[str, str], store: FileStore, tmp_path: Path, *, without_rich: bool
) -> None:
    if without_rich:
        (tmp_path / "rich.py").write_text("raise ImportError")
        environ = {**environ, "PYTHONPATH": str(tmp_path)}
    terminal = InTerminal(["login", "--no-browser"], environ)
    terminal.read_until("Waiting for your approval ... 15:00 left (Ctrl-C cancels)")
    screen = log_in(sandbox, terminal)
    assert ("\u2501" in screen) is not without_rich  # the bar
    assert COLOUR.search(screen)
    told = plain(screen)
    assert f"{sandbox.url}/authorize?user_code=" in told
    assert "Approved." in told
    assert "Logged in. The token is stored in" in told
    assert "takes the token." in told
    assert store.look() is not None


def test_a_login_that_joins_another_says_so_above_the_address(
    sandbox: Sandbox, environ: dict[str, str]
) -> None:
    subprocess.run([PROGRAM, "login", "--start"], env=environ, check=True, capture_output=True)
    told = plain(log_in(sandbox, InTerminal(["login", "--no-browser"], environ, columns=40)))
    assert told.index("A login of this account waits already,") < told.index(f"{sandbox.url}/authorize")


@pytest.mark.parametrize("term", ["dumb", "xterm-256color"])
def test_without_a_terminal_to_type_on_it_says_how_to_go_on(
    sandbox: Sandbox, environ: dict[str, str], term: str
) -> None:
    terminal = InTerminal(["login"], environ, stdin=subprocess.DEVNULL, TERM=term)
    terminal.read_until("Ctrl-C cancels")
    assert "litellm-qwen-ai login --start" in plain(terminal.screen)
    sandbox.approve()
    assert terminal.end() == 0


def test_a_narrow_terminal_gets_the_address_in_one_piece(sandbox: Sandbox, environ: dict[str, str]) -> None:
    screen = log_in(sandbox, InTerminal(["login", "--no-browser"], environ, columns=40))
    told = plain(screen)
    address = re.search(r"http://\S+client=qwen-code\r\n", told)
    assert address, told
    assert "\u2502" not in told
    redrawn = [line for line in re.split(r"[\r\n]+", told) if "left" in line]
    assert redrawn
    assert max(map(len, redrawn)) < 40


@pytest.mark.parametrize("without_rich", [False, True])
def test_a_terminal_that_is_made_narrower_shows_nothing_torn(
    sandbox: Sandbox, environ: dict[str, str], tmp_path: Path, *, without_rich: bool
) -> None:
    if without_rich:
        (tmp_path / "rich.py").write_text("raise ImportError")
        environ = {**environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), environ.get("PYTHONPATH", "")])}
    terminal = InTerminal(["login", "--no-browser"], environ)
    terminal.read_until("Waiting for your approval ... 15:00 left")
    assert not re.search("[\u2500\u2502\u256d-\u2570]", plain(terminal.screen))  # no frame that could tear
    terminal.resize(44)
    terminal.read_until(f"{NARROWED}")
    at = len(terminal.screen)
    log_in(sandbox, terminal, "Waiting ... 14:5")
    assert NARROWED not in terminal.screen[at:]  # it is one row again
    redrawn = [line for line in re.split(r"[\r\n]+", plain(terminal.screen[at:])) if "left" in line]
    assert max(map(len, redrawn)) < 44


@pytest.mark.parametrize(
    "command",
    [["accounts"], ["models"], ["status", "--account", "zoe"], ["login", "--start"], ["logout", "--yes"]],
)
def test_a_narrow_terminal_breaks_no_word_and_no_command(
    sandbox: Sandbox, environ: dict[str, str], store: FileStore, command: list[str]
) -> None:
    sandbox.write_credentials(store.path.parent)
    if command != ["logout", "--yes"]:
        sandbox.write_credentials(store.path.parent, "zoe.json").write_text("{")
    terminal = InTerminal(command, {**environ, "QWEN_API_KEY": ""}, columns=40)
    terminal.end()
    lines = [line.strip() for line in plain(terminal.screen).splitlines()]
    assert all(line.count("`") % 2 == 0 for line in lines), lines  # a command is in one line
    for line in lines:
        words = re.sub(r"`[^`]+`", "command", line).split()
        assert len(line) <= 40 or len(words) == 1, line


def test_no_color_is_honoured(sandbox: Sandbox, environ: dict[str, str]) -> None:
    assert not COLOUR.search(log_in(sandbox, InTerminal(["login", "--force"], environ, NO_COLOR="1")))


def test_a_terminal_that_is_not_utf_8_gets_ascii(sandbox: Sandbox, environ: dict[str, str]) -> None:
    assert log_in(sandbox, InTerminal(["login"], environ, PYTHONIOENCODING="ascii")).isascii()


def test_a_dumb_terminal_gets_text_and_nothing_else(sandbox: Sandbox, environ: dict[str, str]) -> None:
    screen = log_in(sandbox, InTerminal(["login"], environ, TERM="dumb"), "(Ctrl-C cancels)")
    assert "\x1b" not in screen
    assert "left" not in screen


def test_a_denied_login_says_so(sandbox: Sandbox, environ: dict[str, str]) -> None:
    terminal = InTerminal(["login"], environ, columns=40)
    terminal.read_until("left")
    sandbox.deny()
    assert terminal.end() == 1
    told = plain(terminal.screen)
    assert "Error: The login was refused on the\r\napproval page." in told
    assert terminal.screen.index("\x1b[?25h") < terminal.screen.index("Error")  # the cursor is back


def test_a_server_out_of_order_is_told_while_it_waits(sandbox: Sandbox, environ: dict[str, str]) -> None:
    sandbox.answer_next("token", "html_504", times=3)
    terminal = InTerminal(["login"], environ)
    terminal.read_until("qwencloud/")
    log_in(sandbox, terminal)
    told = " ".join(plain(terminal.screen).split())
    assert told.count("Still waiting, but the server's last answers were of no help: HTTP 504") == 1
    assert "2026-04-15" in told


def test_a_refused_token_after_a_login_is_said_and_the_login_is_kept(
    sandbox: Sandbox, environ: dict[str, str], store: FileStore
) -> None:
    sandbox.answer_next("models", "token_expired")
    terminal = InTerminal(["login"], environ)
    terminal.read_until("left")
    sandbox.approve()
    assert terminal.end() == 1
    told = " ".join(plain(terminal.screen).split())
    assert "refuses the token (HTTP 401, invalid access token or token expired). The login is kept." in told
    assert "2026-04-15" in told
    assert "dashscope/" in told
    assert "Try it" not in told
    assert store.look() is not None


def test_ctrl_c_ends_a_login_with_2_and_leaves_nothing_behind(
    environ: dict[str, str], token_dir: Path
) -> None:
    terminal = InTerminal(["login"], environ)
    terminal.read_until("Ctrl-C cancels")
    terminal.type("\x03")
    assert terminal.end() == 2
    assert terminal.screen.endswith("Cancelled; nothing was changed.\r\n")
    assert "Traceback" not in terminal.screen
    assert [path for path in token_dir.iterdir() if path.suffix != ".lock"] == []


def test_ctrl_d_at_the_logout_question_changes_nothing(
    sandbox: Sandbox, environ: dict[str, str], token_dir: Path
) -> None:
    path = sandbox.write_credentials(token_dir)
    terminal = InTerminal(["logout"], environ)
    terminal.read_until("[y/N]")
    terminal.type("\x04")
    assert terminal.end() == 2
    assert path.exists()


def test_a_key_is_asked_for_without_an_echo(
    sandbox: Sandbox, environ: dict[str, str], store: FileStore
) -> None:
    terminal = InTerminal(["login", "--key", "--api-base", sandbox.api_base], environ)
    terminal.read_until("Key (not shown): ")  # with the space, which comes once the echo is off
    terminal.type("sk-sandbox\n")
    terminal.read_until("Try it:")
    assert terminal.end() == 0
    assert "sandbox" not in terminal.screen
    assert store.look().credentials.access_token == "sk-sandbox"  # the sandbox's own
