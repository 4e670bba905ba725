"""The openai SDK against the proxy."""

from __future__ import annotations

import json
from typing import Any

import kit
import openai
from pydantic import BaseModel

client = openai.OpenAI(base_url=f"{kit.PROXY_URL}/v1", api_key=kit.PROXY_KEY, max_retries=0)
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the weather in a city.",
            "parameters": kit.WEATHER_PARAMETERS,
        },
    }
]


class City(BaseModel):
    name: str
    districts: int


def asked(text: Any) -> Any:
    return [{"role": "user", "content": text}]


def chat() -> str:
    answer = client.chat.completions.create(model=kit.PROXY_MODEL, messages=asked(kit.PROMPT))
    kit.holds(answer.choices[0].message.content, kit.ECHO)
    assert answer.usage
    assert answer.usage.total_tokens > 0
    response = client.responses.create(model=kit.PROXY_MODEL, input=kit.PROMPT)
    kit.holds(response.output_text, kit.ECHO)
    return "chat completions and responses"


def stream() -> str:
    chunks = client.chat.completions.create(
        model=kit.PROXY_MODEL, messages=asked(kit.PROMPT), stream=True, stream_options={"include_usage": True}
    )
    found = list(chunks)
    kit.pieces([chunk.choices[0].delta.content or "" for chunk in found if chunk.choices], kit.ECHO)
    assert [chunk for chunk in found if chunk.usage], "no chunk had the usage"
    with client.responses.stream(model=kit.PROXY_MODEL, input=kit.PROMPT) as events:
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    kit.pieces(deltas, kit.ECHO)
    return "chat completions and responses"


def tools() -> None:
    messages = asked(kit.TOOL_PROMPT)
    first = client.chat.completions.create(model=kit.PROXY_MODEL, messages=messages, tools=TOOLS)
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    messages.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls or []:
        result = kit.get_weather(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    last = client.chat.completions.create(model=kit.PROXY_MODEL, messages=messages, tools=TOOLS)
    kit.tool_was_called()
    kit.holds(last.choices[0].message.content, kit.WEATHER)


def structured() -> None:
    answer = client.chat.completions.parse(
        model=kit.PROXY_MODEL, messages=asked(kit.SCHEMA_PROMPT), response_format=City
    )
    assert answer.choices[0].message.parsed == City(name="Lima", districts=43)


def image() -> None:
    content = [
        {"type": "text", "text": kit.IMAGE_PROMPT},
        {"type": "image_url", "image_url": {"url": kit.png_url()}},
    ]
    answer = client.chat.completions.create(model=kit.PROXY_VISION_MODEL, messages=asked(content))
    kit.holds(answer.choices[0].message.content, kit.IMAGE_SEEN)


kit.report(["openai"], chat=chat, stream=stream, tools=tools, structured=structured, image=image)
