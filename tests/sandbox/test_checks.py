"""What chat refuses, over HTTP with a static key and with a login's token."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_qwen_ai.models import CATALOGUE, thinks_by_default
from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.sandbox.checks import KNOWN_KEYS, ChatRefusal, check
from tests.sandbox.conftest import LOGIN_HEADERS

CACHED = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
SYSTEM = {"role": "system", "content": [CACHED]}
USER = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
ASKED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "seen"}
LOOK = {"type": "function", "function": {"name": "look"}}
SCHEMA = {"name": "s", "schema": {"type": "object"}}


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    token: str = sandbox.issue_tokens()["access_token"]
    return token


def _refused(response: Any) -> str:
    assert response.status_code == 400, response.text
    said = response.json()
    assert said["error"]["code"] == "invalid_parameter_error"
    assert said["request_id"]
    message: str = said["error"]["message"]
    return message


# -- bearer ------------------------------------------------------------------


def test_without_a_valid_bearer_chat_answers_401_in_the_real_words(client: Any) -> None:
    for header in [{}, {"authorization": "Bearer nonsense"}, {"authorization": "Basic sk-sandbox"}]:
        response = client.http.post(
            "/v1/chat/completions", json={"model": "coder-model", "messages": [USER]}, headers=header
        )
        said = response.json()
        assert response.status_code == 401, header
        assert said["error"]["code"] == "invalid_api_key"
        assert said["error"]["message"] == "invalid access token or token expired"
        assert said["request_id"]


def test_an_access_token_is_taken_until_it_expires(
    client: Any, sandbox: Sandbox, token: str, clock: Any
) -> None:
    def status() -> int:
        code: int = client.chat(token=token, messages=[SYSTEM, USER]).status_code
        return code

    assert status() == 200
    clock.now += 21_599
    assert status() == 200
    clock.now += 1
    assert status() == 401
    assert sandbox.counts.token_rejections == 1


def test_expired_and_revoked_tokens_are_refused(client: Any, sandbox: Sandbox, token: str) -> None:
    other = sandbox.issue_tokens()
    assert sandbox.expire_access_tokens() == 2
    assert client.chat(token=token, messages=[SYSTEM, USER]).status_code == 401
    assert sandbox.accepts_refresh(other["refresh_token"])
    sandbox.revoke()
    assert not sandbox.accepts_refresh(other["refresh_token"])


# -- the portal's rules ------------------------------------------------------


def test_a_login_needs_exactly_one_leading_cached_system_message(client: Any, token: str) -> None:
    for messages in [
        [USER],
        [{"role": "system", "content": "Be brief."}, USER],
        [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, USER],
        [{"role": "system", "content": [{**CACHED, "cache_control": {"type": "other"}}]}, USER],
        [USER, SYSTEM],
        [SYSTEM, SYSTEM, USER],
        [SYSTEM, USER, {"role": "assistant", "content": "Hi"}, {"role": "system", "content": "More"}, USER],
    ]:
        assert _refused(client.chat(token=token, messages=messages)) == "bad request"
        assert client.chat(messages=messages).status_code == 200  # a key has no such rule


@pytest.mark.parametrize("name", LOGIN_HEADERS)
@pytest.mark.parametrize("value", [None, "", "other"])
def test_a_login_says_so_in_its_headers(client: Any, token: str, name: str, value: str | None) -> None:
    headers = {"authorization": f"Bearer {token}", **LOGIN_HEADERS, name: value}
    response = client.http.post(
        "/v1/chat/completions",
        json={"model": "coder-model", "messages": [SYSTEM, USER]},
        headers={key: said for key, said in headers.items() if said is not None},
    )
    if value and name == "x-dashscope-useragent":  # everybody has a name of their own
        assert response.status_code == 200
    else:
        assert _refused(response) == "bad request"


def test_a_cache_mark_may_say_more_than_its_type(client: Any, token: str) -> None:
    marked = {**CACHED, "cache_control": {"type": "ephemeral", "ttl": "5m"}}
    assert (
        client.chat(token=token, messages=[{"role": "system", "content": [marked]}, USER]).status_code == 200
    )
    broken = {**CACHED, "cache_control": "ephemeral"}
    assert _refused(client.chat(token=token, messages=[{"role": "system", "content": [broken]}, USER]))


def test_a_login_may_not_store(client: Any, token: str) -> None:
    assert "store" in _refused(client.chat(token=token, messages=[SYSTEM, USER], store=False))
    assert client.chat(store=False).status_code == 200


def test_both_paths_serve_chat(client: Any) -> None:
    answer = client.http.post(
        "/compatible-mode/v1/chat/completions",
        json={"model": "coder-model", "messages": [USER]},
        headers={"authorization": "Bearer sk-sandbox"},
    )
    assert answer.status_code == 200


# -- messages ----------------------------------------------------------------


def test_malformed_messages_are_refused(client: Any) -> None:
    for messages, said in [
        (None, "too short"),
        ([], "too short"),
        ("Hello", "too short"),
        (["Hello"], "must be an object"),
        ([{"role": "developer", "content": "x"}], "developer is not one of"),
        ([{"content": "x"}], "None is not one of"),
        ([{"role": "user"}], "must be a string or an array"),
        ([{"role": "user", "content": 7}], "must be a string or an array"),
        ([{"role": "user", "content": [{"type": "file"}]}], "Unexpected item type"),
        ([{"role": "user", "content": ["x"]}], "Unexpected item type"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], "needs a url"),
        ([USER, RESULT], "preceding message with 'tool_calls'"),
        ([USER, ASKED], "No tool message answers call_1"),
        ([USER, ASKED, USER], "must be followed by tool messages"),
        ([USER, {**ASKED, "tool_calls": "x"}], "must be an array"),
        ([USER, {**ASKED, "tool_calls": [{"id": "", "function": {"name": "x"}}]}], "needs an id"),
        (
            [USER, {**ASKED, "tool_calls": [{**CALL, "function": {"name": "x", "arguments": {}}}]}],
            "JSON string",
        ),
    ]:
        assert said in _refused(client.chat(messages=messages))


def test_a_body_that_is_no_object_is_refused(client: Any) -> None:
    for body in [b"", b"no json", b"[]", b'"x"', b"[" * 100_000]:
        headers = {"authorization": "Bearer sk-sandbox"}
        assert "JSON object" in _refused(
            client.http.post("/v1/chat/completions", content=body, headers=headers)
        )


def test_a_model_takes_the_media_that_it_is_known_for(client: Any) -> None:
    for model, kind, taken in [
        ("coder-model", "image_url", True),
        ("coder-model", "video_url", True),
        ("vision-model", "image_url", True),
        ("vision-model", "video_url", False),
        ("qwen3-coder-plus", "image_url", False),
        ("qwen3-coder-flash", "video_url", False),
        ("qwen-vl-max", "video_url", True),
    ]:
        part = {"type": kind, kind: {"url": "https://example.com/x"}}
        response = client.chat([part], model=model)
        assert response.status_code == (200 if taken else 400), (model, kind)


# -- parameters --------------------------------------------------------------


def test_parameters_have_their_documented_ranges(client: Any) -> None:
    for key, good, bad in [
        ("temperature", [0, 1.99, None], [-0.1, 2, "1", True]),
        ("top_p", [0.01, 1], [0, 1.01]),
        ("presence_penalty", [-2, 2], [-2.1, 2.1]),
        ("n", [1, 4], [0, 5, 1.5]),
        ("seed", [0, 2**64 - 1], [-1, 2**64, 1.5]),
        ("stop", ["x", ["x", "y"], []], [7, ["x", 7]]),
        ("max_tokens", [1, 65_536], [0, 65_537]),
        ("logprobs", [True, False], [1]),
        ("enable_thinking", [True], ["true"]),
        ("thinking_budget", [1], [0]),
        ("enable_search", [True], ["yes"]),
        ("search_options", [{}], [True]),
        ("stream", [False], ["yes"]),
        ("tools", [[TOOL]], [[], [{}], [{"type": "web_search"}], ["x"], {}]),
        ("response_format", [{"type": "text"}], [{"type": "xml"}, {}, "json_object"]),
        ("model", ["coder-model", "qwen-long"], [None, "", 7]),
    ]:
        for value in good:
            assert client.chat(**{key: value}).status_code == 200, value
        for value in bad:
            assert key in _refused(client.chat(**{key: value})), value


def test_max_tokens_is_limited_by_the_model(client: Any) -> None:
    assert client.chat(model="vision-model", max_tokens=8_192).status_code == 200
    message = _refused(client.chat(model="vision-model", max_tokens=8_193))
    assert message == "Range of max_tokens should be [1, 8192]"


def test_parameters_that_do_not_go_together_are_refused(client: Any) -> None:
    for body, said in [
        ({"stream_options": {"include_usage": True}}, "only allowed when 'stream' is true"),
        ({"top_logprobs": 2}, "needs 'logprobs'"),
        ({"tools": [TOOL], "n": 2}, "'n' should be 1"),
        ({"tools": [{"type": "function", "function": {"name": "look at"}}]}, "does not match"),
        ({"tools": [{"type": "function", "function": {"name": "x" * 65}}]}, "does not match"),
        ({"tools": [{"type": "function", "function": {"name": "x", "parameters": 7}}]}, "must be an object"),
        ({"tool_choice": "required"}, "not one of"),
        ({"tools": [TOOL], "tool_choice": "any"}, "not one of"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "not among 'tools'",
        ),
        ({"tools": [TOOL], "tool_choice": "required", "enable_thinking": True}, "thinking mode"),
        ({"tools": [TOOL], "tool_choice": LOOK, "enable_thinking": True}, "thinking mode"),
        ({"tools": [TOOL], "tool_choice": "required", "model": "qwen3.5-plus"}, "thinking mode"),
        ({"model": "qwen3-32b"}, "enable_thinking must be set to false"),
        ({"response_format": {"type": "json_object"}}, "must contain the word 'json'"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "needs a 'name' and a 'schema'",
        ),
    ]:
        assert said in _refused(client.chat(**body))


@pytest.mark.parametrize(
    "model",
    [
        *(model.name for model in CATALOGUE),
        *("qwen3-32b", "qwen3-30b-a3b", "qwen3.5-plus", "qwen3.10-flash", "qwen4-max", "qwen-plus"),
        *("qwen3-max", "qwen3-235b-a22b-instruct-2507", "qwen3.5-27b-thinking", "qwq-plus"),
    ],
)
def test_a_forced_call_is_refused_where_the_package_knows_that_a_model_thinks_by_default(model: str) -> None:
    body = {"model": model, "messages": [SYSTEM, USER], "tools": [TOOL], "tool_choice": "required"}
    check({**body, "enable_thinking": False}, login=True)
    if thinks_by_default(model) is None:
        check(body, login=True)
    else:
        with pytest.raises(ChatRefusal, match="thinking mode"):
            check(body, login=True)


def test_parameters_that_do_go_together_are_taken(client: Any) -> None:
    for body in [
        {"stream": True, "stream_options": {"include_usage": True}},
        {"logprobs": True, "top_logprobs": 2},
        {"tools": [TOOL], "tool_choice": "required"},
        {"tools": [TOOL], "tool_choice": "auto", "enable_thinking": True},
        {"model": "qwen3-32b", "enable_thinking": False},
        {"model": "qwen3-30b-a3b", "stream": True},
        {"response_format": {"type": "json_schema", "json_schema": SCHEMA}},
    ]:
        assert client.chat(**body).status_code == 200, body


@pytest.mark.parametrize(
    "name",
    [
        *("no-such-model", "coder-modle", "qwen3-coder-plsu", "qwen-", "gpt-4o", "qwen3_32b", "vision"),
        *("deepseekwhatever", "kimi", "glm_4", "farui", "tongyi_intent", "qwenguard8b"),
    ],
)
def test_a_model_that_is_not_known_is_not_found(client: Any, name: str) -> None:
    response = client.chat(model=name)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "qwen-max",
            "qwen-plus-2025-07-28",
            "qwen3-235b-a22b-instruct-2507",
            "qwen3.5-plus",
            "qwq-32b",
            "qvq-max",
        ),
        *(
            "qwen2.5-vl-72b-instruct",
            "qwen3-next-80b-a3b-thinking",
            "Qwen/Qwen3-30B-A3B-FP8",
            "deepseek-v3.1",
            *("kimi-k2", "Moonshot-Kimi-K2-Instruct", "glm-4.5", "MiniMax-M2.1"),
            *("qwen-doc-turbo", "qwen3-guard-8b", "Qwen/Qwen3Guard-Gen-8B", "qwen2.5-14b-instruct-1m"),
            *("qwen-plus-character-ja", "qwen-deep-search-planning", "qwen3-livetranslate-flash"),
            *("qwen-vl-chat-v1", "tongyi-intent-detect-v3", "farui-plus", "gui-plus"),
        ),
    ],
)
def test_names_of_model_studio_and_of_open_weights_are_known(client: Any, name: str) -> None:
    assert client.chat(model=name).status_code == 200


def test_a_prompt_beyond_the_context_is_refused(client: Any) -> None:
    message = _refused(client.chat("word " * 140_000, model="vision-model"))
    assert message == "Range of input length should be [1, 131072]"


def test_keys_that_qwen_does_not_document_are_ignored_but_remembered(client: Any, sandbox: Sandbox) -> None:
    assert client.chat(max_retries=2, custom_llm_provider="x", top_k=3).status_code == 200
    assert sandbox.requests_to("chat")[-1].unknown_keys == ("custom_llm_provider", "max_retries")
    assert "temperature" in KNOWN_KEYS
