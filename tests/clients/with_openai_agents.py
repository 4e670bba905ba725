"""openai-agents with LitellmModel, in one process with the plugin."""

from __future__ import annotations

import asyncio
from typing import Any

import kit
from agents import Agent, Runner, function_tool
from agents.extensions.models.litellm_model import LitellmModel
from pydantic import BaseModel

import litellm_qwen_ai  # noqa: F401  # registers the route


class City(BaseModel):
    name: str
    districts: int


def agent(model: str = kit.MODEL, **more: Any) -> Any:
    return Agent(name="Helper", instructions="You help.", model=LitellmModel(model=model), **more)


def chat() -> None:
    result = Runner.run_sync(agent(), kit.PROMPT)
    kit.holds(result.final_output, kit.ECHO)


def stream() -> None:
    async def collect() -> list[str]:
        result = Runner.run_streamed(agent(), kit.PROMPT)
        return [
            event.data.delta
            async for event in result.stream_events()
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
        ]

    kit.pieces(asyncio.run(collect()), kit.ECHO)


def tools() -> str:
    result = Runner.run_sync(agent(tools=[function_tool(kit.get_weather)]), kit.TOOL_PROMPT)
    kit.tool_was_called()
    kit.holds(result.final_output, kit.WEATHER)
    return ""


def structured() -> None:
    result = Runner.run_sync(agent(output_type=City), kit.SCHEMA_PROMPT)
    assert result.final_output == City(name="Lima", districts=43), result.final_output


def image() -> None:
    content = [
        {"type": "input_text", "text": kit.IMAGE_PROMPT},
        {"type": "input_image", "image_url": kit.png_url(), "detail": "auto"},
    ]
    result = Runner.run_sync(agent(kit.VISION_MODEL), [{"role": "user", "content": content}])
    kit.holds(result.final_output, kit.IMAGE_SEEN)


kit.report(
    ["openai-agents", "litellm"], chat=chat, stream=stream, tools=tools, structured=structured, image=image
)
