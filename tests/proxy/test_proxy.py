"""`litellm --config examples/config.yaml`, asked as its users ask it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import litellm
import openai
import pytest

if TYPE_CHECKING:
    from tests.proxy.conftest import Proxy

pytestmark = pytest.mark.proxy
MESSAGES: Any = [{"role": "user", "content": "ping"}]


@pytest.fixture
def client(proxy: Proxy) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=proxy.key, max_retries=0) as running:
        yield running


@pytest.mark.parametrize("model", ["coder-model", "vision-model", "qwen3-coder-plus", "qwen3-coder-flash"])
def test_each_model_of_the_config_answers(client: openai.OpenAI, logged_in: Proxy, model: str) -> None:
    response = client.chat.completions.create(model=model, messages=MESSAGES)
    assert "ping" in (response.choices[0].message.content or "")
    assert json.loads(logged_in.sandbox.requests_to("chat")[-1].body)["model"] == model


def test_a_stream_comes_with_its_usage(client: openai.OpenAI, logged_in: Proxy) -> None:
    assert logged_in.url
    stream = client.chat.completions.create(
        model="coder-model", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "ping" in text
    assert [chunk.usage.total_tokens > 0 for chunk in chunks if chunk.usage] == [True]


def test_any_other_name_passes_through(client: openai.OpenAI, logged_in: Proxy) -> None:
    client.chat.completions.create(model="qwen_ai/qwen9-plus", messages=MESSAGES)
    assert json.loads(logged_in.sandbox.requests_to("chat")[-1].body)["model"] == "qwen9-plus"


@pytest.mark.usefixtures("logged_in")
def test_litellms_own_route_leads_to_the_login_through_the_proxy(client: openai.OpenAI) -> None:
    answer = litellm.completion(
        "openai/coder-model",
        api_base=str(client.base_url),
        api_key=client.api_key,
        messages=[{"role": "user", "content": "ping"}],
        extra_body={"enable_thinking": True},
    )
    assert "ping" in answer.choices[0].message.content
    assert answer.choices[0].message.reasoning_content


def test_an_expired_token_is_renewed_behind_the_proxy(client: openai.OpenAI, proxy: Proxy) -> None:
    proxy.sandbox.write_credentials(proxy.token_dir, lifetime=-60)
    proxy.sandbox.expire_access_tokens()  # the proxy may hold an earlier one, and looks once a second
    before = len(proxy.sandbox.requests_to("refresh"))
    assert client.chat.completions.create(model="coder-model", messages=MESSAGES).choices
    assert len(proxy.sandbox.requests_to("refresh")) == before + 1


def test_embeddings_are_refused_with_the_alternative(logged_in: Proxy) -> None:
    answer = httpx.post(
        f"{logged_in.url}/v1/embeddings",
        headers={"authorization": f"Bearer {logged_in.key}"},
        json={"model": "coder-model", "input": "x"},
        timeout=30,
    )
    assert answer.status_code == 400
    assert "dashscope/" in answer.json()["error"]["message"]


def test_no_token_is_in_the_log(client: openai.OpenAI, logged_in: Proxy) -> None:
    client.chat.completions.create(model="coder-model", messages=MESSAGES)
    tokens = {
        request.headers["authorization"].removeprefix("Bearer ")
        for request in logged_in.sandbox.requests_to("chat")
    }
    assert tokens
    assert not [token for token in tokens if token in logged_in.log]


@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
def test_an_answer_has_the_headers_that_litellm_gives_its_own_providers(
    logged_in: Proxy, stream: bool
) -> None:
    call = {"model": "coder-model", "messages": [{"role": "user", "content": "ping"}], "stream": stream}
    headers = logged_in.ask("/v1/chat/completions", call).headers
    assert headers["x-litellm-model-api-base"] == logged_in.sandbox.api_base
    assert float(headers["x-litellm-overhead-duration-ms"]) >= 0
    assert float(headers["x-litellm-response-cost-original"]) == 0
    assert "llm_provider-content-type" in headers
