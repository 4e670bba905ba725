"""The environment, as it is read at call time."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from litellm_qwen_ai.accounts import account_of
from litellm_qwen_ai.names import DEFAULT_API_BASE
from litellm_qwen_ai.oauth import CorruptCredentialsError, NotLoggedInError
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.settings import Settings, is_on
from litellm_qwen_ai.stores.place import place_of

VARIABLE = {"QWEN_API_BASE": "https://b.example/v1"}
LOGIN = Credentials(access_token="a", resource_url="c.example")
KEY = Credentials(access_token="sk-a", resource_url="https://d.example/v1", plan="custom")
PRIVATE = Credentials(access_token="a", resource_url="10.0.0.1")


def test_nothing_set_means_qwens_own_service_and_the_users_config_folder() -> None:
    settings = Settings.from_environment({})
    assert settings.token_dir == Path(platformdirs.user_config_dir("litellm", appauthor=False)) / "qwen_ai"
    assert settings.auth_file == "oauth_creds.json"
    assert settings.oauth_base_url == "https://chat.qwen.ai"
    assert settings.api_base is None
    assert settings.api_key is None
    assert settings.coalesce is True
    assert is_on("QWEN_HOST_ADAPTATIONS", {})


def test_every_variable_is_read() -> None:
    settings = Settings.from_environment(
        {
            "QWEN_TOKEN_DIR": "/srv/tokens",
            "QWEN_AUTH_FILE": "team.json",
            "QWEN_OAUTH_BASE_URL": "https://gateway.example/",
            "QWEN_OAUTH_CLIENT_ID": "client",
            "QWEN_API_BASE": "https://api.example/v1",
            "QWEN_API_KEY": "sk-key",
            "QWEN_COALESCE": "0",
        }
    )
    assert place_of(settings).login(None).describe() == str(Path("/srv/tokens/team.json"))
    assert settings.oauth_base_url == "https://gateway.example"
    assert settings.oauth_client_id == "client"
    assert settings.api_base == "https://api.example/v1"
    assert settings.api_key == "sk-key"
    assert settings.coalesce is False
    assert not is_on("QWEN_HOST_ADAPTATIONS", {"QWEN_HOST_ADAPTATIONS": "0"})


def test_an_empty_variable_counts_as_not_set() -> None:
    names = ("TOKEN_DIR", "AUTH_FILE", "OAUTH_BASE_URL", "OAUTH_CLIENT_ID", "API_BASE", "API_KEY")
    empty = {f"QWEN_{name}": " " for name in (*names, "COALESCE", "HOST_ADAPTATIONS")}
    assert Settings.from_environment(empty) == Settings.from_environment({})


def test_a_tilde_expands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert Settings.from_environment({"QWEN_TOKEN_DIR": "~/tokens"}).token_dir == tmp_path / "tokens"


def test_a_home_folder_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigurationError, match="QWEN_TOKEN_DIR"):
        place_of(Settings.from_environment({"QWEN_TOKEN_DIR": "~no-such-user-here/tokens"}))


def test_the_environment_is_read_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_API_BASE", "https://one.example/v1")
    assert Settings.from_environment().api_base == "https://one.example/v1"
    monkeypatch.setenv("QWEN_API_BASE", "https://two.example/v1")
    assert Settings.from_environment().api_base == "https://two.example/v1"


def test_a_new_home_means_a_new_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("QWEN_TOKEN_DIR", raising=False)
    before = Settings.from_environment()
    assert Settings.from_environment() == before
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.from_environment() != before
    folder = Path(platformdirs.user_config_dir("litellm", appauthor=False)) / "qwen_ai"
    assert Settings.from_environment().token_dir == folder
    assert account_of(Settings.from_environment()).store.describe() == str(folder / "oauth_creds.json")


def test_the_key_is_in_no_representation() -> None:
    assert "sk-secret" not in repr(Settings.from_environment({"QWEN_API_KEY": "sk-secret"}))


@pytest.mark.parametrize("name", ["a/b.json", "../b.json", "..", "/etc/b.json"])
def test_an_auth_file_with_a_path_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="file name"):
        account_of(Settings.from_environment({"QWEN_AUTH_FILE": name}))


def test_an_account_is_a_file_beside_the_default_one() -> None:
    settings = Settings.from_environment({"QWEN_TOKEN_DIR": "/srv/tokens"})
    assert place_of(settings).login("alice").describe() == str(Path("/srv/tokens/alice.json"))


@pytest.mark.parametrize("name", ["", "../alice", "a/b", ".alice", "al ice", "alice\n", "..", "alicé"])
def test_an_account_is_a_name_and_never_a_path(name: str) -> None:
    with pytest.raises(ConfigurationError, match="never a path"):
        account_of(Settings.from_environment({}), name)


def test_an_accounts_errors_name_the_command_with_the_account(tmp_path: Path) -> None:
    settings = Settings.from_environment({"QWEN_TOKEN_DIR": str(tmp_path)})
    session = account_of(settings, "alice").session
    with pytest.raises(NotLoggedInError, match="Run `litellm-qwen-ai login --account alice`"):
        session.get()
    (tmp_path / "alice.json").write_text("{")
    with pytest.raises(CorruptCredentialsError, match="litellm-qwen-ai login --account alice --force"):
        session.get()


@pytest.mark.parametrize(
    ("more", "given", "stored", "expected"),
    [
        (
            {"QWEN_API_BASE": "https://b.example/v1"},
            "https://a.example/v1",
            LOGIN,
            ("https://a.example/v1", "api_base"),
        ),
        (VARIABLE, None, LOGIN, ("https://b.example/v1", "QWEN_API_BASE")),
        ({}, None, LOGIN, ("https://c.example/v1", "the login's resource_url")),
        ({}, None, KEY, ("https://d.example/v1", "the kept key's plan")),
        ({}, None, None, (DEFAULT_API_BASE, "the default")),
        ({}, None, Credentials(access_token="a"), (DEFAULT_API_BASE, "the default")),
        ({}, "https://a.example/v1", PRIVATE, ("https://a.example/v1", "api_base")),
    ],
)
def test_one_rule_says_where_calls_go_and_why(
    more: dict[str, str], given: str | None, stored: Credentials | None, expected: tuple[str, str]
) -> None:
    assert Settings.from_environment(more).address(stored, given) == expected


def test_an_address_that_no_token_may_go_to_is_refused_where_it_would_be_used() -> None:
    with pytest.raises(ConfigurationError):
        Settings.from_environment({}).address(PRIVATE)
