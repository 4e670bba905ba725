"""The fixtures for users, in a pytest of their own."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import textwrap
from pathlib import Path

from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.redis.place import RedisPlace
from tests.valkey import KEY, shared_valkey

CONFTEST = 'pytest_plugins = ["litellm_qwen_ai.testing"]\n'
PASSING = textwrap.dedent(
    """
    import json, os, pathlib
    import pytest

    def test_the_environment_leads_to_a_login_in_the_sandbox(qwen_sandbox):
        assert os.environ["QWEN_OAUTH_BASE_URL"] == qwen_sandbox.url
        assert "QWEN_API_KEY" not in os.environ
        assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
        login = json.loads((pathlib.Path(os.environ["QWEN_TOKEN_DIR"]) / "oauth_creds.json").read_text())
        assert login["resource_url"] == qwen_sandbox.api_base
        assert qwen_sandbox.accepts(login["access_token"])

    def test_litellm_answers_from_the_sandbox(qwen_sandbox):
        import litellm
        import litellm_qwen_ai

        def ask():
            messages = [{"role": "user", "content": "ping"}]
            return litellm.completion("qwen_ai/coder-model", messages=messages, max_retries=0)

        assert "ping" in ask().choices[0].message.content
        qwen_sandbox.answer_next("chat", "throttled")
        with pytest.raises(litellm.RateLimitError):
            ask()
        assert qwen_sandbox.counts.chat_requests == 2

    def test_logged_out_there_is_no_login(qwen_sandbox_logged_out):
        assert not (pathlib.Path(os.environ["QWEN_TOKEN_DIR"]) / "oauth_creds.json").exists()

    def test_without_a_fixture_the_environment_is_the_user_s_own():
        assert os.environ["QWEN_API_KEY"] == "the user's own"
        assert "QWEN_OAUTH_BASE_URL" not in os.environ
    """
)


OF_A_FLEET = textwrap.dedent(
    """
    import litellm_qwen_ai

    def test_a_logout(qwen_sandbox):
        assert litellm_qwen_ai.status().logged_in
        assert "oauth_creds.json" in litellm_qwen_ai.logout()
    """
)


def _pytest(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QWEN_", "PYTEST_"))}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-W",
            "error::ResourceWarning",
            *arguments,
        ],
        cwd=folder,
        env={**kept, "QWEN_API_KEY": "the user's own", **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_users_get_a_sandbox_with_a_login(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_mine.py").write_text(PASSING)
    done = _pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_a_logout_in_a_user_s_test_leaves_the_fleet_s_logins_alone(tmp_path: Path) -> None:
    store = {
        "QWEN_STORE": shared_valkey().url,
        "QWEN_STORE_KEY": KEY,
        "QWEN_STORE_PREFIX": f"users-{secrets.token_hex(4)}",
        "QWEN_TOKEN_DIR": str(tmp_path),
    }
    real = RedisPlace(Settings.from_environment(store)).login(None)
    real.save(Credentials(access_token="of-the-fleet", refresh_token="of-the-fleet"))
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_mine.py").write_text(OF_A_FLEET)
    done = _pytest(tmp_path, **store)
    assert done.returncode == 0, done.stdout
    real.refresh()
    assert real.look(), "the login of the fleet is gone"


def test_without_the_plugin_nothing_of_ours_is_loaded(tmp_path: Path) -> None:
    loaded = (
        "import sys\ndef test_it():\n    assert not [m for m in sys.modules if m.startswith('litellm')]\n"
    )
    (tmp_path / "test_mine.py").write_text(loaded)
    assert _pytest(tmp_path).returncode == 0
