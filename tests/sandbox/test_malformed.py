"""Members of a chat request that are not what they should be: a refusal in Qwen's form, never a fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.sandbox.authority import Authority, Rules
from litellm_qwen_ai.sandbox.chat import ChatEndpoint
from litellm_qwen_ai.sandbox.wire import RecordedRequest
from tests.sandbox.conftest import LOGIN_HEADERS, SYSTEM, Client

KEY = {"authorization": "Bearer sk-sandbox"}
#: Every member of a schema that the sandbox reads.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "$defs": {"Seat": {"type": ["string", "null"], "pattern": "^[A-Z]", "minLength": 1, "maxLength": 9}},
    "properties": {
        "seat": {"$ref": "#/$defs/Seat"},
        "day": {"type": "string", "format": "date", "default": "2026-01-01"},
        "age": {"anyOf": [{"type": "integer", "minimum": 0, "exclusiveMaximum": 9}, {"type": "null"}]},
        "share": {"allOf": [{"type": "number", "exclusiveMinimum": 0}, {"maximum": 9, "multipleOf": 0.5}]},
        "kind": {"oneOf": [{"enum": ["a", "b"]}, {"const": 1}], "default": None},
        "all": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "uniqueItems": True},
        "pair": {"prefixItems": [{"type": "boolean"}], "items": {"enum": ["x", "y"]}, "maxItems": 3},
    },
    "required": ["seat", "age"],
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
MESSAGES: list[Any] = [
    SYSTEM,
    {"role": "user", "content": [{"type": "video", "video": ["https://example.com/1.png"]}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "seen"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": 'Say "A" in JSON for Bob, 2 times'},
            {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}},
            {"type": "video_url", "video_url": {"url": "https://example.com/1.mp4"}},
        ],
    },
]
COMMON = {
    "model": "coder-model",
    "messages": MESSAGES,
    "temperature": 1,
    "top_p": 0.5,
    "seed": 1,
    "stop": ["x"],
    "max_tokens": 50,
    "logprobs": True,
    "top_logprobs": 2,
    "enable_search": True,
    "thinking_budget": 9,
}
LOOK = {"type": "function", "function": {"name": "look", "description": "Look", "parameters": SCHEMA}}
FORCED = {"type": "function", "function": {"name": "look"}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}
BODIES: list[dict[str, Any]] = [
    {**COMMON, "tools": [LOOK], "tool_choice": FORCED, "enable_thinking": False},
    {**COMMON, "tools": [LOOK], "parallel_tool_calls": True, "enable_thinking": True},
    {**COMMON, "response_format": FORMAT, "stream": True, "stream_options": {"include_usage": True}, "n": 2},
    {**COMMON, "response_format": {"type": "json_object"}},
]


def _places(value: Any) -> Iterator[tuple[Any, ...]]:
    """Where each member is, as the way to it; the whole is at `()`."""
    yield ()
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, member in members:
        yield from ((key, *rest) for rest in _places(member))


PLACES = [
    (body, place)
    for body in range(len(BODIES))
    for place in _places(BODIES[body])
    if body == 0 or not place or place[0] not in COMMON
]
ODD: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**400, 1e308, 5e-324, float("inf"), float("nan"), "", "x", "[", "\ud800"),
    *([], [1], [None], [[1]], [{}], {}, {"a": 1}, {"type": 5}, {"$ref": "#"}, {"function": "a"}),
]
JSON = st.recursive(
    st.sampled_from(ODD) | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "$ref", "items", "minimum"]) | st.text(), inner, max_size=3
        )
    ),
    max_leaves=4,
)


def _with(body: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    changed = copy.copy(body)
    changed[place[0]] = _with(body[place[0]], place[1:], value)
    return changed


class Served:
    """A sandbox's chat, asked without a socket between: what would be a status 500 is raised here."""

    def __init__(self, *, obedient: bool) -> None:
        authority = Authority(Rules(), clock=lambda: 1.0)
        self._chat = ChatEndpoint(authority, api_keys=frozenset({"sk-sandbox"}), obedient=obedient)
        self._login = {"authorization": f"Bearer {authority.issue()['access_token']}", **LOGIN_HEADERS}

    def answer(self, body: Any, *, login: bool = False) -> int:
        headers = self._login if login else KEY
        text = json.dumps(body).encode()
        reply = self._chat.serve(
            RecordedRequest("chat", "POST", "/v1/chat/completions", {}, headers, text, at=1.0), None
        )
        if reply.status != 200:
            said = json.loads(reply.body)
            assert set(said) == {"error", "request_id"}
            assert set(said["error"]) == {"message", "type", "param", "code"}
            assert reply.status in (400, 404)
        elif not reply.streamed:
            json.loads(reply.body)
        return reply.status


@pytest.mark.parametrize("obedient", [False, True])
@pytest.mark.parametrize("body", BODIES, ids=["forced", "thinking", "schema", "object"])
def test_the_requests_that_the_others_are_made_of_are_granted(body: Any, obedient: bool) -> None:
    served = Served(obedient=obedient)
    assert served.answer(body) == 200
    assert served.answer(body, login=True) == 200


def test_no_member_of_a_wrong_kind_is_a_fault() -> None:
    served = [Served(obedient=obedient) for obedient in (False, True)]
    for at, (body, place) in enumerate(PLACES):
        for odd in ODD:
            served[at % 2].answer(_with(BODIES[body], place, odd), login=at % 3 == 0)


@settings(max_examples=500)
@given(st.sampled_from(PLACES), JSON, st.booleans(), st.booleans())
def test_nothing_in_a_members_place_is_a_fault(where: Any, value: Any, login: bool, obedient: bool) -> None:
    body, place = where
    Served(obedient=obedient).answer(_with(BODIES[body], place, value), login=login)


class Person(BaseModel):
    name: str
    age: int | None = None


@pytest.mark.parametrize("obedient", [False, True])
def test_a_member_that_may_be_missing_is_none_the_worse_for_it(obedient: bool) -> None:
    schema = Person.model_json_schema()
    tool = {"type": "function", "function": {"name": "look", "parameters": {**schema, "required": ["age"]}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    with Sandbox(obedient=obedient) as sandbox, httpx.Client(base_url=sandbox.url, timeout=60) as http:
        client = Client(http)
        said = client.chat('Look for "Bob"', response_format=wanted).json()["choices"][0]["message"]
        assert Person.model_validate_json(said["content"]).name == "Bob"
        [call] = client.chat('Look for "Bob"', tools=[tool]).json()["choices"][0]["message"]["tool_calls"]
        assert Person.model_validate_json(call["function"]["arguments"][:-1] + ', "name": "Bob"}').age == 1


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ({"properties": [1]}, "[1] is not an object - 'properties'"),
        ({"required": 5}, "5 is not an array of strings - 'required'"),
        ({"type": 5}, "5 is not a string or an array of strings - 'type'"),
        ({"minItems": 10**9, "type": "array"}, "1000000000 is not a whole number from 0 to 65536"),
        (
            {"minItems": 9_999, "items": {"type": "array", "minItems": 9_999}, "type": "array"},
            "it asks for more than 65536 values",
        ),
        ({"multipleOf": 0, "type": "number"}, "0 is not a number above 0 - 'multipleOf'"),
        ({"multipleOf": 5e-324, "minimum": 1e9, "type": "number"}, "its numbers are too large or too small"),
    ],
)
def test_a_schema_that_is_none_is_refused_with_what_is_wrong_and_where(
    client: Client, member: Any, said: str
) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "s", "schema": member}}
    tool = {
        "type": "function",
        "function": {"name": "look", "parameters": {"required": ["a"], **_in(member)}},
    }
    for body, where in [
        ({"response_format": wanted}, "response_format.json_schema.schema"),
        ({"tools": [tool]}, "tools: parameters of 'look'"),
    ]:
        response = client.chat(**body)
        assert response.status_code == 400
        assert response.json()["error"]["message"].startswith(f"Invalid schema in {where}: {said}")
        assert response.json()["error"]["param"] == next(iter(body))


def _in(member: Any) -> dict[str, Any]:
    return {"properties": {"a": member}}


@pytest.mark.parametrize("pattern", ["[", r"\p{L}+", "a{99999999999}"])
def test_a_pattern_that_python_cannot_read_is_no_fault_of_the_request(client: Client, pattern: str) -> None:
    schema = {"type": "string", "pattern": pattern}
    wanted = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    said = client.chat("Hello", response_format=wanted).json()["choices"][0]["message"]["content"]
    assert said == '"Hello"'


def test_a_schema_that_requires_itself_without_an_end_is_refused(client: Client) -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    response = client.chat(
        response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    )
    assert response.status_code == 400
    assert "nested too deep" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"tools": [LOOK], "tool_choice": {"type": "function", "function": "a"}}, "names None"),
        ({"tools": [LOOK], "tool_choice": {"type": "function", "function": {"name": []}}}, "names []"),
        ({"messages": [*MESSAGES[:3], {**MESSAGES[3], "tool_call_id": [1]}]}, "must be a response to"),
        ({"messages": [{"role": "user", "content": [{"type": ["text"]}]}]}, "item type in content"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": "data:;base64,é"}]}
                ]
            },
            "base64 cannot be decoded",
        ),
    ],
)
def test_a_member_of_a_wrong_kind_is_refused_with_its_place(client: Client, body: Any, said: str) -> None:
    response = client.chat(**body)
    assert response.status_code == 400
    assert said in response.json()["error"]["message"]


def test_half_of_a_surrogate_pair_is_no_text(client: Client) -> None:
    for text, status in [("\ud83d", 400), ("\N{GRINNING FACE}", 200)]:
        body = json.dumps({"model": "coder-model", "messages": [{"role": "user", "content": text}]})
        response = client.http.post("/v1/chat/completions", content=body, headers=KEY)
        assert response.status_code == status
        if status == 400:
            assert response.json()["error"]["message"] == "The request body must be a JSON object"
