"""smolagents in one process with the plugin."""

from __future__ import annotations

import io
from typing import Any

import kit
import PIL.Image
from smolagents import ChatMessage, LiteLLMModel, MessageRole, ToolCallingAgent, tool

import litellm_qwen_ai  # noqa: F401  # registers the route

model = LiteLLMModel(model_id=kit.MODEL)


@tool
def get_weather(city: str) -> str:
    """Get the weather in a city.

    Args:
        city: The name of the city.
    """
    # The agent hands results over as a user's words: these lead the sandbox to the tool that ends the run.
    return f"Final answer: {kit.get_weather(city)}"


def asked(*content: Any) -> list[ChatMessage]:
    return [ChatMessage(role=MessageRole.USER, content=list(content))]


def chat() -> None:
    answer = model.generate(asked({"type": "text", "text": kit.PROMPT}))
    kit.holds(answer.content, kit.ECHO)
    assert answer.token_usage
    assert answer.token_usage.output_tokens > 0


def stream() -> None:
    deltas = model.generate_stream(asked({"type": "text", "text": kit.PROMPT}))
    kit.pieces([delta.content or "" for delta in deltas], kit.ECHO)


def tools() -> str:
    agent = ToolCallingAgent(tools=[get_weather], model=model, max_steps=3)
    answer = agent.run(kit.TOOL_PROMPT)
    kit.tool_was_called()
    kit.holds(answer, kit.WEATHER)
    return "`ToolCallingAgent`"


def structured() -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "districts": {"type": "integer"}},
        "required": ["name", "districts"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema, "strict": True}}
    answer = model.generate(asked({"type": "text", "text": kit.SCHEMA_PROMPT}), response_format=wanted)
    kit.holds(answer.content, '"Lima"', "43")


def image() -> None:
    picture = PIL.Image.open(io.BytesIO(kit.png()))
    seeing = LiteLLMModel(model_id=kit.VISION_MODEL, flatten_messages_as_text=False)
    answer = seeing.generate(
        asked({"type": "text", "text": kit.IMAGE_PROMPT}, {"type": "image", "image": picture})
    )
    kit.holds(answer.content, kit.IMAGE_SEEN)


kit.report(
    ["smolagents", "litellm"], chat=chat, stream=stream, tools=tools, structured=structured, image=image
)
