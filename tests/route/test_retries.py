"""One call over the wire, attempt by attempt: no server, no clock."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import litellm
import pytest

from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.errors import error_from_response
from litellm_qwen_ai.route.bearer import Bearer
from litellm_qwen_ai.route.observer import Nobody, Observer
from litellm_qwen_ai.route.retries import (
    LONGEST_WAIT,
    Attempt,
    Outcome,
    _backoff,
    _wait_before_retry,
    arun,
    call_flow,
    count_late,
    run,
)

NOW = 1_800_000_000.0
TOKEN_REFUSED = {"error": {"code": "invalid_api_key", "message": "invalid access token or token expired"}}
QUOTA_SPENT = {"error": {"code": "insufficient_quota", "message": "Free allocated quota exceeded."}}
URL = "http://127.0.0.1/v1"


def _answer(status: int, body: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = httpx.Request("POST", URL)
    return httpx.Response(status, headers=named, content=json.dumps(body or {}), request=request)


def _context(bearer: Bearer) -> AnswerContext:
    return AnswerContext("coder-model", bearer.with_login, (bearer.token,))


class Wire:
    """Gives out bearers `token-1`, `token-2` (a new one after a refusal), and answers from its list."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = [*outcomes]
        self.sent: list[str] = []
        self.waits: list[float] = []
        self.renewals = 0
        self.adopted = 0  # of the first new tokens, how many somebody else brought

    def get(self, rejected: str | None = None) -> Bearer:
        self.renewals += rejected == f"token-{self.renewals + 1}"
        return Bearer(
            f"token-{self.renewals + 1}", URL, with_login=True, renewed=self.renewals > self.adopted
        )

    async def aget(self, rejected: str | None = None) -> Bearer:
        return self.get(rejected)

    def send(self, bearer: Bearer) -> Outcome:
        self.sent.append(bearer.token)
        return self.outcomes.pop(0)

    async def asend(self, bearer: Bearer) -> Outcome:
        return self.send(bearer)

    async def asleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def call(
        self, *, can_renew: bool = True, max_retries: int = 2, observer: Observer | None = None
    ) -> tuple[httpx.Response, Bearer]:
        """Both shells in turn, which must agree."""
        first = [*self.outcomes]

        def flow() -> Any:
            return call_flow(
                observer or Nobody(),
                _context,
                can_renew=can_renew,
                max_retries=max_retries,
                clock=lambda: NOW,
            )

        source: Any = self
        if observer is not None:
            return run(flow(), source, self.send, self.waits.append)
        try:
            return run(flow(), source, self.send, self.waits.append)
        finally:
            twin = Wire(*first)
            other: Any = twin
            outcome = asyncio.run(_settled(arun(flow(), other, twin.asend, twin.asleep)))
            assert outcome is None or isinstance(outcome, Exception)
            assert twin.sent == self.sent
            assert len(twin.waits) == len(self.waits)


async def _settled(call: Any) -> Exception | None:
    try:
        await call
    except Exception as error:  # noqa: BLE001  # compared with the other shell's
        return error
    return None


def test_an_answer_ends_the_call_and_comes_with_its_bearer() -> None:
    response, bearer = Wire(_answer(200)).call()
    assert response.status_code == 200
    assert bearer.token == "token-1"


def test_a_refused_token_is_renewed_once_and_the_call_tried_once_more() -> None:
    wire = Wire(_answer(401, TOKEN_REFUSED), _answer(401, TOKEN_REFUSED), _answer(200))
    with pytest.raises(litellm.AuthenticationError):
        wire.call()
    assert wire.sent == ["token-1", "token-2"]
    assert wire.waits == []


@pytest.mark.parametrize(("adopted", "tries"), [(0, 2), (1, 3), (2, 3)])
def test_a_new_token_that_somebody_else_brought_may_be_dead_too_and_one_of_ours_ends_it(
    adopted: int, tries: int
) -> None:
    wire = Wire(*[_answer(401, TOKEN_REFUSED)] * 5)
    wire.adopted = adopted
    with pytest.raises(litellm.AuthenticationError):
        run(call_flow(Nobody(), _context, can_renew=True, max_retries=0), wire, wire.send, wire.waits.append)
    assert len(wire.sent) == tries


def test_a_refused_key_is_not_tried_again() -> None:
    wire = Wire(_answer(401, TOKEN_REFUSED), _answer(200))
    with pytest.raises(litellm.AuthenticationError):
        wire.call(can_renew=False)
    assert wire.sent == ["token-1"]


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again_as_often_as_allowed(status: int) -> None:
    wire = Wire(*[_answer(status)] * 3, _answer(200))
    with pytest.raises(litellm.exceptions.openai.APIError) as failure:
        wire.call(max_retries=2)
    assert failure.value.llm_provider == "qwen_ai"
    assert len(wire.sent) == 3
    assert 0 < wire.waits[0] <= 0.5 <= wire.waits[1] <= 1.0


@pytest.mark.parametrize("status", [400, 402, 403, 404, 405, 422, 301, 418])
def test_a_final_refusal_is_not_tried_again(status: int) -> None:
    wire = Wire(_answer(status, {"error": {"message": "no", "code": "InvalidParameter"}}))
    with pytest.raises(litellm.exceptions.openai.APIError):
        wire.call()
    assert len(wire.sent) == 1


def test_a_spent_quota_is_not_tried_again() -> None:
    wire = Wire(_answer(429, QUOTA_SPENT))
    with pytest.raises(litellm.RateLimitError):
        wire.call()
    assert len(wire.sent) == 1


def test_the_wait_that_the_server_names_is_kept() -> None:
    wire = Wire(_answer(429, retry_after="7"), _answer(200))
    wire.call()
    assert wire.waits == [7.0]


def test_a_wait_of_more_than_a_minute_is_left_to_the_caller() -> None:
    seconds = str(int(LONGEST_WAIT) + 1)
    with pytest.raises(litellm.RateLimitError) as failure:
        Wire(_answer(429, retry_after=seconds)).call()
    assert failure.value.response.headers["retry-after"] == seconds


LOST = [httpx.ReadError("disconnected"), httpx.RemoteProtocolError("cut"), httpx.ConnectError("refused")]


@pytest.mark.parametrize("lost", LOST, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("retries", [0, 1])
def test_a_lost_connection_is_a_retry_like_any_other(lost: httpx.TransportError, retries: int) -> None:
    wire = Wire(*[lost] * 3)
    with pytest.raises(litellm.APIConnectionError):
        wire.call(max_retries=retries)
    assert len(wire.sent) == 1 + retries
    assert len(wire.waits) == retries


def test_an_address_that_cannot_be_read_is_not_tried_again() -> None:
    wire = Wire(httpx.InvalidURL("no"))
    with pytest.raises(litellm.APIConnectionError):
        wire.call()
    assert len(wire.sent) == 1


def test_a_time_out_becomes_litellms_timeout() -> None:
    with pytest.raises(litellm.Timeout) as failure:
        Wire(httpx.ReadTimeout("slow")).call(max_retries=0)
    assert failure.value.llm_provider == "qwen_ai"


def test_an_error_of_the_login_passes_as_it_is() -> None:
    wire: Any = Wire()
    error = litellm.AuthenticationError(message="no login", model="coder-model", llm_provider="qwen_ai")

    def get(rejected: str | None = None) -> Bearer:
        del rejected
        raise error

    wire.get = get
    flow = call_flow(Nobody(), _context, can_renew=True, max_retries=2)
    with pytest.raises(litellm.AuthenticationError) as failure:
        run(flow, wire, wire.send, wire.waits.append)
    assert failure.value is error


def test_the_flow_says_which_token_was_refused_until_the_call_ends() -> None:
    flow = call_flow(Nobody(), _context, can_renew=True, max_retries=1)
    first, second = (Bearer(token, URL, with_login=True) for token in ("first", "second"))
    assert next(flow) == Attempt()
    assert flow.send((first, _answer(401, TOKEN_REFUSED))) == Attempt(0.0, first)
    assert flow.send((second, _answer(429, retry_after="3"))) == Attempt(3.0, first)


def test_no_traceback_of_an_error_shows_a_bearer_or_leads_to_the_failure_behind_it() -> None:
    with pytest.raises(litellm.APIConnectionError) as caught:
        Wire(httpx.ReadError("lost")).call(max_retries=0)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


class Notes(Nobody):
    """Notes what an observer is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def accepted(self) -> None:
        self.told.append(("accepted",))

    def refused(self, reason: str | None, seconds: float | None) -> None:
        self.told.append(("refused", reason, seconds))

    def failed(self, error: Exception) -> None:
        self.told.append(("failed", type(error).__name__))


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        (
            [_answer(429, {"error": {"message": "slow down"}}, retry_after="7"), _answer(200)],
            [("refused", "throttled", 7.0), ("accepted",)],
        ),
        ([_answer(403, QUOTA_SPENT)], [("refused", "quota_spent", None), ("failed", "RateLimitError")]),
        # What was wrong with the one request is no failure of the account.
        (
            [_answer(400, {"error": {"code": "invalid_parameter_error", "message": "bad"}})],
            [("refused", "bad_request", None)],
        ),
        ([_answer(401, TOKEN_REFUSED), _answer(200)], [("accepted",)]),
    ],
    ids=["throttled", "quota spent", "bad request", "renewed"],
)
def test_the_observer_is_told_how_each_request_was_answered(
    outcomes: list[Outcome], told: list[tuple[Any, ...]]
) -> None:
    notes = Notes()
    wire = Wire(*outcomes)
    if told[-1] == ("accepted",):
        wire.call(observer=notes)
    else:
        with pytest.raises(litellm.exceptions.openai.APIError):
            wire.call(observer=notes)
    assert notes.told == told


@pytest.mark.parametrize(
    ("status", "code", "named", "waits"),
    [
        (408, "", None, True),
        (409, "", None, True),
        (429, "", None, True),
        (500, "", None, True),
        (599, "", None, True),
        (407, "", None, False),
        (410, "", None, False),
        (428, "", None, False),
        (430, "", None, False),
        (499, "", None, False),
        (429, "insufficient_quota", None, False),
        (429, "", 60.0, 60.0),
        (429, "", 60.5, False),
        (500, "", 0.0, 0.0),
        (400, "", 1.0, False),
    ],
)
def test_what_is_worth_another_try_and_when(
    status: int, code: str, named: float | None, waits: float | bool
) -> None:
    error = error_from_response(status, json.dumps({"error": {"code": code}}).encode(), AnswerContext("m"))
    found = _wait_before_retry(status, error, named, 0)
    if waits is True:
        assert found is not None
        assert 0.25 <= found <= 0.5
    else:
        assert found == (None if waits is False else waits)


@pytest.mark.parametrize(
    ("retries", "most"), [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (60, 8.0)]
)
def test_each_try_waits_twice_as_long_as_the_one_before_up_to_eight_seconds(
    monkeypatch: pytest.MonkeyPatch, retries: int, most: float
) -> None:
    asked: list[tuple[float, float]] = []

    def uniform(least: float, top: float) -> float:
        asked.append((least, top))
        return top

    monkeypatch.setattr("random.uniform", uniform)
    assert _backoff(retries) == most
    assert asked == [(0.5, 1.0)]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("throttling", [("refused", "throttled", None), ("failed", "RateLimitError")]),
        ("data_inspection_failed", [("refused", "content_policy", None)]),
    ],
)
def test_an_error_inside_an_answer_is_counted_without_a_wait(code: str, told: list[tuple[Any, ...]]) -> None:
    notes = Notes()
    count_late(
        notes, error_from_response(400, json.dumps({"error": {"code": code}}).encode(), AnswerContext("m"))
    )
    assert notes.told == told
    count_late(notes, ValueError("of nobody"))
    assert notes.told[len(told) :] == [("refused", None, None), ("failed", "ValueError")]
