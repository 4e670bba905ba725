"""A whole request: pure, exact, and safe for any text."""

from __future__ import annotations

import copy
import json
from datetime import date
from typing import Any

import litellm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from litellm_qwen_ai.chat.request import ChatRequest, build_request
from litellm_qwen_ai.chat.wire import masked

PICTURE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}


def build(*messages: Any, with_login: bool = True, **params: Any) -> ChatRequest:
    more = {name: params.pop(name) for name in ("stream", "extra_headers", "model") if name in params}
    return build_request(
        messages=list(messages) or [{"role": "user", "content": "Hi"}],
        optional_params=params,
        base_url="https://portal.qwen.ai/v1",
        token="t0ken-SECRET",
        with_login=with_login,
        **{"model": "coder-model", **more},
    )


@pytest.mark.parametrize(
    ("base", "theirs"),
    [
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", True),
        ("https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1", True),
        ("portal.qwen.ai", True),
        ("https://api.qwenapi.io/v1", True),
        ("http://127.0.0.1:8000/v1", False),
        ("https://vllm.example/v1", False),
        ("https://aliyuncs.com.example/v1", False),
        ("https://notaliyuncs.com/v1", False),
    ],
)
def test_the_host_decides_where_the_thinking_switch_is_looked_for(base: str, theirs: bool) -> None:
    known = {"model": "qwen3-32b", "messages": [], "optional_params": {"enable_thinking": True}, "token": "t"}
    with_key = build_request(**known, base_url=base, with_login=False)
    assert ("chat_template_kwargs" not in with_key.payload) is theirs
    assert "chat_template_kwargs" not in build_request(**known, base_url=base, with_login=True).payload


def test_the_body_is_the_payload_as_compact_utf8() -> None:
    request = build({"role": "user", "content": "你好 🙂"}, temperature=0)
    assert json.loads(request.body) == request.payload
    assert "你好 🙂".encode() in request.body
    assert b": " not in request.body
    assert request.payload["model"] == "coder-model"
    assert request.url == "https://portal.qwen.ai/v1/chat/completions"


def test_the_route_prefix_is_no_part_of_the_models_name() -> None:
    assert build(model="qwen_ai/coder-model").payload["model"] == "coder-model"
    assert build(model="other/name").payload["model"] == "other/name"


def test_images_ask_for_their_full_resolution_with_a_login() -> None:
    assert build(PICTURE).payload["vl_high_resolution_images"] is True
    assert (
        build(PICTURE, extra_body={"vl_high_resolution_images": False}).payload["vl_high_resolution_images"]
        is False
    )
    assert "vl_high_resolution_images" not in build(PICTURE, with_login=False).payload
    assert "vl_high_resolution_images" not in build().payload


def test_the_same_call_gives_the_same_bytes_and_changes_nothing() -> None:
    messages = [{"role": "system", "content": "s"}, PICTURE, {"role": "assistant", "content": None}]
    optional = {"tools": [], "extra_body": {"a": 1}, "thinking": {"type": "enabled"}, "max_retries": 1}
    before = copy.deepcopy((messages, optional))
    first, second = build(*messages, **optional), build(*messages, **optional)
    assert (first.url, first.headers, first.body) == (second.url, second.headers, second.body)
    assert (messages, optional) == before


def test_no_secret_is_in_its_repr_or_masked_headers() -> None:
    request = build(extra_headers={"X-Api-Key": "SECRET-2"})
    assert "SECRET" not in repr(request) + str(masked(request.headers)) + str(request.payload)
    assert request.headers["Authorization"] == "Bearer t0ken-SECRET"


def test_headers_come_from_both_places_and_the_argument_wins() -> None:
    request = build_request(
        model="m",
        messages=[],
        optional_params={"extra_headers": {"X-A": "params", "X-B": "params"}},
        base_url="h",
        token="t",
        with_login=False,
        extra_headers={"X-A": "argument"},
    )
    assert (request.headers["X-A"], request.headers["X-B"]) == ("argument", "params")


def test_history_keeps_its_reasoning_for_models_asked_to_preserve_it() -> None:
    turn = {"role": "assistant", "content": "a", "reasoning_content": "hmm"}
    assert "reasoning_content" not in build(turn).payload["messages"][1]
    assert build(turn, extra_body={"preserve_thinking": True}).payload["messages"][1] == turn


def test_a_lone_surrogate_is_sent_as_an_escape_instead_of_crashing() -> None:
    body = build({"role": "user", "content": "broken \ud83d emoji"}).body
    assert b"\\ud83d" in body


class _Part(BaseModel):
    type: str = "text"
    text: str = "hello"
    at: date | None = None


def test_pydantic_objects_inside_messages_are_written_out() -> None:
    request = build({"role": "user", "content": [_Part()]})
    assert b'{"type":"text","text":"hello"}' in request.body
    dated = build({"role": "user", "content": [_Part(at=date(2026, 7, 1))]})
    assert b'"at":"2026-07-01"' in dated.body


_LOOP: list[Any] = []
_LOOP.append(_LOOP)


@pytest.mark.parametrize("value", [float("nan"), object(), b"bytes", _LOOP, {1, "a"}])
def test_what_json_cannot_hold_is_a_clear_error(value: Any) -> None:
    with pytest.raises(litellm.BadRequestError, match="JSON"):
        build(extra_body={"x": value})


@given(words=st.text(), role=st.sampled_from(["system", "user", "assistant"]))
def test_any_text_arrives_unharmed(words: str, role: str) -> None:
    sent = json.loads(build({"role": role, "content": words}, with_login=False).body)["messages"][-1][
        "content"
    ]
    assert sent == words


@pytest.mark.parametrize("wrong", ["x: y", ["x"]])
def test_extra_headers_of_a_wrong_kind_are_refused(wrong: Any) -> None:
    for more in ({"extra_headers": wrong}, {"optional_params": {"extra_headers": wrong}}):
        call: dict[str, Any] = {"optional_params": {}, **more}
        with pytest.raises(litellm.BadRequestError, match="extra_headers must be an object"):
            build_request(
                model="m", messages=[], base_url="https://x.example", token="t", with_login=False, **call
            )


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "ftp://x"},
        {"messages": ["hello"]},
        {"optional_params": {"reasoning_effort": "a lot"}},
        {"token": ""},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_whatever_cannot_be_sent_is_a_bad_request_that_names_the_model(wrong: dict[str, Any]) -> None:
    call = {"messages": [], "optional_params": {}, "base_url": "https://x.example", "token": "t"}
    with pytest.raises(litellm.BadRequestError) as caught:
        build_request(model="qwen_ai/m", with_login=False, **{**call, **wrong})
    assert (caught.value.model, caught.value.llm_provider) == ("m", "qwen_ai")
