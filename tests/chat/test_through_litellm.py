"""What a caller of LiteLLM sees of our streams: through its own CustomStreamWrapper."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger

from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.decoder import StreamDecoder

PROVIDER = "qwen_wire_test"
Ask = Callable[..., list[Any]]


class Replay(litellm.CustomLLM):
    """Answers with what the decoder makes of given bytes."""

    body = b""

    def _chunks(self) -> Iterator[Any]:
        decoder = StreamDecoder(AnswerContext("m"))
        for data in (self.body, None):
            yield from decoder.feed(data)
        if decoder.failure:
            raise decoder.failure

    def streaming(self, *_: Any, **__: Any) -> Iterator[Any]:
        return self._chunks()

    async def astreaming(self, *_: Any, **__: Any) -> Any:  # type: ignore[override]  # an async generator, as LiteLLM awaits none
        for chunk in self._chunks():
            yield chunk


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Replay:
    handler = Replay()
    others = [one for one in litellm.custom_provider_map if one["provider"] != PROVIDER]
    monkeypatch.setattr(
        litellm, "custom_provider_map", [*others, {"provider": PROVIDER, "custom_handler": handler}]
    )
    return handler


def _sync(**call: Any) -> list[Any]:
    return list(litellm.completion(stream=True, **call))


def _async(**call: Any) -> list[Any]:
    async def collect() -> list[Any]:
        return [chunk async for chunk in await litellm.acompletion(stream=True, **call)]

    return asyncio.run(collect())


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest, replay: Replay) -> Ask:
    def call(body: bytes, **more: Any) -> list[Any]:
        replay.body = body
        chunks: list[Any] = request.param(
            model=f"{PROVIDER}/m", messages=[{"role": "user", "content": "hi"}], **more
        )
        return chunks

    return call


def test_text_reasoning_finish_and_usage_come_out_right(ask: Ask, wire: Any) -> None:
    chunks = ask(
        wire.delta({"role": "assistant", "content": None, "reasoning_content": "hm"})
        + wire.delta({"content": "Hello"})
        + wire.delta({}, "stop")
        + wire.delta({}, "stop")
        + wire.usage(7, 5)
        + wire.done,
        stream_options={"include_usage": True},
    )
    built = litellm.stream_chunk_builder(chunks)
    assert built.choices[0].message.content == "Hello"
    assert built.choices[0].message.reasoning_content == "hm"
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == [
        "stop"
    ]
    usages = [chunk.usage for chunk in chunks if getattr(chunk, "usage", None)]
    assert [(u.prompt_tokens, u.completion_tokens, u.total_tokens) for u in usages] == [(7, 5, 12)]
    assert usages[0].prompt_tokens_details.cached_tokens == 3
    assert usages[0].completion_tokens_details.reasoning_tokens == 2


def test_usage_is_hidden_from_a_caller_who_did_not_ask(ask: Ask, wire: Any) -> None:
    chunks = ask(wire.delta({"content": "a"}, "stop") + wire.usage(7, 5) + wire.done)
    assert not [chunk for chunk in chunks if getattr(chunk, "usage", None)]
    assert chunks[-1].choices[0].finish_reason == "stop"


class Listener(CustomLogger):
    """Keeps the usage that LiteLLM logs."""

    def __init__(self) -> None:
        super().__init__()
        self.usage: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def async_log_success_event(self, *_: Any, **event: Any) -> None:
        if not self.usage.done():
            self.usage.set_result(event["response_obj"].usage)


async def test_logging_gets_usage_from_a_caller_who_did_not_ask(
    replay: Replay, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    for name in ("callbacks", "success_callback", "_async_success_callback"):
        monkeypatch.setattr(litellm, name, [listener])
    replay.body = wire.delta({"content": "a"}, "stop") + wire.usage(70, 5) + wire.done
    messages = [{"role": "user", "content": "hi"}]
    async for _ in await litellm.acompletion(model=f"{PROVIDER}/m", messages=messages, stream=True):
        pass
    usage = await asyncio.wait_for(listener.usage, 60)
    assert (usage.prompt_tokens, usage.completion_tokens) == (70, 5)


def test_parallel_tool_calls_in_shards_come_out_whole(ask: Ask, wire: Any) -> None:
    chunks = ask(
        wire.shard(0, "call_a", "add", '{"x"')
        + wire.shard(0, "", "", ":1}")
        + wire.shard(0, "call_b", "mul", '{"y":2}')
        + wire.shard(0, "call_b", "mul", '{"y":2}')
        + wire.delta({}, "stop")
        + wire.usage()
        + wire.done
    )
    message = litellm.stream_chunk_builder(chunks).choices[0].message
    assert [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls] == [
        ("call_a", "add", '{"x":1}'),
        ("call_b", "mul", '{"y":2}'),
    ]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_several_choices_survive_with_their_finish(ask: Ask, wire: Any) -> None:
    chunks = ask(
        wire.delta({"content": "a"}, index=0)
        + wire.delta({"content": "b"}, index=1)
        + wire.delta({}, "stop", index=0)
        + wire.delta({"content": "B"}, index=1)
        + wire.delta({}, "length", index=1)
        + wire.usage()
        + wire.done,
        n=2,
    )
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(c.delta.content or "" for c in choices if c.index == 1) == "bB"
    assert {(c.index, c.finish_reason) for c in choices if c.finish_reason} == {(0, "stop"), (1, "length")}


def test_an_error_in_the_stream_reaches_the_caller_as_itself(ask: Ask, wire: Any) -> None:
    with pytest.raises(litellm.BadRequestError, match="no such thing") as caught:
        ask(wire.delta({"content": "a"}) + wire.event({"error": {"message": "no such thing", "code": "400"}}))
    assert caught.value.llm_provider == "qwen_ai"
