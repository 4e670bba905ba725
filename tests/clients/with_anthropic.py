"""The anthropic SDK against the proxy's `/v1/messages`."""

from __future__ import annotations

from typing import Any

import anthropic
import kit
from pydantic import BaseModel

client = anthropic.Anthropic(base_url=kit.PROXY_URL, api_key=kit.PROXY_KEY, max_retries=0)
TOOLS: Any = [
    {
        "name": "get_weather",
        "description": "Get the weather in a city.",
        "input_schema": kit.WEATHER_PARAMETERS,
    }
]


class City(BaseModel):
    name: str
    districts: int


def ask(messages: Any, model: str = kit.PROXY_MODEL, **more: Any) -> Any:
    return client.messages.create(model=model, max_tokens=500, messages=messages, **more)


def text_of(answer: Any) -> str:
    return "".join(block.text for block in answer.content if block.type == "text")


def chat() -> None:
    answer = ask([{"role": "user", "content": kit.PROMPT}])
    kit.holds(text_of(answer), kit.ECHO)
    assert answer.usage.output_tokens > 0


def stream() -> None:
    messages: Any = [{"role": "user", "content": kit.PROMPT}]
    with client.messages.stream(model=kit.PROXY_MODEL, max_tokens=500, messages=messages) as events:
        kit.pieces(list(events.text_stream), kit.ECHO)
        assert events.get_final_message().usage.output_tokens > 0


def tools() -> None:
    messages: list[Any] = [{"role": "user", "content": kit.TOOL_PROMPT}]
    first = ask(messages, tools=TOOLS)
    assert first.stop_reason == "tool_use"
    messages.append({"role": "assistant", "content": [block.model_dump() for block in first.content]})
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": kit.get_weather(**block.input)}
        for block in first.content
        if block.type == "tool_use"
    ]
    messages.append({"role": "user", "content": results})
    last = ask(messages, tools=TOOLS)
    kit.tool_was_called()
    kit.holds(text_of(last), kit.WEATHER)


def structured() -> str:
    answer = client.messages.parse(
        model=kit.PROXY_MODEL,
        max_tokens=500,
        messages=[{"role": "user", "content": kit.SCHEMA_PROMPT}],
        output_format=City,
    )
    assert answer.parsed_output == City(name="Lima", districts=43), answer
    return ""


def image() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": kit.png_base64()}
    content = [{"type": "image", "source": source}, {"type": "text", "text": kit.IMAGE_PROMPT}]
    answer = ask([{"role": "user", "content": content}], model=kit.PROXY_VISION_MODEL)
    kit.holds(text_of(answer), kit.IMAGE_SEEN)


kit.report(["anthropic"], chat=chat, stream=stream, tools=tools, structured=structured, image=image)
