"""What is said of the way that a failed call took."""

from __future__ import annotations

import aiohttp
import httpx
import pytest

from litellm_qwen_ai.route.network import way_of_chat

URL = "https://chat.qwen.test/v1"


def test_a_call_of_aiohttps_through_socks_is_told_how_to_leave_aiohttp(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hunter2@127.0.0.1:9")
    error = httpx.ConnectError("no")
    error.__cause__ = aiohttp.ClientError("no")
    told, secrets = way_of_chat(URL, error)
    assert told == (
        "The way there is through the proxy 127.0.0.1:9 of ALL_PROXY. aiohttp, which asynchronous calls use, "
        "speaks no SOCKS: Set DISABLE_AIOHTTP_TRANSPORT=True."
    )
    assert secrets == ["me:hunter2", "hunter2"]
    told, _ = way_of_chat(URL, httpx.ConnectError("no"))
    assert "aiohttp" not in told


@pytest.mark.parametrize("error", [httpx.ReadTimeout("slow"), TimeoutError()])
def test_a_call_that_took_too_long_is_told_of_a_proxy_on_its_way_and_else_of_nothing(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert way_of_chat(URL, error) == ("", [])
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert way_of_chat(URL, error) == (
        "The way there is through the proxy 127.0.0.1:9 of HTTPS_PROXY. Check HTTPS_PROXY and NO_PROXY.",
        [],
    )


def test_a_call_that_found_no_server_is_told_what_to_check() -> None:
    error = httpx.ConnectError("no")
    error.__cause__ = ConnectionRefusedError()
    assert way_of_chat(URL, error) == ("Check the address and the network.", [])


def test_a_proxy_that_no_client_can_be_made_with_is_named_though_nothing_goes_through_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://me:hunter2@127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "*")
    told, secrets = way_of_chat(URL, ValueError("Unknown scheme"))
    assert "ALL_PROXY" in told
    assert "hunter2" not in told
    assert "hunter2" in secrets
