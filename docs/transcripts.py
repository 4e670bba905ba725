"""What the commands print, in real runs against the sandbox.

This machine's addresses, paths, codes, times and versions are replaced by those that a user would see.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ran_on
import terminal
from click.testing import CliRunner

from litellm_qwen_ai.cli.commands import app
from litellm_qwen_ai.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(sys.executable).parent / "litellm-qwen-ai"
COLUMNS = 80
USERS_FOLDER = "/home/you/.config/litellm/qwen_ai"
USERS_HOME = "/home/you"
USERS_CODE = "K7QX2MPB"
USERS_SERVER = "https://chat.qwen.ai"
#: The newest that the tests ran on, as README.md names it.
USERS_LITELLM = json.loads(ran_on.RECORD.read_text(encoding="utf-8"))["litellm"][-1]
_WITHOUT = (
    "QWEN_",
    "SSH_",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "CI",
    "DISPLAY",
    "WAYLAND_DISPLAY",
)


@dataclass(frozen=True)
class Stage:
    """A sandbox and an empty home of its user, who has a shell in a terminal."""

    sandbox: Sandbox
    token_dir: Path

    def run(self, *arguments: str, stop_at: str | None = None, **more: str) -> str:
        """What a command leaves on the terminal, in colour, as its user sees it."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_WITHOUT)}
        screen = terminal.run(
            [str(PROGRAM), *arguments],
            {
                **inherited,
                **self.sandbox.environment(self.token_dir),
                "TERM": "xterm-256color",
                "PYTHONIOENCODING": "utf-8",
                "COLORTERM": "truecolor",
                **more,
            },
            columns=COLUMNS,
            stop_at=stop_at,
        )
        return self._as_a_user_sees_it(screen)

    def _as_a_user_sees_it(self, text: str) -> str:
        text = text.replace(str(self.token_dir), USERS_FOLDER).replace(str(self.token_dir.parent), USERS_HOME)
        host = self.sandbox.url.removeprefix("http://")
        text = text.replace(f"{self.sandbox.url}/v1", "https://portal.qwen.ai/v1")
        text = text.replace(self.sandbox.url, USERS_SERVER)
        text = re.sub(
            rf"(OAuth server .*){re.escape(host)} is reached", r"\1chat.qwen.ai is reached over TLS", text
        )
        text = re.sub(
            rf"(Chat server .*){re.escape(host)} is reached", r"\1portal.qwen.ai is reached over TLS", text
        )
        text = text.replace(host, "portal.qwen.ai")
        for code in {*re.findall(r"user_code=([\w-]+)", text), *self.sandbox.pending_codes()}:
            text = text.replace(code, USERS_CODE)
        text = re.sub(
            r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(?=\+|,| |$)", "2026-01-31 18:00", text, flags=re.MULTILINE
        )
        text = re.sub(r'(?<="started_at": ").*?(?=")', "2026-01-31T17:45:00+00:00", text)
        text = re.sub(r'(?<="expires_at": ").*?(?=")', "2026-01-31T18:00:00+00:00", text)
        text = re.sub(r'(?<="seconds_left": )\d+', "899", text)
        text = re.sub(r'(?<="next_poll_in": )\d+', "5", text)
        text = re.sub(r"written \d+ s ago", "written 3 min ago", text)
        text = re.sub(r"(?<=  )3\.\d+\.\d+\w* on \w+ \w+", "3.12.3 on Linux x86_64", text)
        text = re.sub(r"(?<=LiteLLM           )[\d.]+\w*", USERS_LITELLM, text)
        return re.sub(r"15:00|14:5\d", "14:59", text)


@contextlib.contextmanager
def stage(**rules: Any) -> Iterator[Stage]:
    """A stage; `rules` are the sandbox's."""
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,  # its length is the same everywhere
        Sandbox(**{"interval": 0.2, **rules}) as sandbox,
    ):
        # As long as the folder that stands for it, so that lines break where they would.
        yield Stage(sandbox, Path(folder, "x" * (len(USERS_FOLDER) - len(folder) - 1)))


@functools.cache
def login() -> str:
    """A login, from start to end."""
    with stage(auto_approve=True) as here:
        return here.run("login")


@functools.cache
def waiting() -> str:
    """A login that waits for its approval."""
    with stage() as here:
        return here.run("login", stop_at="left (Ctrl-C cancels)")


@functools.cache
def status() -> str:
    """What `status` says after a login."""
    with stage() as here:
        here.sandbox.write_credentials(here.token_dir)
        return here.run("status")


@functools.cache
def doctor() -> str:
    """A machine on which all is well but one thing."""
    with stage() as here:
        here.sandbox.write_credentials(here.token_dir).chmod(0o644)
        return here.run("doctor")


@functools.cache
def two_steps() -> str:
    """`login --start` and `login --complete`."""
    with stage() as here:
        started = here.run("login", "--start", "--json")
        here.sandbox.approve()
        done = here.run("login", "--complete", "--wait")
    return f"{_prompt('login --start --json')}{started}{_prompt('login --complete --wait')}{done}"


@functools.cache
def accounts() -> str:
    """Three accounts in three states."""
    with stage() as here:
        here.sandbox.write_credentials(here.token_dir)
        here.sandbox.write_credentials(here.token_dir, "alice.json")
        here.sandbox.write_credentials(here.token_dir, "bob.json", lifetime=-60, refresh_token=None)
        return here.run("accounts")


@functools.cache
def taken_over() -> str:
    """`login --import`."""
    with stage() as here:
        here.sandbox.write_credentials(here.token_dir.parent / ".qwen")
        return here.run("login", "--import", str(here.token_dir.parent / ".qwen"))


def help_of(*command: str) -> str:
    """The help of a command."""
    arguments = [*command, "--help"]
    done = CliRunner().invoke(app, arguments, prog_name=PROGRAM.name, terminal_width=COLUMNS)
    return done.stdout


def console(arguments: str, screen: str) -> str:
    """A block for a page."""
    return f"```console\n{_prompt(arguments)}{terminal.plain(screen)}```\n"


def _prompt(arguments: str) -> str:
    return f"$ litellm-qwen-ai {arguments}\n"
