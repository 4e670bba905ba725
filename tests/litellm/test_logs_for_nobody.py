"""The third adaptation: what LiteLLM makes of an answer is made if somebody receives it, and only then."""

from __future__ import annotations

import asyncio
import logging
import queue
from collections.abc import Callable
from typing import Any

import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger
from litellm.litellm_core_utils import litellm_logging
from litellm.litellm_core_utils.litellm_logging import Logging

from litellm_qwen_ai.route import patches
from litellm_qwen_ai.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("login")

CALL: dict[str, Any] = {"model": "qwen_ai/coder-model", "messages": [{"role": "user", "content": "ping"}]}
Listen = Callable[[pytest.MonkeyPatch, pytest.LogCaptureFixture], object]


class Watch:
    """Counts what LiteLLM makes, and says when it has done with an answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.records: list[str] = []  # the calls' ids
        self.chunks = 0
        self.handled: queue.SimpleQueue[Any] = queue.SimpleQueue()
        make = litellm_logging.get_standard_logging_object_payload
        log_chunk = litellm.CustomStreamWrapper.run_success_logging_and_cache_storage
        handle, ahandle = Logging.success_handler, Logging.async_success_handler

        def record(**more: Any) -> Any:
            self.records.append(more["kwargs"]["litellm_call_id"])
            return make(**more)

        def chunk(wrapper: Any, *args: Any) -> None:
            self.chunks += 1
            log_chunk(wrapper, *args)

        def done(logged: Any, *args: Any, **more: Any) -> None:
            handle(logged, *args, **more)
            self.handled.put(more.get("result", args[0] if args else None))

        async def adone(logged: Any, *args: Any, **more: Any) -> None:
            await ahandle(logged, *args, **more)
            self.handled.put(more.get("result", args[0] if args else None))

        monkeypatch.setattr(litellm_logging, "get_standard_logging_object_payload", record)
        monkeypatch.setattr(litellm.CustomStreamWrapper, "run_success_logging_and_cache_storage", chunk)
        monkeypatch.setattr(Logging, "success_handler", done)
        monkeypatch.setattr(Logging, "async_success_handler", adone)

    def answer(self) -> litellm.ModelResponse:
        """The next whole answer that LiteLLM has done with."""
        while True:
            found = self.handled.get(timeout=30)
            if isinstance(found, litellm.ModelResponse):
                return found


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    for name in ("callbacks", "success_callback", "_async_success_callback"):
        monkeypatch.setattr(litellm, name, [])  # LiteLLM adds to these lists, and takes nothing out again
    return Watch(monkeypatch)


def _ask() -> None:
    assert "ping" in litellm.completion(**CALL).choices[0].message.content


async def _aask(**more: Any) -> None:
    answer = await litellm.acompletion(**CALL, **more)
    assert "ping" in answer.choices[0].message.content


def test_no_record_is_made_of_a_call(watch: Watch) -> None:
    _ask()
    assert "ping" in str(watch.answer().choices[0].message.content)
    assert watch.records == []


@pytest.mark.usefixtures("own_loop")
async def test_no_record_is_made_of_an_async_call(watch: Watch) -> None:
    await _aask(litellm_call_id="unheard")
    for _ in range(20):  # LiteLLM looks in a task of its own
        await asyncio.sleep(0)
    listener = Listener()
    litellm.callbacks.append(listener)
    await _aask(litellm_call_id="heard")
    assert "ping" in await asyncio.to_thread(listener.told.get, timeout=30)
    assert set(watch.records) == {"heard"}


def test_no_chunk_of_a_stream_is_logged_but_the_whole_answer_is(watch: Watch) -> None:
    pieces = [chunk.choices[0].delta.content or "" for chunk in litellm.completion(**CALL, stream=True)]
    assert watch.answer().choices[0].message.content == "".join(pieces)
    assert "ping" in "".join(pieces)
    assert watch.chunks == 0


class Listener(CustomLogger):
    """Keeps the text of each whole answer that it is told of."""

    def __init__(self) -> None:
        super().__init__()
        self.told: queue.SimpleQueue[str] = queue.SimpleQueue()

    def log_success_event(self, kwargs: Any, response_obj: Any, *_: Any, **__: Any) -> None:  # type: ignore[override]  # noqa: ARG002  # given by name
        self.told.put(response_obj.choices[0].message.content)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, *_: Any, **__: Any) -> None:
        self.log_success_event(kwargs, response_obj)


def _without(monkeypatch: pytest.MonkeyPatch) -> None:
    """As LiteLLM does without the adaptation."""
    monkeypatch.setattr(patches, "nobody_listens", lambda _: False)


LISTENERS: dict[str, Listen] = {
    "a callback": lambda patch, _: patch.setattr(litellm, "callbacks", [Listener()]),
    "a callback for successes": lambda patch, _: patch.setattr(litellm, "success_callback", [Listener()]),
    "a budget": lambda patch, _: patch.setattr(litellm, "max_budget", 5.0),
    "a debug log": lambda _, caplog: caplog.set_level(logging.DEBUG, "LiteLLM"),
    "a print": lambda patch, _: patch.setenv("LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD", "1"),
    "the user, who wants no adaptation": lambda patch, _: _without(patch),
}


@pytest.mark.parametrize("listener", LISTENERS)
def test_whoever_listens_is_told(
    watch: Watch, listener: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    LISTENERS[listener](monkeypatch, caplog)
    _ask()
    assert watch.answer()
    assert watch.records
    list(litellm.completion(**CALL, stream=True))
    assert watch.answer()
    assert watch.chunks > 0


@pytest.mark.usefixtures("own_loop")
async def test_an_async_callback_is_told(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "callbacks", [Listener()])
    await _aask()
    assert await asyncio.to_thread(watch.answer)
    assert watch.records


@pytest.mark.parametrize("spares", [True, False], ids=["adapted", "as LiteLLM does"])
@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
def test_a_callback_of_the_one_call_is_told(
    watch: Watch, spares: bool, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not spares:
        _without(monkeypatch)
    listener = Listener()
    list(litellm.completion(**CALL, stream=stream, success_callback=[listener]))
    assert "ping" in listener.told.get(timeout=30)
    assert watch.answer()
    assert listener.told.empty()


@pytest.mark.parametrize("spares", [True, False], ids=["adapted", "as LiteLLM does"])
def test_a_callback_that_comes_while_a_stream_runs_is_told_of_the_whole_answer(
    watch: Watch, spares: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not spares:
        _without(monkeypatch)
    listener = Listener()
    stream = litellm.completion(**CALL, stream=True)
    first = next(stream)
    litellm.success_callback.append(listener)
    rest = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert listener.told.get(timeout=30) == (first.choices[0].delta.content or "") + "".join(rest)
    assert watch.answer()


def test_a_stream_is_cached_although_nobody_listens(
    watch: Watch, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litellm, "cache", litellm.Cache(type="local"))
    texts = []
    for _ in range(2):
        chunks = list(litellm.completion(**CALL, stream=True, caching=True))
        texts.append("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices))
        assert watch.answer()
    assert texts[0] == texts[1]
    assert len(sandbox.requests_to("chat")) == 1


@pytest.mark.usefixtures("own_loop", "watch")
@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
async def test_a_callback_that_comes_right_after_an_async_call_is_told(stream: bool) -> None:
    answer = await litellm.acompletion(**CALL, stream=stream)
    listener = Listener()
    litellm.logging_callback_manager.add_litellm_async_success_callback(listener)
    if stream:
        assert [chunk async for chunk in answer]
    assert "ping" in await asyncio.to_thread(listener.told.get, timeout=30)


@pytest.mark.usefixtures("watch")
def test_a_litellm_that_keeps_its_callbacks_elsewhere_is_left_alone() -> None:
    assert patches.nobody_listens(object()) is False
