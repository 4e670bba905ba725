"""The login of a proxy: it is made outside, nobody waits for it, and the log says how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import until

if TYPE_CHECKING:
    from tests.proxy.conftest import Proxy

pytestmark = pytest.mark.proxy

MESSAGES = [{"role": "user", "content": "ping"}]
CALL = {"model": "coder-model", "messages": MESSAGES}
COMMAND = "Run `litellm-qwen-ai login`"


def test_a_proxy_without_a_login_says_once_at_its_start_what_to_run(proxy: Proxy) -> None:
    assert proxy.log_of_the_start.count(COMMAND) == 1
    assert "Not logged in to Qwen: there is no " in proxy.log_of_the_start


def test_of_two_workers_only_one_says_it(two_workers: Proxy) -> None:
    assert two_workers.log_of_the_start.count("Application startup complete") == 2
    assert two_workers.log_of_the_start.count(COMMAND) == 1


def test_both_workers_see_a_login_made_outside(two_workers: Proxy) -> None:
    assert two_workers.ask("/v1/chat/completions", CALL).status_code == 401
    two_workers.sandbox.write_credentials(two_workers.token_dir)
    answers = [two_workers.ask("/v1/chat/completions", CALL).status_code for _ in range(8)]
    assert answers == [200] * 8


def test_a_login_that_the_page_starts_is_finished_by_whichever_worker_is_asked(two_workers: Proxy) -> None:
    def post(path: str) -> dict[str, Any]:
        answer = two_workers.ask(f"/qwen_ai/api/{path}", {"account": "alice"})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    codes = {post("login")["login"]["user_code"] for _ in range(6)}
    assert len(codes) == 1, "each connection may go to another worker"
    two_workers.sandbox.approve(codes.pop())
    two_workers.let_poll("alice")
    found = [post("poll") for _ in range(6)]
    assert [(one["state"], one["login"]) for one in found] == [("signed_in", None)] * 6
    assert len(two_workers.sandbox.requests_to("token")) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
@pytest.mark.parametrize("door", ["/v1/chat/completions", "/v1/messages"])
def test_without_a_login_each_request_is_refused_at_once_with_the_command(
    logged_out: Proxy, door: str, stream: bool
) -> None:
    body = {**CALL, "max_tokens": 100, "stream": stream}
    before = len(logged_out.sandbox.requests_to("device"))
    answers = [logged_out.ask(door, body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert all(COMMAND in answer.text for answer in answers)
    assert all("Or sign in on this proxy's page /qwen_ai." in answer.text for answer in answers)
    assert len(logged_out.sandbox.requests_to("device")) == before


def test_a_login_made_outside_serves_requests_within_seconds(logged_out: Proxy) -> None:
    assert logged_out.ask("/v1/chat/completions", CALL).status_code == 401
    logged_out.sandbox.write_credentials(logged_out.token_dir)
    until(
        lambda: logged_out.ask("/v1/chat/completions", CALL).status_code == 200,
        "a dead login is looked at once in a second",
    )


def test_a_dead_login_is_tried_once_and_not_again(proxy: Proxy) -> None:
    proxy.sandbox.write_credentials(proxy.token_dir, lifetime=-60)
    proxy.sandbox.revoke()
    before = len(proxy.sandbox.requests_to("refresh"))
    answers = [proxy.ask("/v1/chat/completions", CALL) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert all("litellm-qwen-ai login" in answer.text for answer in answers)
    assert len(proxy.sandbox.requests_to("refresh")) == before + 1
