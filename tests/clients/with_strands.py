"""strands-agents with LiteLLMModel, in one process with the plugin."""

from __future__ import annotations

import asyncio
from typing import Any

import kit
from pydantic import BaseModel
from strands import Agent, tool
from strands.models.litellm import LiteLLMModel

import litellm_qwen_ai  # noqa: F401  # registers the route


class City(BaseModel):
    """A city."""

    name: str
    districts: int


def agent(model: str = kit.MODEL, **more: Any) -> Agent:
    return Agent(model=LiteLLMModel(model_id=model), callback_handler=None, **more)


def chat() -> None:
    kit.holds(agent()(kit.PROMPT), kit.ECHO)


def stream() -> None:
    async def collect() -> list[str]:
        return [event["data"] async for event in agent().stream_async(kit.PROMPT) if "data" in event]

    kit.pieces(asyncio.run(collect()), kit.ECHO)


def tools() -> None:
    answer = agent(tools=[tool(kit.get_weather)])(kit.TOOL_PROMPT)
    kit.tool_was_called()
    kit.holds(answer, kit.WEATHER)


def structured() -> None:
    answer = agent()(kit.SCHEMA_PROMPT, structured_output_model=City)
    assert answer.structured_output == City(name="Lima", districts=43), answer.structured_output


def image() -> None:
    picture = {"image": {"format": "png", "source": {"bytes": kit.png()}}}
    kit.holds(agent(kit.VISION_MODEL)([{"text": kit.IMAGE_PROMPT}, picture]), kit.IMAGE_SEEN)


kit.report(
    ["strands-agents", "litellm"], chat=chat, stream=stream, tools=tools, structured=structured, image=image
)
