"""The sandbox as a server: starting, stopping, holding, recording."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp.web
import httpx
import pytest

from litellm_qwen_ai import settings
from litellm_qwen_ai.names import DEFAULT_CLIENT_ID
from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.settings import Settings
from tests.waiting import until


def test_it_starts_and_stops_in_well_under_half_a_second() -> None:
    def seconds() -> float:
        started = time.perf_counter()
        with Sandbox() as sandbox:
            assert httpx.get(sandbox.url).status_code == 200
        return time.perf_counter() - started

    assert any(seconds() < 0.5 for _ in range(5)), "not even once: the machine may be busy, but not always"


def test_stopping_leaves_no_thread_and_no_listener() -> None:
    before = threading.enumerate()
    with Sandbox() as sandbox:
        assert [thread for thread in threading.enumerate() if thread not in before]
        url = sandbox.url
    assert [thread for thread in threading.enumerate() if thread not in before] == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    sandbox.stop()  # harmless


def test_a_program_that_uses_it_ends_without_a_resource_warning() -> None:
    program = (
        "import urllib.request\n"
        "from litellm_qwen_ai.sandbox import Sandbox\n"
        "with Sandbox() as sandbox:\n"
        "    with urllib.request.urlopen(sandbox.url) as answer:\n"
        "        print(answer.status)\n"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "200\n", "")


def test_stopping_breaks_what_is_held_and_what_streams(sandbox: Sandbox) -> None:
    sandbox.hold("refresh")
    sandbox.hold("chat", at="chunk")
    body = {"model": "coder-model", "messages": [{"role": "user", "content": "x"}], "stream": True}
    headers = {"authorization": "Bearer sk-sandbox"}
    token_url = f"{sandbox.url}/api/v1/oauth2/token"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        refresh = pool.submit(httpx.post, token_url, data={"grant_type": "refresh_token"})
        chat = pool.submit(httpx.post, f"{sandbox.api_base}/chat/completions", json=body, headers=headers)
        sandbox.wait_for_held("refresh")
        sandbox.wait_for_held("chat", at="chunk")
        sandbox.stop()
        for request in (refresh, chat):
            with pytest.raises(httpx.TransportError):
                request.result(10)


def test_it_can_be_started_again_but_not_twice() -> None:
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = sandbox.url
    with sandbox, pytest.raises(RuntimeError, match="running already"):
        sandbox.start()
    with sandbox:
        assert httpx.get(sandbox.url).status_code == 200


def test_a_port_in_use_is_an_error_that_names_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"Cannot listen on 127.0.0.1:{port}"):
            Sandbox(port=port).start()


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_ipv6_address_is_written_in_brackets() -> None:
    try:
        with Sandbox(host="::1") as sandbox:
            assert sandbox.url.startswith("http://[::1]:")
            assert httpx.get(sandbox.url).status_code == 200
    except OSError as error:
        pytest.skip(f"no IPv6 loopback: {error}")


def test_all_addresses_are_reached_through_loopback() -> None:
    with Sandbox(host="0.0.0.0") as sandbox:  # noqa: S104  # that is the test
        assert sandbox.url.startswith("http://127.0.0.1:")
        assert httpx.get(sandbox.url).status_code == 200


def test_the_environment_leads_a_program_here_and_not_by_the_api_base(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    assert _set(sandbox.environment()) == {"QWEN_OAUTH_BASE_URL": sandbox.url}
    with Sandbox(client_id="mine") as other:
        assert _set(other.environment(tmp_path)) == {
            "QWEN_OAUTH_BASE_URL": other.url,
            "QWEN_OAUTH_CLIENT_ID": "mine",
            "QWEN_TOKEN_DIR": str(tmp_path),
        }


def _set(variables: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if value}


def test_no_variable_of_the_user_s_leads_a_program_away(sandbox: Sandbox, tmp_path: Path) -> None:
    users = dict.fromkeys(re.findall(r"^\| `(QWEN_\w+)`", settings.__doc__ or "", re.MULTILINE), "a-user-s")
    here = sandbox.environment(tmp_path)
    of_user = Settings.from_environment({**users, **here})
    assert Settings.from_environment(users).store == "a-user-s"
    assert of_user == Settings.from_environment(here)


def test_written_credentials_are_a_private_file_whose_tokens_work(sandbox: Sandbox, tmp_path: Path) -> None:
    path = sandbox.write_credentials(str(tmp_path / "new" / "tokens"), account="alice")
    assert path == tmp_path / "new" / "tokens" / "oauth_creds.json"
    said = json.loads(path.read_text())
    assert said["resource_url"] == sandbox.api_base
    assert said["expiry_date"] == int((sandbox.now() + 21_600) * 1000)
    assert said["account"] == "alice"
    assert sandbox.accepts(said["access_token"])
    assert [entry.name for entry in path.parent.iterdir()] == ["oauth_creds.json"]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_issued_tokens_can_be_expired_from_the_start(sandbox: Sandbox) -> None:
    tokens = sandbox.issue_tokens(lifetime=-1)
    assert not sandbox.accepts(tokens["access_token"])
    assert sandbox.accepts_refresh(tokens["refresh_token"])
    assert tokens["expiry_date"] < sandbox.now() * 1000


def test_another_resource_url_can_be_given() -> None:
    with Sandbox(resource_url="portal.qwen.ai") as sandbox:
        assert sandbox.issue_tokens()["resource_url"] == "portal.qwen.ai"


@pytest.mark.parametrize("resource_url", ["portal.qwen.ai", "http://Portal.qwen.ai:8443/v1"])
@pytest.mark.parametrize(
    ("host", "bearer", "status"),
    [
        ("portal.qwen.ai", None, 200),
        ("PORTAL.qwen.ai:8443", None, 200),
        ("chat.qwen.ai", None, 401),
        ("[::1", None, 401),
        ("chat.qwen.ai", "sk-sandbox", 200),  # a key has no host of its own here
    ],
)
def test_a_token_is_good_at_its_own_host_only(
    resource_url: str, host: str, bearer: str | None, status: int
) -> None:
    with Sandbox(resource_url=resource_url) as sandbox:
        tokens = [sandbox.issue_tokens()["access_token"], renewed(sandbox)]
        for token in tokens if bearer is None else [bearer]:
            headers = {"authorization": f"Bearer {token}", "host": host}
            answer = httpx.get(f"{sandbox.api_base}/models", headers=headers)
            assert answer.status_code == status
            assert (answer.json().get("error") or {}).get("code") == (
                "invalid_api_key" if status == 401 else None
            )


def renewed(sandbox: Sandbox) -> str:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": sandbox.issue_tokens()["refresh_token"],
        "client_id": DEFAULT_CLIENT_ID,
    }
    headers = {"accept": "application/json"}
    answer = httpx.post(f"{sandbox.url}/api/v1/oauth2/token", data=form, headers=headers)
    token: str = answer.json()["access_token"]
    return token


def test_where_no_address_is_given_a_token_is_good_under_any_name(sandbox: Sandbox) -> None:
    headers = {"authorization": f"Bearer {sandbox.issue_tokens()['access_token']}", "host": "sandbox.test"}
    assert httpx.get(f"{sandbox.api_base}/models", headers=headers).status_code == 200


def test_the_clock_can_be_moved(sandbox: Sandbox) -> None:
    tokens = sandbox.issue_tokens()
    sandbox.advance(21_600)
    assert not sandbox.accepts(tokens["access_token"])


def test_every_request_is_recorded_whole(client: Any, sandbox: Sandbox) -> None:
    client.device()
    client.http.get("/authorize?client=c&client=d")
    client.chat("Hello", temperature=1)
    client.chat(token="wrong")
    client.http.get("/sandbox/state")
    device, page, chat, refused = sandbox.requests
    assert [one.endpoint for one in sandbox.requests] == ["device", "page", "chat", "chat"]
    assert device.form["code_challenge_method"] == "S256"
    assert page.query == {"client": "d"}
    assert chat.json["temperature"] == 1
    assert (chat.bearer, chat.status, chat.error) == ("sk-sandbox", 200, None)
    assert (refused.status, refused.error) == (401, "invalid access token or token expired")
    assert chat.at == sandbox.now()
    assert "sk-sandbox" not in repr(chat)
    assert sandbox.requests_to("chat") == [chat, refused]
    sandbox.answer_next("chat", "throttled")
    sandbox.clear()
    assert sandbox.requests == []
    assert sandbox.counts.chat_requests == 0
    assert client.chat().status_code == 200


def test_only_so_many_requests_are_kept() -> None:
    with Sandbox(keep_requests=2) as sandbox:
        for _ in range(3):
            httpx.get(f"{sandbox.url}/nowhere")
        assert len(sandbox.requests) == 2


def test_an_unknown_path_is_a_json_404(client: Any) -> None:
    response = client.http.get("/v1/nowhere")
    assert response.status_code == 404
    assert "/v1/nowhere" in response.json()["error"]["message"]


def test_a_large_request_fits(client: Any) -> None:
    assert client.chat("x" * 3_000_000, model="qwen-plus").status_code == 200


# -- holding -----------------------------------------------------------------


def test_held_requests_wait_without_effect_until_they_are_released(client: Any, sandbox: Sandbox) -> None:
    token = sandbox.issue_tokens()["refresh_token"]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        with sandbox.holding("refresh"):
            held = [pool.submit(client.refresh, token) for _ in range(2)]
            sandbox.wait_for_held("refresh", 2)
            assert sandbox.accepts_refresh(token)
            assert sandbox.counts.refresh_requests == 0
            assert client.chat().status_code == 200  # other endpoints are not held
        assert sorted(one.result(10).status_code for one in held) == [200, 400]


def test_a_request_held_at_its_answer_has_had_its_effect(client: Any, sandbox: Sandbox) -> None:
    token = sandbox.issue_tokens()["refresh_token"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with sandbox.holding("refresh", at="answer"):
            held = pool.submit(client.refresh, token)
            sandbox.wait_for_held("refresh", at="answer")
            assert not sandbox.accepts_refresh(token)
            assert not held.done()
        assert held.result(10).status_code == 200


def test_those_let_through_ahead_need_not_wait(client: Any, sandbox: Sandbox) -> None:
    sandbox.hold("chat")
    sandbox.let_through("chat", 2)
    assert [client.chat().status_code for _ in range(2)] == [200, 200]
    with pytest.raises(TimeoutError, match="0 of 1 requests are held at chat"):
        sandbox.wait_for_held("chat", timeout=0)


def test_a_stream_drips_chunk_by_chunk(client: Any, sandbox: Sandbox) -> None:
    sandbox.hold("chat", at="chunk")
    sandbox.let_through("chat", 1, at="chunk")
    body = {"model": "coder-model", "messages": [{"role": "user", "content": "x"}], "stream": True}
    headers = {"authorization": "Bearer sk-sandbox"}
    with client.http.stream("POST", "/v1/chat/completions", json=body, headers=headers) as response:
        pieces = response.iter_raw()
        assert b'"role":"assistant"' in next(pieces)
        sandbox.wait_for_held("chat", at="chunk")
        sandbox.let_through("chat", 1, at="chunk")
        assert next(pieces) == b": ping\n\n"
        sandbox.release("chat", at="chunk")
        assert b"".join(pieces).endswith(b"data: [DONE]\n\n")


def test_a_client_that_goes_away_is_noticed_while_it_is_held(client: Any, sandbox: Sandbox) -> None:
    sandbox.hold("chat", at="chunk")
    body = {"model": "coder-model", "messages": [{"role": "user", "content": "x"}], "stream": True}
    headers = {"authorization": "Bearer sk-sandbox"}
    with client.http.stream("POST", "/v1/chat/completions", json=body, headers=headers):
        sandbox.wait_for_held("chat", at="chunk")
    until(lambda: sandbox.counts.disconnects == 1, "the server notices")
    assert sandbox.requests_to("chat")[0].disconnected


def test_a_client_that_goes_away_in_the_middle_of_an_answer_is_no_fault_of_the_server(
    client: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def gone(*_: Any) -> None:
        raise as_aiohttp_says_it("Cannot write to closing transport")

    as_aiohttp_says_it = getattr(aiohttp, "ClientConnectionResetError", ConnectionResetError)  # since 3.10.6
    monkeypatch.setattr(aiohttp.web.StreamResponse, "write", gone)
    body = {"model": "coder-model", "messages": [{"role": "user", "content": "x"}], "stream": True}
    headers = {"authorization": "Bearer sk-sandbox"}
    with contextlib.suppress(httpx.HTTPError):
        client.http.post("/v1/chat/completions", json=body, headers=headers)
    until(lambda: sandbox.counts.disconnects == 1, "the server notices")
    assert sandbox.requests_to("chat")[0].disconnected
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


def test_what_cannot_be_held_is_refused(sandbox: Sandbox) -> None:
    for endpoint, at in [("chatter", "arrival"), ("chat", "dawn")]:
        with pytest.raises(ValueError, match="Nothing can be held at"):
            sandbox.hold(endpoint, at=at)


def test_many_clients_at_once_are_all_counted(sandbox: Sandbox) -> None:
    with httpx.Client(base_url=sandbox.url, timeout=60, limits=httpx.Limits(max_connections=None)) as http:
        body = {"model": "coder-model", "messages": [{"role": "user", "content": "x"}]}
        headers = {"authorization": "Bearer sk-sandbox"}

        def ask(_: int) -> int:
            return http.post("/v1/chat/completions", json=body, headers=headers).status_code

        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            assert set(pool.map(ask, range(200))) == {200}
    assert sandbox.counts.chats == 200
    assert len(sandbox.requests) == 200
