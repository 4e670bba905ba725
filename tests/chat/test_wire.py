"""URL and headers of a request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_qwen_ai import __version__
from litellm_qwen_ai.chat.errors import UnsendableError
from litellm_qwen_ai.chat.wire import chat_headers, chat_url, host_of, is_alibabas, masked
from litellm_qwen_ai.names import DEFAULT_API_BASE


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("portal.qwen.ai", "https://portal.qwen.ai/v1/chat/completions"),
        ("portal.qwen.ai/", "https://portal.qwen.ai/v1/chat/completions"),
        ("https://portal.qwen.ai/v1", "https://portal.qwen.ai/v1/chat/completions"),
        ("https://portal.qwen.ai/v1//", "https://portal.qwen.ai/v1/chat/completions"),
        (DEFAULT_API_BASE, f"{DEFAULT_API_BASE}/chat/completions"),
        (f"{DEFAULT_API_BASE}/chat/completions", f"{DEFAULT_API_BASE}/chat/completions"),
        (" HTTPS://Gateway.example/qwen ", "https://Gateway.example/qwen/chat/completions"),
        ("https://gw.example/v1?tenant=1", "https://gw.example/v1/chat/completions?tenant=1"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/v1/chat/completions"),
        ("localhost:8080/v1", "http://localhost:8080/v1/chat/completions"),
        ("[::1]:8080", "http://[::1]:8080/v1/chat/completions"),
        ("localhost.example", "https://localhost.example/v1/chat/completions"),
    ],
)
def test_the_url_is_joined_as_qwens_clients_do(base: str, url: str) -> None:
    assert chat_url(base) == url


@pytest.mark.parametrize(
    "base",
    [
        "",
        "https://",
        "ftp://h/v1",
        "https://u:pass-w0rd@h/v1",
        "https://h:99999/v1",
        "https://h/a b",
        "https://[::1",
    ],
)
def test_an_unusable_base_url_is_refused_without_showing_it(base: str) -> None:
    with pytest.raises(UnsendableError, match="api_base") as caught:
        chat_url(base)
    assert "pass-w0rd" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "why"),
    [
        ("https://[::1", "Invalid IPv6 URL"),
        ("https://h:99999/v1", "Port out of range 0-65535"),
        ("https://h/a b", "it contains a space or a control character"),
        ("https://h/a\x7f", "it contains a space or a control character"),
        ("ftp://h/v1", "its scheme is neither https nor http"),
        ("https://", "it names no host"),
        ("https://u:pass-w0rd@h/v1", "it contains a user name or password; use `api_key=` instead"),
    ],
)
def test_what_is_wrong_with_a_base_url_and_where_it_comes_from_is_said(base: str, why: str) -> None:
    for known, origin in (
        ("", "api_base, QWEN_API_BASE or the login's resource_url"),
        ("the argument", "the argument"),
    ):
        with pytest.raises(UnsendableError) as caught:
            chat_url(base, known)
        assert str(caught.value) == (
            f"The base URL (from {origin}) is unusable: {why}. A good one looks like {DEFAULT_API_BASE}"
        )


@pytest.mark.parametrize(
    ("base", "host", "alibabas"),
    [
        ("https://dashscope.aliyuncs.com/v1", "dashscope.aliyuncs.com", True),
        ("portal.qwen.ai", "portal.qwen.ai", True),
        ("https://qwen.ai:8443/", "qwen.ai:8443", True),
        ("https://a.qwenapi.io", "a.qwenapi.io", True),
        ("https://notqwen.ai", "notqwen.ai", False),
        ("https://aliyuncs.com.example:1/aliyuncs.com", "aliyuncs.com.example:1", False),
    ],
)
def test_a_server_is_known_by_its_host(base: str, host: str, alibabas: bool) -> None:
    assert host_of(base) == host
    assert is_alibabas(chat_url(base)) is alibabas


@given(base=st.text(max_size=60))
def test_any_base_url_gives_a_url_or_a_clear_error(base: str) -> None:
    try:
        url = chat_url(base)
    except UnsendableError:
        return
    assert url.startswith(("https://", "http://"))
    assert url.split("?")[0].endswith("/chat/completions")


def headers(**more: Any) -> dict[str, str]:
    given: dict[str, Any] = {
        "token": "t0ken",
        "with_login": True,
        "stream": False,
        "extra_headers": {},
    }
    return chat_headers(**{**given, **more})


def test_a_login_sends_its_bearer_and_our_own_name() -> None:
    assert headers() == {
        "Authorization": "Bearer t0ken",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": f"litellm-qwen-ai/{__version__}",
        "X-DashScope-UserAgent": f"litellm-qwen-ai/{__version__}",
        "X-DashScope-CacheControl": "enable",
        "X-DashScope-AuthType": "qwen-oauth",
    }


def test_a_key_sends_no_login_header_and_a_stream_asks_for_events() -> None:
    sent = headers(with_login=False, stream=True)
    assert "X-DashScope-AuthType" not in sent
    assert sent["Accept"] == "text/event-stream"


def test_the_callers_headers_win_whatever_their_case() -> None:
    sent = headers(extra_headers={"user-agent": "mine/1", "X-Trace": 7, "X-None": None, "X-Bytes": b"b"})
    assert sent["user-agent"] == "mine/1"
    assert "User-Agent" not in sent
    assert (sent["X-Trace"], sent["X-Bytes"]) == ("7", "b")
    assert "X-None" not in sent


def test_with_a_key_the_callers_authorization_wins_and_with_a_login_it_is_refused() -> None:
    sent = headers(with_login=False, extra_headers={"authorization": "Basic x"})
    assert [value for name, value in sent.items() if name.lower() == "authorization"] == ["Basic x"]
    with pytest.raises(UnsendableError, match="api_key"):
        headers(extra_headers={"authorization": "Basic x"})


@pytest.mark.parametrize(
    "extra",
    [
        {"X-A": "1\r\nX-Evil: 1"},
        {"X-A": "1\nX"},
        {"X-A": "\x00"},
        {"X-A": "naïve"},
        {"X-A\r\nX-Evil": "1"},
        {"X A": "1"},
        {"": "1"},
        {5: "1"},
        {"Content-Length": "3"},
        {"transfer-encoding": "chunked"},
    ],
)
def test_a_header_that_would_break_the_request_is_refused(extra: dict[Any, str]) -> None:
    with pytest.raises(UnsendableError, match="extra_headers"):
        headers(extra_headers=extra)


_BROKEN = (
    "the value of X-A contains a line break, a control character or a non-ASCII character, which no HTTP "
    "header may hold."
)
_OURS = "cannot be given together with a login. Pass `api_key=` to use a key instead of the login."


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"X A": "1"}, "'X A' is no valid header name."),
        ({"é" * 99: "1"}, f"'{'é' * 59} is no valid header name."),
        ({"X-A": "1\n"}, _BROKEN),
        ({"X-A": b"na\xefve"}, _BROKEN),
        ({"Content-Length": "3"}, "Content-Length is set by the HTTP client and cannot be given."),
        ({"Transfer-encoding": "x"}, "Transfer-encoding is set by the HTTP client and cannot be given."),
        ({"AUTHORIZATION": "Basic x"}, f"AUTHORIZATION {_OURS}"),
        ({"Host": "evil.example"}, f"Host {_OURS}"),
    ],
)
def test_what_is_wrong_with_a_header_is_said(extra: dict[Any, Any], said: str) -> None:
    with pytest.raises(UnsendableError) as caught:
        headers(extra_headers={"X-Good": "1", **extra})
    assert str(caught.value) == f"extra_headers: {said}"


def test_a_header_given_twice_counts_once_and_with_a_key_the_host_is_the_callers() -> None:
    sent = headers(with_login=False, extra_headers={"X-a": "1", "x-A": "2", "Host": "h", "X-T": "a\tb ~"})
    assert "X-a" not in sent
    assert (sent["x-A"], sent["Host"], sent["X-T"]) == ("2", "h", "a\tb ~")


def test_headers_are_masked_where_a_traceback_shows_them() -> None:
    assert "t0ken" not in repr(headers())
    assert "'Authorization': '***'" in repr(headers())


@pytest.mark.parametrize("token", ["", "a\r\nX-Evil: 1", "key\n", " key", "ключ"])
def test_a_bearer_no_header_may_hold_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(UnsendableError, match="API key is empty or contains") as caught:
        headers(token=token, with_login=False)
    assert "X-Evil" not in str(caught.value)


@pytest.mark.parametrize(
    ("token", "around"),
    [
        ('"sk-hidden"', "in quotes"),
        ("sk-hidden'", "in quotes"),
        ("Bearer sk-hidden", "behind the name of a header"),
        ("Authorization: Bearer sk-hidden", "behind the name of a header"),
    ],
)
def test_a_key_that_was_copied_with_something_is_refused_by_name(token: str, around: str) -> None:
    with pytest.raises(UnsendableError, match=f"QWEN_API_KEY\\) stands {around}") as caught:
        headers(token=token, with_login=False)
    assert "hidden" not in str(caught.value)
    assert headers(token=token)  # of a login the server alone knows


@pytest.mark.parametrize("token", ["user=name", "[a]", "{b}", "a=="])
def test_a_key_that_only_looks_odd_is_sent_as_it_is(token: str) -> None:
    assert headers(token=token, with_login=False)["Authorization"] == f"Bearer {token}"


@pytest.mark.parametrize("base", ['"https://h/v1"', "'h/v1'", '"https://u:pass-w0rd@h/v1"'])
def test_a_base_url_in_quotes_is_named(base: str) -> None:
    with pytest.raises(UnsendableError, match=r"from QWEN_API_BASE.*stands in quotes") as caught:
        chat_url(base, "QWEN_API_BASE")
    assert "pass-w0rd" not in str(caught.value)


def test_a_login_whose_token_no_header_may_hold_is_named_as_one() -> None:
    with pytest.raises(UnsendableError, match=r"^The stored access token is empty .* Log in again"):
        headers(token="a\nb")


def test_masked_headers_hide_every_secret_and_nothing_else() -> None:
    secret = ("authorization", "Proxy-Authorization", "X-Api-Key", "api-key", "Cookie")
    shown = masked({**dict.fromkeys(secret, "Bearer s"), "X-Trace": "kept"})
    assert shown == {**dict.fromkeys(secret, "***"), "X-Trace": "kept"}
