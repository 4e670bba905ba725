"""Where the fuzzer begins: every answer that the sandbox knows, as input of each target."""

from __future__ import annotations

import json
from pathlib import Path

from fuzz.targets import STATUSES

from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.sandbox.answer_table import ANSWERS
from litellm_qwen_ai.sandbox.compose import compose
from litellm_qwen_ai.sandbox.faults import stream_reply

LONGEST = 2048  # bytes of one input: more only makes the search slower
_CALL = {"model": "coder-model", "messages": [{"role": "user", "content": "hi"}]}
_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
_LOGIN = {
    "access_token": "a",
    "refresh_token": "r",
    "token_type": "Bearer",
    "expiry_date": 1,
    "resource_url": "portal.qwen.ai",
    "other": [1.5],
}
WORDS = (
    "data: ",
    "data:",
    "event:error",
    "event: ",
    "id:1",
    ":HTTP_STATUS/429",
    "retry: 1",
    "[DONE]",
    "\n\n",
    "\r\n",
    "\ufeff",
    '{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}',
    '"usage":{',
    '"finish_reason":"stop"',
    '"error_finish"',
    '"tool_calls":[{"index":0,"id":"c","function":{"name":"f",',
    '"arguments":"{',
    '"reasoning_content":',
    '"logprobs":{"content":[',
    '"error":{"message":"',
    '"code":"',
    '"invalid_api_key"',
    '"insufficient_quota"',
    "\\ud800",
    "1e999",
    "NaN",
    "null",
    "true",
    "<html><title>",
    '"access_token":"',
    '"refresh_token":"',
    '"expires_in":',
    '"resource_url":"',
    '"device_code":"',
    '"user_code":"',
    '"verification_uri":"https://',
    '"error":"slow_down"',
    '"error":"invalid_grant"',
    "made-up-secret-0123456789",
    "Bearer ",
    "Mon, 01 Jan 2035 00:00:00 GMT",
    "[[[[[[[[",
    '{"a":{"a":{"a":',
)


def seeds() -> dict[str, list[bytes]]:
    """Inputs by target."""
    found: dict[str, list[bytes]] = {"stream": [], "credentials": [], "oauth": [], "errors": []}
    for reader, endpoint in enumerate(("device", "token", "refresh")):
        for answer in ANSWERS[endpoint].values():
            if answer.fixed:
                found["oauth"].append(_input(bytes([reader]), answer.status, answer.reply().body))
    with Sandbox() as sandbox:
        tokens = json.dumps(sandbox.issue_tokens()).encode()
    found["oauth"] += [_input(bytes([reader]), 200, tokens) for reader in (1, 2)]
    completion = compose({**_CALL, "tools": [_TOOL], "tool_choice": "required"}, created=1, cached_tokens=0)
    for name, answer in ANSWERS["chat"].items():
        if answer.fixed:
            found["errors"].append(_input(b"", answer.status, answer.reply().body))
            found["stream"].append(b"\0" + answer.reply().body)
        elif answer.fault is not None:
            whole = stream_reply(completion, include_usage=True, fault=name).body
            found["stream"].append(b"\x07" + whole[: LONGEST // 2] + whole[-LONGEST // 3 :])
    found["credentials"] += [
        json.dumps({**_LOGIN, name: value}).encode() for name in _LOGIN for value in (None, "", 7)
    ]
    return {target: [one[:LONGEST] for one in inputs] for target, inputs in found.items()}


def dictionary() -> str:
    """The words, in the form of libFuzzer's dictionaries."""
    escaped = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in WORDS)
    return "".join(f'"{word}"\n' for word in escaped)


def corpus(folder: Path) -> list[Path]:
    """The inputs that are kept in the repository."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _input(head: bytes, status: int, body: bytes) -> bytes:
    at = STATUSES.index(status) if status in STATUSES else 0
    return head + bytes([at]) + b"3\0" + body
