"""Logging in and out in Python, against a real server, in whichever store is set."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

import litellm_qwen_ai
from litellm_qwen_ai.oauth import errors
from litellm_qwen_ai.sandbox import Answer, Sandbox

pytest_plugins = ["litellm_qwen_ai.testing"]


class Silent:
    """A prompt that remembers what it was told, and in which thread."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.threads: set[str] = set()
        self.is_waiting = threading.Event()
        self.approved: bool | None = None

    def show(self, code: Any) -> None:
        self.codes.append(code.user_code)
        self.threads.add(threading.current_thread().name)

    def waiting(self, seconds_left: float) -> None:
        assert seconds_left > 0
        self.is_waiting.set()

    def trouble(self, reason: str) -> None: ...

    def done(self, *, approved: bool) -> None:
        self.approved = approved


def test_login_status_and_logout(qwen_sandbox_logged_out: Sandbox, tmp_path: Path) -> None:
    before = litellm_qwen_ai.status()
    assert (before.logged_in, before.uses, before.standing.value) == (False, None, "not logged in")
    state = litellm_qwen_ai.login(prompt=Silent())
    assert (state.changed, state.logged_in, state.uses) == (True, True, "login")
    assert state.base_url == qwen_sandbox_logged_out.api_base
    assert litellm_qwen_ai.status().as_dict()["logged_in"] is True
    assert litellm_qwen_ai.logout() == str(tmp_path / "qwen_tokens" / "oauth_creds.json")
    assert litellm_qwen_ai.logout() is None
    assert not litellm_qwen_ai.status().logged_in


def test_the_prompt_is_on_stderr_unless_another_is_given(
    qwen_sandbox_logged_out: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    litellm_qwen_ai.login()
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{qwen_sandbox_logged_out.url}/authorize?user_code=" in err


def test_a_live_login_is_left_as_it_is_unless_forced(qwen_sandbox: Sandbox) -> None:
    prompt = Silent()
    assert not litellm_qwen_ai.login(prompt=prompt).changed
    assert prompt.codes == []
    assert litellm_qwen_ai.login(prompt=prompt, force=True).changed
    assert len(prompt.codes) == 1
    assert qwen_sandbox.counts.device_codes == 1


@pytest.mark.usefixtures("qwen_sandbox")
def test_an_account_has_a_login_of_its_own() -> None:
    litellm_qwen_ai.login("work", prompt=Silent())
    assert [state.account for state in litellm_qwen_ai.list_accounts()] == [None, "work"]
    assert litellm_qwen_ai.status("work").store.describe().endswith("work.json")
    assert litellm_qwen_ai.logout("work")
    assert litellm_qwen_ai.status().logged_in
    with pytest.raises(litellm_qwen_ai.ConfigurationError, match="is no account name"):
        litellm_qwen_ai.login("../work")


def test_a_login_that_cannot_be_read_is_not_replaced_without_a_word(qwen_sandbox: Sandbox) -> None:
    assert qwen_sandbox.url
    Path(litellm_qwen_ai.status().store.describe()).write_text("{ half")
    state = litellm_qwen_ai.status()
    assert state.standing.value == "unusable"
    assert "not a credentials file" in str(state.problem)
    for verb in (litellm_qwen_ai.login, litellm_qwen_ai.logout):
        with pytest.raises(litellm_qwen_ai.CorruptCredentialsError):
            verb()
    assert litellm_qwen_ai.login(prompt=Silent(), force=True).logged_in


def test_a_logout_forgets_a_login_that_waits(qwen_sandbox_logged_out: Sandbox) -> None:
    assert qwen_sandbox_logged_out.url
    store = litellm_qwen_ai.status().store
    litellm_qwen_ai.start_login(store, oauth_base_url=qwen_sandbox_logged_out.url)
    assert litellm_qwen_ai.status().pending is not None
    assert litellm_qwen_ai.logout() == "the login that had been started"
    assert litellm_qwen_ai.pending_login(store) is None


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_a_login_that_waits_and_cannot_be_trusted_keeps_no_login(qwen_sandbox: Sandbox) -> None:
    store = litellm_qwen_ai.status().store
    litellm_qwen_ai.start_login(store, oauth_base_url=qwen_sandbox.url)
    (note,) = Path(store.describe()).parent.glob("*.pending")
    note.chmod(0o622)
    with pytest.raises(litellm_qwen_ai.StoreError) as told:
        litellm_qwen_ai.logout()
    begun = f"Removed {store.describe()}. Of the login that had been started: {note} can be written by other"
    assert str(told.value).startswith(begun)
    assert not litellm_qwen_ai.status().logged_in
    with pytest.raises(litellm_qwen_ai.StoreError, match=r"^Of the login that had been started"):
        litellm_qwen_ai.logout()
    note.chmod(0o600)
    assert litellm_qwen_ai.logout() == "the login that had been started"


def test_nothing_secret_is_shown_of_how_an_account_stands(qwen_sandbox: Sandbox) -> None:
    state = litellm_qwen_ai.status()
    shown = f"{state!r} {state} {state.as_dict()} {vars(state)}"
    assert not [secret for secret in qwen_sandbox.secrets_issued() if secret in shown]


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy])
def test_how_an_account_stands_is_not_carried_elsewhere(qwen_sandbox: Sandbox, carry: Any) -> None:
    assert qwen_sandbox.secrets_issued()
    with pytest.raises(TypeError, match=r"as_dict\(\)"):
        carry(litellm_qwen_ai.status())


def test_a_page_that_cannot_be_used_is_a_refusal(qwen_sandbox_logged_out: Sandbox) -> None:
    qwen_sandbox_logged_out.answer_next("device", "wrong_pages")
    with pytest.raises(litellm_qwen_ai.LoginRefusedError, match="approval page") as caught:
        litellm_qwen_ai.login(prompt=Silent())
    assert caught.value.code == "refused"


@pytest.mark.parametrize(
    ("answer", "code", "kind"),
    [
        ("access_denied", "access_denied", litellm_qwen_ai.LoginDeniedError),
        ("expired_token", "expired_token", litellm_qwen_ai.LoginTimedOutError),
        ("unauthorized", "refused", litellm_qwen_ai.LoginRefusedError),
    ],
)
def test_a_login_that_ends_has_a_code(
    qwen_sandbox_logged_out: Sandbox, answer: str, code: str, kind: type[litellm_qwen_ai.LoginError]
) -> None:
    qwen_sandbox_logged_out.answer_next("token", answer)
    with pytest.raises(kind) as caught:
        litellm_qwen_ai.login(prompt=Silent())
    assert caught.value.code == code


def test_a_server_that_cannot_be_reached_has_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_OAUTH_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(litellm_qwen_ai.LoginError) as caught:
        litellm_qwen_ai.login(prompt=Silent())
    assert caught.value.code == "unreachable"


def test_the_table_has_the_code_of_each_error_of_a_login() -> None:
    kinds = {errors.LoginError, *errors.LoginError.__subclasses__()}
    rows = {f"| `{kind.code}` | `{kind.__name__}` |" for kind in kinds}
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert not [row for row in rows if row not in (errors.__doc__ or "")]


async def test_alogin_waits_in_another_thread_while_the_loop_goes_on(
    qwen_sandbox_logged_out: Sandbox,
) -> None:
    qwen_sandbox_logged_out.answer_next("token", "authorization_pending", times=2)
    prompt, turns = Silent(), 0
    task = asyncio.ensure_future(litellm_qwen_ai.alogin(prompt=prompt))
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert (await task).changed
    assert prompt.threads == {"qwen-ai-login"}
    assert turns > 10


async def test_a_cancelled_alogin_leaves_no_login_that_waits(qwen_sandbox_logged_out: Sandbox) -> None:
    qwen_sandbox_logged_out.answer_next("device", Answer("nobody comes", patch={"interval": 3600}))
    prompt = Silent()
    task = asyncio.ensure_future(litellm_qwen_ai.alogin(prompt=prompt))
    assert await asyncio.to_thread(prompt.is_waiting.wait, 30), "the login never waited"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    thread = next(one for one in threading.enumerate() if one.name == "qwen-ai-login")
    await asyncio.to_thread(thread.join, 30)
    assert prompt.approved is False
    assert litellm_qwen_ai.status().pending is None


async def test_login_in_an_event_loop_says_what_to_use(qwen_sandbox_logged_out: Sandbox) -> None:
    with pytest.raises(RuntimeError, match=r"await litellm_qwen_ai\.alogin\(\)"):
        litellm_qwen_ai.login()
    assert qwen_sandbox_logged_out.counts.device_codes == 0


@pytest.mark.parametrize("folder", [str, Path])
def test_a_file_store_takes_a_folder_as_text_or_as_a_path(tmp_path: Path, folder: type) -> None:
    assert litellm_qwen_ai.FileStore(folder(tmp_path / "some")).path.parent == tmp_path / "some"


# --- a key ---


@pytest.mark.parametrize("way", ["login", "alogin"])
def test_a_key_is_kept_in_an_account(qwen_sandbox_logged_out: Sandbox, way: str) -> None:
    given = {"key": "sk-sandbox", "api_base": qwen_sandbox_logged_out.url}
    if way == "login":
        state = litellm_qwen_ai.login("team", **given)
    else:
        state = asyncio.run(litellm_qwen_ai.alogin("team", **given))
    assert (state.changed, state.uses, state.standing.value, state.key_plan) == (True, "key", "key", "custom")
    assert (state.base_url, state.key_host) == (
        qwen_sandbox_logged_out.api_base,
        qwen_sandbox_logged_out.url[7:],
    )
    assert (state.expires_at, state.can_renew, state.renewal, state.ended) == (None, False, None, False)
    assert "sk-" not in repr(state) + str(state.as_dict())
    assert litellm_qwen_ai.token_provider("team")() == "sk-sandbox"
    assert litellm_qwen_ai.api_base("team") == qwen_sandbox_logged_out.api_base
    assert litellm_qwen_ai.login("team").changed is False
    assert litellm_qwen_ai.logout("team")
    assert not litellm_qwen_ai.status("team").logged_in


def test_what_belongs_to_a_key_is_refused_without_one(qwen_sandbox_logged_out: Sandbox) -> None:
    with pytest.raises(errors.ConfigurationError, match="go with a key"):
        litellm_qwen_ai.login(plan="beijing")
    assert qwen_sandbox_logged_out.requests == []


def test_a_refused_key_is_sent_once_by_httpx(qwen_sandbox_logged_out: Sandbox) -> None:
    litellm_qwen_ai.login(key="sk-unknown-key", api_base=qwen_sandbox_logged_out.api_base, check=False)
    with httpx.Client(auth=litellm_qwen_ai.QwenAuth(), trust_env=False) as client:
        answer = client.get(f"{litellm_qwen_ai.api_base()}/models")
    assert answer.status_code == 401
    assert len(qwen_sandbox_logged_out.requests_to("models")) == 1
