"""Each text of the commands' error table comes out of a real command, with the exit code beside it."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from litellm_qwen_ai import verbs
from litellm_qwen_ai.accounts import account_of
from litellm_qwen_ai.cli import main
from litellm_qwen_ai.oauth import FileStore, device_login
from litellm_qwen_ai.oauth.clocks import Clocks
from litellm_qwen_ai.sandbox import Answer, Sandbox
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.files.locks import locked
from tests.docs.pages import error_table

TABLE: list[tuple[str, int, str]] = list(error_table().COMMANDS)


class Shell:
    """Runs commands against a sandbox whose codes wait for nobody."""

    def __init__(self, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox, self.folder, self.monkeypatch = sandbox, folder, monkeypatch

    def run(self, *arguments: str) -> int:
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert isinstance(exit_.value.code, int)
        return exit_.value.code

    def write(self, **more: Any) -> Path:
        return self.sandbox.write_credentials(self.folder, **more)

    def login(self, **answers: str) -> int:
        for endpoint, name in answers.items():
            self.sandbox.answer_next(endpoint, name)
        return self.run("login")

    def key(self, *arguments: str, **answers: str) -> int:
        self.monkeypatch.setattr(sys, "stdin", io.StringIO("sk-any"))
        for endpoint, name in answers.items():
            self.sandbox.answer_next(endpoint, name)
        return self.run("login", "--key", *arguments)

    def nobody(self) -> int:
        self.sandbox.answer_next("device", Answer("a short life", patch={"expires_in": 6}))
        self.sandbox.answer_next("token", "authorization_pending", times=5)
        return self.run("login")

    def unreachable(self) -> int:
        self.monkeypatch.setenv("QWEN_OAUTH_BASE_URL", "http://127.0.0.1:9")
        return self.run("login")

    def interrupted(self) -> int:
        def interrupt(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        self.monkeypatch.setattr(verbs, "device_login", interrupt)
        return self.run("login")

    def early(self) -> int:
        self.run("login", "--start")
        return self.run("login", "--complete")

    def damaged(self, *arguments: str) -> int:
        self.write().write_text("{ half")
        return self.run(*arguments)

    def second(self) -> int:
        self.write()
        return self.run("login", "--import", str(self.foreign()))

    def foreign(self, text: str | None = None) -> Path:
        path = self.sandbox.write_credentials(self.folder.parent / "other")
        if text is not None:
            path.write_text(text)
        return path

    def locked(self) -> int:
        path = self.write()
        self.monkeypatch.setattr(account_of(Settings.from_environment()).store, "_patience", 0.01)
        with locked(Path(f"{path}.lock"), 5, like=path):
            return self.run("logout", "--yes")

    def without_segno(self) -> int:
        self.monkeypatch.setitem(sys.modules, "segno", None)
        return self.run("login", "--qr")

    def bad_name(self) -> int:
        self.monkeypatch.setenv("QWEN_AUTH_FILE", "a/b.json")
        return self.run("status")

    def asked(self) -> int:
        self.write()
        return self.run("logout")


CAUSES: dict[str, Callable[[Shell], int]] = {
    "The login was refused on the approval page": lambda shell: shell.login(token="access_denied"),
    "Nobody approved the login in time": Shell.nobody,
    "The server did not start a login": lambda shell: shell.login(device="captcha_html"),
    "The server ended the login": lambda shell: shell.login(token="unauthorized"),
    "The login could not start: no answer from": Shell.unreachable,
    "Cancelled; nothing was changed": Shell.interrupted,
    "Not approved yet": Shell.early,
    "No login waits to be completed": lambda shell: shell.run("login", "--complete"),
    "Not logged in: there is no": lambda shell: shell.run("logout", "--yes"),
    "refuses the token": lambda shell: shell.login(models="token_expired"),
    "refuses the key": lambda shell: shell.key("--api-base", shell.sandbox.api_base, models="token_expired"),
    "takes the key is not known": lambda shell: shell.key("--api-base", "http://127.0.0.1:9"),
    "What is the key for?": Shell.key,
    "not a credentials file": lambda shell: shell.damaged("login"),
    "holds no login that can be read, so it is not removed": lambda shell: shell.damaged("logout", "--yes"),
    "There is a login in": Shell.second,
    "Nothing was imported": lambda shell: shell.run("login", "--import", str(shell.foreign("{ half"))),
    "has expired and holds no refresh token": lambda shell: shell.run(
        "login", "--import", str(shell.foreign(json.dumps({"access_token": "a", "expiry_date": 1})))
    ),
    "is no account name": lambda shell: shell.run("status", "--account", "../x"),
    "QWEN_AUTH_FILE takes a file name": Shell.bad_name,
    "Another process has held": Shell.locked,
    "There is no terminal to ask on": Shell.asked,
    "--qr needs a package": Shell.without_segno,
}


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    passed = [0.0]

    def nap(seconds: float) -> None:
        passed[0] += seconds

    def quick(store: FileStore, **more: Any) -> Any:
        clocks = Clocks(lambda: time.time() + passed[0], lambda: passed[0], nap)
        return device_login(store, **more, clocks=clocks)

    monkeypatch.setattr(verbs, "device_login", quick)
    with Sandbox(interval=0, auto_approve=True) as sandbox:
        for name, value in sandbox.environment(tmp_path / "tokens").items():
            monkeypatch.setenv(name, value)
        yield Shell(sandbox, tmp_path / "tokens", monkeypatch)


def test_each_row_has_its_cause_here() -> None:
    assert [text for text, _, _ in TABLE] == list(CAUSES)


@pytest.mark.parametrize(("text", "code"), [row[:2] for row in TABLE], ids=[text for text, _, _ in TABLE])
def test_the_text_and_the_exit_code_are_those_of_the_table(
    text: str, code: int, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert CAUSES[text](shell) == code
    said = capsys.readouterr()
    assert text in said.out + said.err
