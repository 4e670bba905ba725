"""What LiteLLM is given at a registration, and which client sends a call."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import litellm
import openai
import pytest
from litellm import exceptions
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

import litellm_qwen_ai
from litellm_qwen_ai.models import CATALOGUE
from litellm_qwen_ai.oauth import network
from litellm_qwen_ai.route import host, patches
from litellm_qwen_ai.route.network import as_litellm_has_it

HANDLER = litellm_qwen_ai.handler


def test_a_registration_puts_our_entry_last_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    other, old = {"provider": "other", "custom_handler": 1}, {"provider": "qwen_ai", "custom_handler": 2}
    given: list[Any] = [old, other]
    monkeypatch.setattr(litellm, "custom_provider_map", given)
    monkeypatch.setattr(litellm, "_custom_providers", [])
    host.install(HANDLER)
    assert litellm.custom_provider_map == [other, {"provider": "qwen_ai", "custom_handler": HANDLER}]
    assert given == [old, other]
    assert "qwen_ai" in litellm._custom_providers
    assert network._source is as_litellm_has_it  # type: ignore[attr-defined]  # where it is kept


def test_the_catalogue_is_told_and_a_users_own_prices_win(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CATALOGUE[0]
    known = {name: info for name, info in litellm.model_cost.items() if not name.startswith("qwen_ai/")}
    monkeypatch.setattr(litellm, "model_cost", {**known, model.route: {"input_cost_per_token": 7.0}})
    by_provider = {**litellm.models_by_provider, "qwen_ai": {"qwen_ai/mine"}}
    monkeypatch.setattr(litellm, "models_by_provider", by_provider)
    host.keep_catalogue()
    told = litellm.model_cost[model.route]
    assert told["input_cost_per_token"] == 7.0
    assert {name: told[name] for name in model.model_info() if name != "input_cost_per_token"} == {
        name: value for name, value in model.model_info().items() if name != "input_cost_per_token"
    }
    assert set(by_provider["qwen_ai"]) == {"qwen_ai/mine", *(one.route for one in CATALOGUE)}
    del litellm.model_cost[CATALOGUE[-1].route]
    host.keep_catalogue()
    assert CATALOGUE[-1].route in litellm.model_cost


def test_a_litellm_that_goes_past_python_is_told_in_two_sentences(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(host, "chat_past_python", lambda: ("It does", "Set that"))
    with caplog.at_level(logging.WARNING, "litellm_qwen_ai"):
        host.install(HANDLER)
    assert [record.getMessage() for record in caplog.records] == ["It does. Set that."]


def test_a_provider_of_litellms_own_is_left_alone_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patches, "is_built_in", lambda: True)
    monkeypatch.setattr(litellm, "custom_provider_map", [])
    with caplog.at_level(logging.WARNING, "litellm_qwen_ai"):
        host.install(HANDLER)
    assert litellm.custom_provider_map == []
    (record,) = caplog.records
    assert record.getMessage().startswith("This version of LiteLLM has a provider of its own named 'qwen_ai'")


def test_a_callers_client_is_found_wherever_it_is_held() -> None:
    with httpx.Client() as client:
        held = HTTPHandler(client=client)
        asked = openai.OpenAI(api_key="k", http_client=client)
        for given in (client, held, asked):
            assert host.sync_http(given, "m") == (client, given)
        http, owner = host.sync_http(None, "m")
        assert (http, type(owner)) == (owner.client, HTTPHandler)


async def test_so_is_an_asynchronous_one() -> None:
    async with httpx.AsyncClient() as client:
        asked = openai.AsyncOpenAI(api_key="k", http_client=client)
        for given in (client, asked):
            assert host.async_http(given, "m") == (client, given)
        http, owner = host.async_http(None, "m")
        assert (http, type(owner)) == (owner.client, AsyncHTTPHandler)
        assert host.async_http(None, "m")[0] is http
        await http.aclose()
        assert not host.async_http(None, "m")[0].is_closed
    await litellm.close_litellm_async_clients()


@pytest.mark.parametrize(
    ("given", "named"), [(object(), "builtins.object"), (httpx.AsyncClient, "builtins.type")]
)
def test_a_client_that_cannot_send_the_call_is_refused_by_its_name(given: Any, named: str) -> None:
    for http, kind in ((host.sync_http, "Client"), (host.async_http, "AsyncClient")):
        with pytest.raises(exceptions.BadRequestError) as caught:
            http(given, "coder-model")
        assert caught.value.model == "coder-model"
        assert str(caught.value).endswith(
            f"client= is a {named}, which cannot send this call: its proxy and certificates would not be "
            f"used. Give an httpx.{kind}, or leave client= out."
        )


async def test_a_client_that_was_closed_is_opened_again_with_its_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hook(_request: httpx.Request) -> None: ...

    owner = AsyncHTTPHandler(timeout=7.0, event_hooks={"request": [hook]})
    closed = owner.client
    await closed.aclose()
    owner.client = closed  # later versions open again only what they have made
    monkeypatch.setattr(host, "get_async_httpx_client", lambda **_: owner)
    client, held = host.async_http(None, "m")
    assert held is owner
    assert (client.is_closed, client.timeout) == (False, httpx.Timeout(7.0))
    assert client.event_hooks["request"] == [hook]
    await client.aclose()
