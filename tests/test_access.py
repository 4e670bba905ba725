"""Other clients on the login: the token and its address, from threads, event loops and forked processes."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import litellm_qwen_ai
from litellm_qwen_ai import QwenAuth, api_base, async_token_provider, token_provider
from litellm_qwen_ai.accounts import account_of
from litellm_qwen_ai.chat.wire import LOGIN_HEADERS
from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.sandbox import Answer, Sandbox
from litellm_qwen_ai.settings import Settings
from tests.valkey import KEY, shared_valkey

pytest_plugins = ["litellm_qwen_ai.testing"]

SYSTEM = {"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}
CALL: Any = {
    "model": "coder-model",
    "messages": [{"role": "system", "content": [SYSTEM]}, {"role": "user", "content": "Hello"}],
}


@pytest.fixture
def expired(qwen_sandbox_logged_out: Sandbox, tmp_path: Path) -> Sandbox:
    """A sandbox, and a login whose token is due for renewal."""
    qwen_sandbox_logged_out.write_credentials(tmp_path / "qwen_tokens", lifetime=-1)
    return qwen_sandbox_logged_out


def test_the_anthropic_sdk_sends_the_token_as_the_page_says(expired: Sandbox) -> None:
    anthropic = pytest.importorskip("anthropic", reason="it is no dependency of the tests")
    token, asked = token_provider(), list[str]()

    def credentials(**_: Any) -> Any:
        asked.append(token())
        return anthropic.lib.credentials.AccessToken(asked[-1], expires_at=0)

    with anthropic.Anthropic(base_url=expired.url, credentials=credentials, max_retries=0) as client:
        for _ in range(2):  # the sandbox speaks no Anthropic, and records what came
            with pytest.raises(anthropic.NotFoundError):
                client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}])
            assert expired.requests[-1].headers["authorization"] == f"Bearer {asked[-1]}"
    assert len(asked) == 2
    assert expired.counts.refreshes == 1
    assert expired.accepts(asked[-1])


# --- what is counted ---


def test_what_goes_out_with_the_login_is_counted_each_time_it_is_sent(qwen_sandbox: Sandbox) -> None:
    qwen_sandbox.expire_access_tokens()
    with httpx.Client(base_url=api_base(), auth=QwenAuth()) as client:
        assert client.get("/models").status_code == 200
        assert _requests_today() == 0
        assert client.post("/chat/completions", json=CALL).status_code == 200
        qwen_sandbox.expire_access_tokens()
        assert client.post("/chat/completions", json=CALL).status_code == 200  # the second time
    assert len(qwen_sandbox.requests_to("chat")) == _requests_today() == 3


async def test_what_a_coroutine_sends_is_counted_too(qwen_sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=api_base(), auth=QwenAuth()) as client:
        assert (await client.post("/chat/completions", json=CALL)).status_code == 200
    assert len(qwen_sandbox.requests_to("chat")) == _requests_today() == 1


def test_a_request_that_is_taken_ends_the_refusal_before_it(qwen_sandbox: Sandbox) -> None:
    account_of(Settings.from_environment()).meter.refused("throttled", 600)
    assert litellm_qwen_ai.status().usage.limited
    with httpx.Client(base_url=api_base(), auth=QwenAuth()) as client:
        client.post("/chat/completions", json=CALL)
    assert not litellm_qwen_ai.status().usage.limited
    assert qwen_sandbox.requests_to("chat")


@pytest.mark.parametrize("way", ["provider", "auth"])
def test_a_key_that_stands_in_quotes_is_told(
    qwen_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("QWEN_API_KEY", '"sk-hidden-key"')
    monkeypatch.setenv("QWEN_API_BASE", qwen_sandbox.api_base)
    with pytest.raises(ConfigurationError, match=r"^QWEN_API_KEY stands in quotes\.") as raised:
        token_provider()() if way == "provider" else httpx.get(f"{api_base()}/models", auth=QwenAuth())
    assert "hidden" not in str(raised.value)


def _requests_today() -> int:
    return litellm_qwen_ai.status().usage.requests_today


# --- the token ---


def test_a_token_is_the_one_that_is_stored(qwen_sandbox: Sandbox) -> None:
    assert qwen_sandbox.accepts(token_provider()())
    assert qwen_sandbox.counts.refreshes == 0


def test_a_token_that_is_due_is_renewed_once_for_all_threads(expired: Sandbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda provider: provider(), [token_provider() for _ in range(32)]))
    assert len(found) == 1
    assert expired.accepts(found.pop())
    assert expired.counts.refreshes == 1


async def test_the_event_loop_goes_on_while_a_token_is_renewed(expired: Sandbox) -> None:
    with expired.holding("refresh"):
        task = asyncio.ensure_future(async_token_provider()())
        await asyncio.to_thread(expired.wait_for_held, "refresh", timeout=30)
        assert not task.done()
    assert expired.accepts(await task)


async def test_without_a_login_nobody_is_asked_to_log_in(qwen_sandbox_logged_out: Sandbox) -> None:
    with pytest.raises(litellm_qwen_ai.NotLoggedInError, match="litellm-qwen-ai login"):
        await async_token_provider()()
    for without in (token_provider(), api_base):
        with pytest.raises(litellm_qwen_ai.NotLoggedInError, match="litellm-qwen-ai login"):
            without()
    assert qwen_sandbox_logged_out.requests == []


def test_a_forked_worker_renews_for_itself(expired: Sandbox) -> None:
    code = """
import os, sys
from litellm_qwen_ai import token_provider
provider = token_provider()
if len(sys.argv) > 1: provider()
child = os.fork()
if child == 0:
    os._exit(0 if provider() else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    for arguments in ([], ["before"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], check=False, timeout=60)
        assert done.returncode == 0
    assert expired.counts.refreshes == 1


@pytest.fixture(params=["files", "redis"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where logins are kept."""
    if request.param == "redis":
        monkeypatch.setenv("QWEN_STORE", f"redis://127.0.0.1:{shared_valkey().port}/0")
        monkeypatch.setenv("QWEN_STORE_KEY", KEY)
        monkeypatch.setenv("QWEN_STORE_PREFIX", f"access-{secrets.token_hex(4)}")


@pytest.mark.usefixtures("place")
def test_a_login_in_either_place_serves_a_process_and_its_forked_workers(
    qwen_sandbox_logged_out: Sandbox,
) -> None:
    code = """
import asyncio, os, sys, httpx
from litellm_qwen_ai import QwenAuth, alogin, api_base, logout, token_provider
assert asyncio.run(alogin()).changed
provider, call = token_provider(), eval(sys.argv[1])
with httpx.Client(auth=QwenAuth(), base_url=api_base()) as client:
    assert client.post("/chat/completions", json=call).status_code == 200
httpx.post(os.environ["QWEN_OAUTH_BASE_URL"] + "/sandbox/expire")
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        with httpx.Client(auth=QwenAuth(), base_url=api_base()) as client:
            status = client.post("/chat/completions", json=call).status_code
        os._exit(0 if status == 200 and provider() else 1)
    children.append(child)
assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
assert logout()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, repr(CALL)], check=False, timeout=120, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (qwen_sandbox_logged_out.counts.chats, qwen_sandbox_logged_out.counts.refreshes) == (4, 1)
    assert not litellm_qwen_ai.status().logged_in


def test_a_login_that_has_ended_is_told_and_noted(expired: Sandbox) -> None:
    expired.revoke()
    with pytest.raises(litellm_qwen_ai.LoginExpiredError):
        token_provider()()
    assert litellm_qwen_ai.status().ended


def test_an_account_has_a_token_of_its_own(qwen_sandbox: Sandbox, tmp_path: Path) -> None:
    qwen_sandbox.write_credentials(tmp_path / "qwen_tokens", "work.json")
    assert token_provider("work")() != token_provider()()
    for named in (token_provider, async_token_provider, QwenAuth, api_base):
        with pytest.raises(litellm_qwen_ai.ConfigurationError, match="is no account name"):
            named("../work")


def test_a_key_is_used_as_by_calls(qwen_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_API_KEY", "sk-made-up")
    monkeypatch.setenv("QWEN_API_BASE", qwen_sandbox.api_base)
    assert token_provider()() == "sk-made-up"
    assert asyncio.run(async_token_provider()()) == "sk-made-up"
    with httpx.Client(auth=QwenAuth(), base_url=api_base()) as client:
        assert client.post("/chat/completions", json=CALL).status_code == 401
    assert [one.headers["authorization"] for one in qwen_sandbox.requests] == ["Bearer sk-made-up"]


# --- the address ---


def test_the_address_is_the_logins_own(qwen_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api_base() == qwen_sandbox.api_base == litellm_qwen_ai.status().base_url
    monkeypatch.setenv("QWEN_API_BASE", "https://mine.example/v1")
    assert api_base() == "https://mine.example/v1"


# --- httpx ---


@pytest.fixture(params=["sync", "async"])
def post(request: pytest.FixtureRequest) -> Callable[..., httpx.Response]:
    """Posts with `QwenAuth`, with either kind of client."""

    def sync(url: str, **more: Any) -> httpx.Response:
        with httpx.Client(auth=QwenAuth(), follow_redirects=True) as client:
            return client.post(url, **more)

    def through_loop(url: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(auth=QwenAuth(), follow_redirects=True) as client:
                return await client.post(url, **more)

        return asyncio.run(ask())

    return sync if request.param == "sync" else through_loop


def test_a_refused_token_is_renewed_once(qwen_sandbox: Sandbox, post: Any) -> None:
    qwen_sandbox.expire_access_tokens()
    assert post(f"{api_base()}/chat/completions", json=CALL).status_code == 200
    assert (qwen_sandbox.counts.refreshes, qwen_sandbox.counts.chat_requests) == (1, 2)


async def test_the_event_loop_goes_on_while_a_refused_token_is_renewed(qwen_sandbox: Sandbox) -> None:
    qwen_sandbox.expire_access_tokens()
    async with httpx.AsyncClient(auth=QwenAuth(), base_url=api_base()) as client:
        with qwen_sandbox.holding("refresh"):
            task = asyncio.ensure_future(client.post("/chat/completions", json=CALL))
            await asyncio.to_thread(qwen_sandbox.wait_for_held, "refresh", timeout=30)
            assert not task.done()
        assert (await task).status_code == 200


def test_a_second_refusal_is_the_answer(qwen_sandbox: Sandbox, post: Any) -> None:
    qwen_sandbox.answer_next("chat", "token_expired", times=5)
    assert post(f"{api_base()}/chat/completions", json=CALL).status_code == 401
    assert (qwen_sandbox.counts.refreshes, qwen_sandbox.counts.chat_requests) == (1, 2)


def test_a_body_in_pieces_can_be_sent_twice(qwen_sandbox: Sandbox) -> None:
    qwen_sandbox.expire_access_tokens()
    whole = httpx.Request("POST", "http://unused", json=CALL).content

    def pieces() -> Iterator[bytes]:
        yield whole[:10]
        yield whole[10:]

    async def apieces() -> AsyncIterator[bytes]:
        for piece in pieces():
            yield piece

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(auth=QwenAuth()) as client:
            return await client.post(url, content=apieces())

    url = f"{api_base()}/chat/completions"
    with httpx.Client(auth=QwenAuth()) as client:
        assert client.post(url, content=pieces()).status_code == 200
    qwen_sandbox.expire_access_tokens()
    assert asyncio.run(ask()).status_code == 200
    assert {request.body for request in qwen_sandbox.requests_to("chat")} == {whole}


def test_a_login_that_has_ended_is_told_after_a_refusal(qwen_sandbox: Sandbox, post: Any) -> None:
    qwen_sandbox.revoke()
    with pytest.raises(litellm_qwen_ai.LoginExpiredError):
        post(f"{api_base()}/chat/completions", json=CALL)


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.copy_with(scheme="https"),
        lambda url: url.copy_with(host="localhost"),
        lambda url: url.copy_with(port=9),
        lambda url: url.copy_with(host="127.0.0.1.example"),
    ],
    ids=["scheme", "host", "port", "longer host"],
)
def test_the_token_goes_to_the_logins_own_address_only(
    qwen_sandbox: Sandbox, post: Any, change: Callable[[httpx.URL], httpx.URL]
) -> None:
    url = change(httpx.URL(f"{api_base()}/chat/completions?secret=x"))
    with pytest.raises(litellm_qwen_ai.ConfigurationError, match=r"api_base\(\)") as caught:
        post(str(url))
    assert qwen_sandbox.url in str(caught.value)
    assert "secret" not in str(caught.value)
    assert qwen_sandbox.requests == []


@pytest.mark.parametrize("name", ["Host", "host"])
def test_no_host_header_leads_the_token_elsewhere(qwen_sandbox: Sandbox, post: Any, name: str) -> None:
    url = f"{api_base()}/chat/completions"
    with pytest.raises(litellm_qwen_ai.ConfigurationError, match="no Host header"):
        post(url, json=CALL, headers={name: "tenant.example"})
    assert qwen_sandbox.requests == []
    assert post(url, json=CALL, headers={name: qwen_sandbox.url[7:]}).status_code == 200


def test_a_default_port_may_be_written_or_not(qwen_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_API_BASE", "https://Mine.example/v1")
    flow = QwenAuth().sync_auth_flow(httpx.Request("GET", "https://mine.example:443/v1/models"))
    assert qwen_sandbox.accepts(next(flow).headers["authorization"].removeprefix("Bearer "))
    flow.close()


def test_a_redirect_elsewhere_gets_no_token(qwen_sandbox: Sandbox, post: Any) -> None:
    with Sandbox() as other:
        leads = Answer("leads elsewhere", 307, b"", {"location": f"{other.api_base}/chat/completions"})
        qwen_sandbox.answer_next("chat", leads)
        with pytest.raises(litellm_qwen_ai.ConfigurationError, match="redirected") as caught:
            post(f"{api_base()}/chat/completions", json=CALL)
        assert other.url in str(caught.value)
        assert ["authorization" in one.headers for one in other.requests] == [False]
    assert qwen_sandbox.counts.refresh_requests == 0


def test_the_requests_own_headers_win_over_those_of_the_login(qwen_sandbox: Sandbox) -> None:
    with httpx.Client(base_url=api_base(), auth=QwenAuth()) as client:
        own = {"x-dashscope-useragent": "mine/1.0"}
        assert client.post("/chat/completions", json=CALL, headers=own).status_code == 200
    (sent,) = qwen_sandbox.requests_to("chat")
    assert sent.headers["x-dashscope-useragent"] == "mine/1.0"
    assert sent.headers["x-dashscope-authtype"] == "qwen-oauth"


# --- the OpenAI SDK ---


def test_the_openai_sdk_takes_the_provider(qwen_sandbox: Sandbox) -> None:
    with openai.OpenAI(
        base_url=api_base(), api_key=token_provider(), default_headers=LOGIN_HEADERS
    ) as client:
        assert client.chat.completions.create(**CALL).choices[0].message.content
    assert qwen_sandbox.counts.chats == 1


async def test_the_async_openai_sdk_takes_the_async_provider(expired: Sandbox) -> None:
    key = async_token_provider()
    async with openai.AsyncOpenAI(base_url=api_base(), api_key=key, default_headers=LOGIN_HEADERS) as client:
        assert (await client.chat.completions.create(**CALL)).choices[0].message.content
    assert (expired.counts.chats, expired.counts.refreshes) == (1, 1)


async def test_the_openai_sdk_renews_a_refused_token_with_httpx_of_ours(qwen_sandbox: Sandbox) -> None:
    asynchronous: Any = httpx.AsyncClient(auth=QwenAuth())
    synchronous: Any = httpx.Client(auth=QwenAuth())
    qwen_sandbox.expire_access_tokens()
    async with openai.AsyncOpenAI(base_url=api_base(), api_key="-", http_client=asynchronous) as client:
        assert (await client.chat.completions.create(**CALL)).choices
    qwen_sandbox.expire_access_tokens()
    with openai.OpenAI(base_url=api_base(), api_key="-", http_client=synchronous) as other:
        assert await asyncio.to_thread(other.chat.completions.create, **CALL)
    assert qwen_sandbox.counts.refreshes == 2


def test_the_openai_sdk_shows_why_there_is_no_token(qwen_sandbox: Sandbox) -> None:
    litellm_qwen_ai.logout()
    ours: Any = httpx.Client(auth=QwenAuth())
    for how in ({"api_key": "-", "http_client": ours}, {"api_key": token_provider()}):
        client = openai.OpenAI(base_url=qwen_sandbox.api_base, max_retries=0, **how)
        errors = (litellm_qwen_ai.NotLoggedInError, openai.APIConnectionError)  # older ones wrap the first
        with client, pytest.raises(errors) as caught:
            client.chat.completions.create(**CALL)
        told = caught.value
        assert isinstance(told, errors[0]) or isinstance(told.__cause__, errors[0])
