"""Every named answer, asked for over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from litellm_qwen_ai.sandbox import ANSWERS, Answer, Sandbox


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


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        ("device", "throttled"),  # JSON and a header
        ("token", "slow_down"),
        ("refresh", "invalid_utf8"),  # bytes
        ("models", "html_504"),
        ("chat", "empty_200"),
        ("chat", "packed_200"),
        ("chat", "redirect"),
    ],
)
def test_a_fixed_answer_comes_as_it_is_written(
    client: Any, sandbox: Sandbox, endpoint: str, name: str
) -> None:
    answer = ANSWERS[endpoint][name]
    token = sandbox.issue_tokens()["refresh_token"]
    response = _ask(client, sandbox, endpoint, name)
    assert response.status_code == answer.status
    for header, value in answer.headers.items():
        assert response.headers[header] == value
    body = answer.body
    if isinstance(body, dict):
        assert response.json() == body
    elif name == "packed_200":
        assert response.num_bytes_downloaded == len(body)
    else:
        assert response.content == (body.encode() if isinstance(body, str) else body)
    assert response.headers["content-type"].startswith(
        "text/html" if name == "html_504" else "application/json"
    )
    assert sandbox.accepts_refresh(token)  # it had no effect


@pytest.mark.parametrize(("endpoint", "name"), [("device", "cut"), ("refresh", "cut_body"), ("chat", "cut")])
def test_a_cut_answer_is_a_transport_error(client: Any, sandbox: Sandbox, endpoint: str, name: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        _ask(client, sandbox, endpoint, name)


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        ("device", "interval_7"),
        ("device", "without_complete_uri"),
        ("token", "null_refresh_token"),
        ("token", "without_scope"),
        ("refresh", "token_with_nul"),
        ("refresh", "without_refresh_token"),
    ],
)
def test_a_changed_answer_is_the_real_one_with_the_change(
    client: Any, sandbox: Sandbox, endpoint: str, name: str
) -> None:
    answer = ANSWERS[endpoint][name]
    said = _ask(client, sandbox, endpoint, name).json()
    assert {key: said[key] for key in answer.patch} == dict(answer.patch)
    assert not set(answer.without) & set(said)
    assert said.get("device_code") or said["access_token"]


def test_a_chat_error_has_qwen_s_form(client: Any, sandbox: Sandbox) -> None:
    for name, status, code in [
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
        ("overdue", 400, "Arrearage"),
        ("agents_only", 405, None),
    ]:
        response = _ask(client, sandbox, "chat", name)
        said = response.json()
        assert (response.status_code, said["error"]["code"]) == (status, code), name
        assert set(said["error"]) == {"message", "type", "param", "code"}
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


def _outcome(client: Any, model: str, *, stream: bool) -> object:
    """Status, kind and size of an answer, or how it broke."""
    try:
        response = client.chat("Hello", model=model, stream=stream)
    except httpx.HTTPError as error:
        return type(error)
    body = response.content.replace(model.encode(), b"coder-model")
    return response.status_code, response.headers.get("content-type"), len(body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ANSWERS["chat"])
def test_a_model_name_asks_for_an_answer_every_time(
    client: Any, sandbox: Sandbox, name: str, stream: bool
) -> None:
    sandbox.answer_next("chat", name)
    queued = _outcome(client, "coder-model", stream=stream)
    for _ in range(2):
        assert _outcome(client, f"sandbox/{name}", stream=stream) == queued


def test_a_model_name_of_no_answer_is_not_found(client: Any) -> None:
    response = client.chat(model="sandbox/nonsense")
    assert response.status_code == 404
    assert "quota_spent" in response.json()["error"]["message"]
