"""What LiteLLM is told of an error of the login, and what is said of a bearer's address."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from litellm import exceptions

from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    LoginDeniedError,
    LoginExpiredError,
    NotLoggedInError,
    QwenAuthError,
    RefreshError,
    StoreError,
)
from litellm_qwen_ai.plans import MEND
from litellm_qwen_ai.route import bearer
from litellm_qwen_ai.route.bearer import Bearer, BearerSource, as_litellm_error

MODEL = "coder-model"


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (NotLoggedInError("why"), exceptions.AuthenticationError, 401),
        (LoginExpiredError("why"), exceptions.AuthenticationError, 401),
        (LoginDeniedError("why"), exceptions.AuthenticationError, 401),
        (ConfigurationError("why"), exceptions.BadRequestError, 400),
        (RefreshError("why"), exceptions.ServiceUnavailableError, 503),
        (StoreError("why"), exceptions.InternalServerError, 500),
    ],
)
def test_an_error_of_the_login_is_the_exception_of_a_built_in_provider(
    error: QwenAuthError, kind: type[Exception], status: int
) -> None:
    made: Any = as_litellm_error(error, MODEL)
    assert type(made) is kind
    assert (made.status_code, made.model, made.llm_provider) == (status, MODEL, "qwen_ai")
    assert str(made).endswith("why")
    assert type(made.__cause__) is type(error)
    assert made.__cause__ is not error
    assert str(made.__cause__) == "why"


@pytest.mark.parametrize(
    ("wait", "header"), [(None, None), (0.4, "0"), (1.6, "2"), (-5.0, "0"), (90.0, "90")]
)
def test_a_renewal_that_failed_says_when_to_try_again(wait: float | None, header: str | None) -> None:
    made: Any = as_litellm_error(RefreshError("why", retry_after=wait), MODEL)
    assert made.litellm_response_headers.get("retry-after") == header
    assert made.response.headers.get("retry-after") == header
    assert made.response.status_code == 503


def test_the_page_of_a_proxy_is_named_to_who_is_not_logged_in_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bearer, "_page", None)
    bearer.name_page("/qwen")
    told = str(as_litellm_error(NotLoggedInError("Log in."), MODEL))
    assert told.endswith("Log in. Or sign in on this proxy's page /qwen.")
    for other in (LoginDeniedError("x"), RefreshError("x"), StoreError("x"), ConfigurationError("x")):
        assert "/qwen" not in str(as_litellm_error(other, MODEL))


def test_two_bearers_are_the_same_if_both_send_the_same_to_the_same_address() -> None:
    one = Bearer("t", "https://a", with_login=True)
    assert one.is_same(Bearer("t", "https://a", with_login=False, renewed=True))
    assert not one.is_same(Bearer("u", "https://a", with_login=True))
    assert not one.is_same(Bearer("t", "https://b", with_login=True))
    assert not one.is_same(None)
    assert "'t'" not in repr(one)


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("http://gateway.example:80/v1", "gateway.example"),
        ("HTTP://10.0.0.7/v1", "10.0.0.7"),
        ("https://gateway.example/v1", None),
        ("http://127.0.0.1:80/v1", None),
        ("http://localhost/v1", None),
    ],
)
def test_plain_http_to_another_machine_is_warned_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, base: str, host: str | None
) -> None:
    monkeypatch.setattr(bearer, "_warned_of", set())
    source = BearerSource(model=MODEL, api_key="sk-key", api_base=base)
    with caplog.at_level(logging.WARNING, "litellm_qwen_ai"):
        first, second = source.get(), source.get()
    assert first == second == Bearer("sk-key", base, with_login=False, origin=first.origin)
    assert [record.getMessage() for record in caplog.records] == (
        []
        if host is None
        else [
            (
                f"The base URL of qwen_ai/ is plain http to {host}: whoever is on the way can read the "
                "bearer. Use https if the server has it."
            )
        ]
    )


def test_a_key_at_another_plans_address_is_warned_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bearer, "_warned_of", set())
    base = "https://dashscope.aliyuncs.com/compatible-mode/v1"
    source = BearerSource(model=MODEL, api_key="sk-sp-5f0e8d7c6b5a49382716", api_base=base)
    with caplog.at_level(logging.WARNING, "litellm_qwen_ai"):
        source.get()
        source.get()
    (record,) = caplog.records
    assert record.getMessage().endswith(f" {MEND}")
    assert "dashscope.aliyuncs.com" in record.getMessage()


def test_a_key_that_was_given_is_counted_by_nobody_and_never_replaced() -> None:
    source = BearerSource(model=MODEL, api_key="sk-key", api_base=None)
    assert not source.can_renew
    assert source.observer.headers() == {}
    assert source.get(rejected="sk-key").token == "sk-key"
    assert BearerSource(model=MODEL, api_key=None, api_base=None).can_renew


def test_a_setting_that_cannot_be_used_is_told_as_the_callers_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QWEN_AUTH_FILE", "../x.json")
    with pytest.raises(exceptions.BadRequestError) as caught:
        BearerSource(model=MODEL, api_key=None, api_base=None).get()
    assert caught.value.model == MODEL
    assert isinstance(caught.value.__cause__, ConfigurationError)
