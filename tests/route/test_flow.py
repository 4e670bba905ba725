"""One call over the wire, step by step: no server, no clock."""

from __future__ import annotations

import json
from typing import Any

import httpx
import litellm
import pytest

from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.request import ChatRequest
from litellm_qwen_ai.route.bearer import Bearer
from litellm_qwen_ai.route.flow import (
    LONGEST_WAIT,
    Flow,
    NeedBearer,
    Send,
    Wait,
    call_flow,
)

NOW = 1_800_000_000.0
TOKEN_REFUSED = {"error": {"code": "invalid_api_key", "message": "invalid access token or token expired"}}
QUOTA_SPENT = {"error": {"code": "insufficient_quota", "message": "Free allocated quota exceeded."}}


def _flow(*, can_renew: bool = True, max_retries: int = 2) -> Flow:
    def build(bearer: Bearer) -> ChatRequest:
        return ChatRequest(url="http://127.0.0.1/v1", headers={}, body=bearer.token.encode(), payload={})

    def context(bearer: Bearer) -> AnswerContext:
        return AnswerContext("coder-model", bearer.with_login, (bearer.token,))

    return call_flow(build, context, can_renew=can_renew, max_retries=max_retries, clock=lambda: NOW)


def _answer(status: int, body: Any = None, **headers: str) -> httpx.Response:
    request = httpx.Request("POST", "http://127.0.0.1/v1")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, content=json.dumps(body or {}), request=request)


def _bearer(token: str = "first", *, with_login: bool = True) -> Bearer:
    return Bearer(token=token, base_url="http://127.0.0.1/v1", with_login=with_login)


def _sent(step: Any) -> str:
    assert isinstance(step, Send)
    return step.request.body.decode()


def _to_first_answer(flow: Flow, token: str = "first") -> None:
    assert next(flow) == NeedBearer(None)
    assert _sent(flow.send(_bearer(token))) == token


def test_an_answer_ends_the_call_and_comes_with_its_bearer() -> None:
    flow = _flow()
    _to_first_answer(flow)
    with pytest.raises(StopIteration) as end:
        flow.send(_answer(200))
    response, bearer = end.value.value
    assert response.status_code == 200
    assert bearer.token == "first"


def test_a_refused_token_is_renewed_once_and_the_call_tried_once_more() -> None:
    flow = _flow()
    _to_first_answer(flow)
    assert flow.send(_answer(401, TOKEN_REFUSED)) == NeedBearer("first")
    assert _sent(flow.send(_bearer("second"))) == "second"
    with pytest.raises(litellm.AuthenticationError):
        flow.send(_answer(401, TOKEN_REFUSED))


def test_a_refused_key_is_not_tried_again() -> None:
    flow = _flow(can_renew=False)
    _to_first_answer(flow)
    with pytest.raises(litellm.AuthenticationError):
        flow.send(_answer(401, TOKEN_REFUSED))


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again_as_often_as_allowed(status: int) -> None:
    flow = _flow(max_retries=2)
    _to_first_answer(flow)
    waits = []
    for _ in range(2):
        wait = flow.send(_answer(status))
        assert isinstance(wait, Wait)
        waits.append(wait.seconds)
        assert flow.send(None) == NeedBearer(None)
        flow.send(_bearer())
    assert 0 < waits[0] <= 0.5 <= waits[1] <= 1.0
    with pytest.raises(litellm.exceptions.openai.APIError) as failure:
        flow.send(_answer(status))
    assert failure.value.llm_provider == "qwen_ai"


@pytest.mark.parametrize("status", [400, 402, 403, 404, 405, 422, 301, 418])
def test_a_final_refusal_is_not_tried_again(status: int) -> None:
    flow = _flow()
    _to_first_answer(flow)
    with pytest.raises(litellm.exceptions.openai.APIError):
        flow.send(_answer(status, {"error": {"message": "no", "code": "InvalidParameter"}}))


def test_a_spent_quota_is_not_tried_again() -> None:
    flow = _flow()
    _to_first_answer(flow)
    with pytest.raises(litellm.RateLimitError):
        flow.send(_answer(429, QUOTA_SPENT))


def test_the_wait_that_the_server_names_is_kept() -> None:
    flow = _flow()
    _to_first_answer(flow)
    assert flow.send(_answer(429, retry_after="7")) == Wait(7.0)


def test_a_wait_of_more_than_a_minute_is_left_to_the_caller() -> None:
    flow = _flow()
    _to_first_answer(flow)
    with pytest.raises(litellm.RateLimitError) as failure:
        flow.send(_answer(429, retry_after=str(int(LONGEST_WAIT) + 1)))
    assert failure.value.response.headers["retry-after"] == str(int(LONGEST_WAIT) + 1)


def test_a_stale_connection_is_replaced_once_even_without_retries() -> None:
    flow = _flow(max_retries=0)
    _to_first_answer(flow)
    assert flow.throw(httpx.ReadError("Server disconnected")) == NeedBearer(None)
    flow.send(_bearer())
    with pytest.raises(litellm.APIConnectionError):
        flow.throw(httpx.ReadError("Server disconnected"))


def test_a_connection_that_fails_is_tried_again_after_a_wait() -> None:
    flow = _flow(max_retries=1)
    _to_first_answer(flow)
    assert isinstance(flow.throw(httpx.ConnectError("refused")), Wait)
    assert flow.send(None) == NeedBearer(None)
    flow.send(_bearer())
    with pytest.raises(litellm.APIConnectionError):
        flow.throw(httpx.ConnectError("refused"))


def test_a_time_out_becomes_litellms_timeout() -> None:
    flow = _flow(max_retries=0)
    _to_first_answer(flow)
    with pytest.raises(litellm.Timeout) as failure:
        flow.throw(httpx.ReadTimeout("slow"))
    assert failure.value.llm_provider == "qwen_ai"


def test_an_error_of_the_login_passes_as_it_is() -> None:
    flow = _flow()
    next(flow)
    error = litellm.AuthenticationError(message="no login", model="coder-model", llm_provider="qwen_ai")
    with pytest.raises(litellm.AuthenticationError) as failure:
        flow.throw(error)
    assert failure.value is error


class _Meter:
    """Notes what a meter is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def sent(self) -> None:
        self.told.append(("sent",))

    def accepted(self) -> None:
        self.told.append(("accepted",))

    def refused(self, reason: str | None, seconds: float | None) -> None:
        self.told.append(("refused", reason, seconds))

    def failed(self, error: Exception) -> None:
        self.told.append(("failed", type(error).__name__))


def test_the_meter_of_a_login_is_told_of_each_request_and_of_how_it_was_answered() -> None:
    meter: Any = _Meter()
    metered = Bearer("first", "http://127.0.0.1/v1", with_login=True, meter=meter)
    flow = _flow()
    assert next(flow) == NeedBearer(None)
    _sent(flow.send(metered))
    assert isinstance(flow.send(_answer(429, {"error": {"message": "slow down"}}, retry_after="7")), Wait)
    flow.send(None)
    _sent(flow.send(metered))
    with pytest.raises(StopIteration):
        flow.send(_answer(200))
    assert meter.told == [("sent",), ("refused", "throttled", 7.0), ("sent",), ("accepted",)]


def test_the_meter_is_told_why_the_quota_is_spent() -> None:
    meter: Any = _Meter()
    flow = _flow()
    next(flow)
    flow.send(Bearer("first", "http://127.0.0.1/v1", with_login=True, meter=meter))
    with pytest.raises(litellm.RateLimitError):
        flow.send(_answer(403, QUOTA_SPENT))
    assert meter.told == [("sent",), ("refused", "quota_spent", None), ("failed", "RateLimitError")]


def test_a_request_that_was_wrong_is_no_failure_of_the_account() -> None:
    meter: Any = _Meter()
    flow = _flow()
    next(flow)
    flow.send(Bearer("first", "http://127.0.0.1/v1", with_login=True, meter=meter))
    with pytest.raises(litellm.BadRequestError):
        flow.send(_answer(400, {"error": {"code": "invalid_parameter_error", "message": "bad"}}))
    assert ("failed", "BadRequestError") not in meter.told
