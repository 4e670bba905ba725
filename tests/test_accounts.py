"""Who is there, in one process."""

from __future__ import annotations

import gc
import pwd
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import litellm_qwen_ai
from litellm_qwen_ai.accounts import MOST_ACCOUNTS, account_of, side_by_side
from litellm_qwen_ai.cli import main
from litellm_qwen_ai.cli.commands import app
from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.oauth.session import Session
from litellm_qwen_ai.settings import Settings


def test_an_account_is_one_object_in_a_process() -> None:
    settings = Settings.from_environment()
    assert account_of(settings, "alice") is account_of(settings, "alice")
    assert account_of(settings, "alice") is not account_of(settings)


def test_what_has_nothing_to_do_with_a_login_makes_no_second_account(monkeypatch: pytest.MonkeyPatch) -> None:
    before = account_of(Settings.from_environment())
    monkeypatch.setenv("QWEN_COALESCE", "0")
    monkeypatch.setenv("QWEN_API_BASE", "https://api.example/v1")
    assert account_of(Settings.from_environment()) is before


def test_thousands_of_names_leave_no_thousands_of_sessions() -> None:
    settings = Settings.from_environment()
    for number in range(3 * MOST_ACCOUNTS):
        assert account_of(settings, f"name-{number}").session
    gc.collect()
    # Others' tests may hold sessions of their own, and their threads one of these for a moment.
    alive = [one for one in gc.get_objects() if isinstance(one, Session) and "name-" in repr(one)]
    assert len(alive) < 2 * MOST_ACCOUNTS


@pytest.mark.parametrize("name", ["", "team..a", "team.", "../evil"])
@pytest.mark.parametrize(
    "ask",
    [
        litellm_qwen_ai.login,
        litellm_qwen_ai.logout,
        litellm_qwen_ai.status,
        litellm_qwen_ai.api_base,
        litellm_qwen_ai.token_provider,
        litellm_qwen_ai.QwenAuth,
    ],
)
def test_a_name_that_cannot_be_used_is_refused_and_never_the_default_account(ask: Any, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no account name"):
        ask(name)


@pytest.mark.parametrize("name", ["alice", "a.b", "a-b_c.d", "1", "a.-"])
def test_a_name_of_letters_digits_and_single_signs_is_one(name: str) -> None:
    assert account_of(Settings.from_environment(), name).name == name


def test_accounts_are_read_beside_each_other_and_kept_in_order() -> None:
    together = threading.Barrier(3)  # who comes alone waits for ever

    def read(account: str | None) -> str | None:
        together.wait(60)
        return account

    assert side_by_side(read, [None, "b", "a"]) == [None, "b", "a"]


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has neither HOME nor an entry in /etc/passwd."""

    def nobody(_uid: int) -> Any:
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_CONFIG_HOME", "QWEN_TOKEN_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_a_key_needs_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_API_KEY", "sk-made-up")
    assert Settings.from_environment().api_key == "sk-made-up"


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(
    "command",
    ["status", "status --json", "accounts", "login --no-browser", "login --start", "logout --yes", "doctor"],
)
def test_without_a_home_each_command_names_the_variable_and_makes_no_folder(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert "Set QWEN_TOKEN_DIR to a folder of this user." in " ".join((said.out + said.err).split())
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("homeless")
def test_without_a_home_help_still_helps() -> None:
    assert CliRunner().invoke(app, ["--help"]).exit_code == 0


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("configured", ["~/tokens", "~nobody-of-that-name/tokens"])
def test_a_folder_in_a_home_that_is_not_there_is_refused_by_name(configured: str) -> None:
    with pytest.raises(ConfigurationError, match="QWEN_TOKEN_DIR"):
        _ = Settings.from_environment({"QWEN_TOKEN_DIR": configured}).token_dir
