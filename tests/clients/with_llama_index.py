"""llama-index-llms-litellm in one process with the plugin."""

from __future__ import annotations

import asyncio

import kit
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.litellm import LiteLLM
from pydantic import BaseModel

import litellm_qwen_ai  # noqa: F401  # registers the route


class City(BaseModel):
    """A city."""

    name: str
    districts: int


llm = LiteLLM(model=kit.MODEL)


def chat() -> None:
    answer = llm.chat([ChatMessage(role="user", content=kit.PROMPT)])
    kit.holds(answer.message.content, kit.ECHO)


def stream() -> None:
    chunks = llm.stream_chat([ChatMessage(role="user", content=kit.PROMPT)])
    kit.pieces([chunk.delta or "" for chunk in chunks], kit.ECHO)


def tools() -> str:
    async def run() -> str:
        agent = FunctionAgent(tools=[FunctionTool.from_defaults(kit.get_weather)], llm=llm)
        return str(await agent.run(kit.TOOL_PROMPT))

    answer = asyncio.run(run())
    kit.tool_was_called()
    kit.holds(answer, kit.WEATHER)
    return "`FunctionAgent`"


def structured() -> None:
    found = llm.as_structured_llm(City).chat([ChatMessage(role="user", content=kit.SCHEMA_PROMPT)])
    assert found.raw == City(name="Lima", districts=43), found.raw


def image() -> None:
    blocks = [TextBlock(text=kit.IMAGE_PROMPT), ImageBlock(image=kit.png(), image_mimetype="image/png")]
    answer = LiteLLM(model=kit.VISION_MODEL).chat([ChatMessage(role="user", blocks=blocks)])
    kit.holds(answer.message.content, kit.IMAGE_SEEN)


kit.report(
    ["llama-index-llms-litellm", "llama-index-core", "litellm"],
    chat=chat,
    stream=stream,
    tools=tools,
    structured=structured,
    image=image,
)
