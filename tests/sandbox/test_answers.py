"""Every named answer, asked for over HTTP."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from litellm_qwen_ai.sandbox import ANSWERS, Answer, Sandbox

FIXED = [
    (endpoint, name)
    for endpoint, table in ANSWERS.items()
    for name, answer in table.items()
    if answer.fixed and not answer.cut
]
CUT = [(endpoint, name) for endpoint, table in ANSWERS.items() for name, one in table.items() if one.cut]
CHANGED = [
    (endpoint, name)
    for endpoint, table in ANSWERS.items()
    for name, answer in table.items()
    if answer.patch or answer.without
]


def _ask(client: Any, sandbox: Sandbox, endpoint: str, name: str | Answer) -> httpx.Response:
    """Make a request that would be granted, with this answer queued."""
    token = sandbox.issue_tokens()["refresh_token"]
    code = client.device().json()["device_code"] if endpoint == "token" else ""
    if code:
        sandbox.approve()
    sandbox.answer_next(endpoint, name)
    if endpoint == "device":
        return client.device()
    if endpoint == "token":
        return client.poll(code)
    if endpoint == "models":
        return client.http.get("/v1/models", headers={"authorization": "Bearer sk-sandbox"})
    return client.refresh(token) if endpoint == "refresh" else client.chat()


@pytest.mark.parametrize(("endpoint", "name"), FIXED)
def test_a_fixed_answer_comes_as_it_is_written(
    client: Any, sandbox: Sandbox, endpoint: str, name: str
) -> None:
    answer = ANSWERS[endpoint][name]
    response = _ask(client, sandbox, endpoint, name)
    assert response.status_code == answer.status
    for header, value in answer.headers.items():
        assert response.headers[header] == value
    if isinstance(answer.body, dict) and "{request_id}" not in json.dumps(answer.body):
        assert response.json() == answer.body
    assert "{request_id}" not in response.text


@pytest.mark.parametrize(("endpoint", "name"), CUT)
def test_a_cut_answer_is_a_transport_error(client: Any, sandbox: Sandbox, endpoint: str, name: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        _ask(client, sandbox, endpoint, name)


@pytest.mark.parametrize(("endpoint", "name"), CHANGED)
def test_a_changed_answer_is_the_real_one_with_the_change(
    client: Any, sandbox: Sandbox, endpoint: str, name: str
) -> None:
    answer = ANSWERS[endpoint][name]
    said = _ask(client, sandbox, endpoint, name).json()
    assert {key: said[key] for key in answer.patch} == dict(answer.patch)
    assert not set(answer.without) & set(said)
    assert said.get("device_code") or said["access_token"]


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("token_expired", 401, "invalid_api_key"),
        ("token_expired_403", 403, "invalid_api_key"),
        ("quota_spent", 429, "insufficient_quota"),
        ("quota_spent_403", 403, "insufficient_quota"),
        ("throttled", 429, "Throttling.RateQuota"),
        ("inspection_failed", 400, "data_inspection_failed"),
        ("inspection_failed_legacy", 400, "DataInspectionFailed"),
        ("too_long", 400, "invalid_parameter_error"),
        ("bad_parameter_legacy", 400, "InvalidParameter"),
        ("no_credit", 402, "insufficient_credits"),
        ("agents_only", 405, None),
    ],
)
def test_a_chat_error_has_qwen_s_form(
    client: Any, sandbox: Sandbox, name: str, status: int, code: str | None
) -> None:
    response = _ask(client, sandbox, "chat", name)
    said = response.json()
    assert response.status_code == status
    assert set(said["error"]) == {"message", "type", "param", "code"}
    assert said["error"]["code"] == code
    assert len(said["request_id"]) == 36
    assert response.headers["x-request-id"] == said["request_id"]


def test_a_refresh_without_a_refresh_token_keeps_the_old_one_alive(client: Any, sandbox: Sandbox) -> None:
    token = sandbox.issue_tokens()["refresh_token"]
    sandbox.answer_next("refresh", "without_refresh_token")
    assert "refresh_token" not in client.refresh(token).json()
    assert client.refresh(token).status_code == 200


def test_a_fixed_answer_has_no_effect_on_the_tokens(client: Any, sandbox: Sandbox) -> None:
    token = sandbox.issue_tokens()["refresh_token"]
    sandbox.answer_next("refresh", "html_504", times=2)
    assert [client.refresh(token).status_code for _ in range(3)] == [504, 504, 200]
    assert (sandbox.counts.refresh_requests, sandbox.counts.refreshes) == (3, 1)


def test_answers_come_in_the_order_they_were_queued_and_only_at_their_endpoint(
    client: Any, sandbox: Sandbox
) -> None:
    sandbox.answer_next("chat", "throttled")
    sandbox.answer_next("chat", "unavailable")
    assert client.device().status_code == 200
    assert [client.chat().status_code for _ in range(3)] == [429, 503, 200]


def test_an_answer_of_one_s_own_is_taken(client: Any, sandbox: Sandbox) -> None:
    response = _ask(client, sandbox, "chat", Answer(status=418, body={"error": {"message": "teapot"}}))
    assert (response.status_code, response.json()) == (418, {"error": {"message": "teapot"}})
    assert sandbox.requests_to("chat")[-1].error == "teapot"


@pytest.mark.parametrize(
    ("endpoint", "name", "times", "said"),
    [
        ("chat", "nonsense", 1, "no answer 'nonsense' for the endpoint 'chat'. It has: .*quota_spent"),
        ("chatter", "throttled", 1, "no endpoint 'chatter'.*chat, device, models, refresh, token"),
        ("chat", "throttled", 0, "at least 1"),
    ],
)
def test_a_wrong_name_is_refused_with_what_there_is(
    sandbox: Sandbox, endpoint: str, name: str, times: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        sandbox.answer_next(endpoint, name, times)


def test_every_answer_says_what_it_means() -> None:
    assert not [
        name for table in ANSWERS.values() for name, answer in table.items() if not answer.meaning.strip()
    ]


@pytest.mark.parametrize("name", ["quota_spent", "throttled"])
def test_a_model_name_asks_for_an_answer_every_time(client: Any, name: str) -> None:
    for _ in range(2):
        assert client.chat(model=f"sandbox/{name}").status_code == 429


def test_a_model_name_of_no_answer_is_not_found(client: Any) -> None:
    response = client.chat(model="sandbox/nonsense")
    assert response.status_code == 404
    assert "quota_spent" in response.json()["error"]["message"]
