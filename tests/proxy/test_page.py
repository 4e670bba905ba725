"""The page on a real LiteLLM proxy: who gets in, and what comes out."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.proxy.conftest import Proxy

pytestmark = pytest.mark.proxy

ROOT = Path(__file__).parents[2]
PATHS = [
    ("GET", "accounts"),
    ("POST", "login"),
    ("POST", "poll"),
    ("POST", "cancel"),
    ("POST", "check"),
    ("POST", "key"),
    ("DELETE", "login"),
    ("DELETE", "account"),
]
CALL = {"model": "coder-model", "messages": [{"role": "user", "content": "ping"}]}


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_without_a_key_the_proxy_gives_no_data(proxy: Proxy, method: str, path: str) -> None:
    answer = httpx.request(method, f"{proxy.url}/qwen_ai/api/{path}", json={}, timeout=30)
    assert (answer.status_code, list(answer.json())) == (401, ["detail"])


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_with_a_wrong_key_it_gives_none_either(proxy: Proxy, method: str, path: str) -> None:
    headers = {"authorization": "Bearer sk-wrong"}
    answer = httpx.request(method, f"{proxy.url}/qwen_ai/api/{path}", json={}, headers=headers, timeout=30)
    assert answer.status_code in {400, 401}
    assert "account" not in answer.text


@pytest.mark.parametrize("path", ["/qwen_ai", "/qwen_ai/", "/qwen_ai/page.css", "/qwen_ai/page.js"])
def test_the_pages_files_keep_their_headers_through_the_proxys_middleware(proxy: Proxy, path: str) -> None:
    answer = httpx.get(proxy.url + path, follow_redirects=True, timeout=30)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers.get_list("x-frame-options") == ["DENY"]
    assert answer.headers.get_list("cache-control") == ["no-store"]


def test_the_master_key_opens_it(logged_in: Proxy) -> None:
    answer = logged_in.ask("/qwen_ai/api/accounts")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    accounts = {one["account"]: one for one in answer.json()["accounts"]}
    assert accounts[None]["state"] == "signed_in"


def test_each_answer_of_the_proxy_says_what_was_counted(logged_in: Proxy) -> None:
    name = "llm_provider-x-qwen-ratelimit-used-requests-day"
    first, second = (int(logged_in.ask("/v1/chat/completions", CALL).headers[name]) for _ in range(2))
    assert second == first + 1
    streamed = logged_in.ask("/v1/chat/completions", {**CALL, "stream": True})
    assert int(streamed.headers[name]) == second + 1
    (account,) = [
        one for one in logged_in.ask("/qwen_ai/api/accounts").json()["accounts"] if not one["account"]
    ]
    assert account["usage"]["requests_today"] == second + 1


def test_the_commands_of_the_operators_page_do_what_it_says(
    logged_out: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_MASTER_KEY", logged_out.key)
    page = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^curl .*$", page, re.MULTILINE)
    assert len(commands) == 6
    answers = []
    for command in commands:
        ours = command.replace("http://localhost:4000", logged_out.url)
        done = subprocess.run(["bash", "-c", ours], capture_output=True, text=True, check=True)
        answers.append(json.loads(done.stdout))
    assert answers[0]["accounts"][0]["account"] is None
    assert [answer["account"] for answer in answers[1:]] == ["alice"] * 5
    states = [(answer["login"] or {}).get("state") for answer in answers[1:]]
    assert states == ["waiting", "waiting", None, None, None]
    assert answers[4]["check"]["result"] == "unknown", "nobody is signed in"


def test_litellms_own_roles_decide_who_looks_and_who_changes(operated: Proxy) -> None:
    def status(role: str, path: str, body: dict[str, str] | None = None) -> int:
        return operated.ask(f"/qwen_ai/api/{path}", body, authorization=f"Bearer {role}").status_code

    assert status("proxy_admin", "accounts") == status("proxy_admin_viewer", "accounts") == 200
    assert status("proxy_admin", "cancel", {}) == 200
    assert status("proxy_admin_viewer", "cancel", {}) == 403
    assert {status("internal_user", path) for path in ("accounts", "login")} <= {401, 403, 405}


def test_litellm_lets_the_body_with_a_key_through_and_logs_none_of_it(proxy: Proxy) -> None:
    body = {"account": "alice", "key": "sk-sp-that-nobody-issued", "address": proxy.sandbox.url}
    answer = proxy.ask("/qwen_ai/api/key", body)
    assert (answer.status_code, "refuses" in answer.json()["detail"]) == (502, True)
    assert body["key"] not in proxy.log + answer.text


def test_the_log_of_the_proxy_holds_no_key_of_the_page(proxy: Proxy) -> None:
    assert proxy.ask("/qwen_ai/api/accounts").status_code == 200
    assert proxy.key not in proxy.log
