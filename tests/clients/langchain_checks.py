"""What every LangChain chat model is asked, whichever package it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kit
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable


class City(BaseModel):
    """A city."""

    name: str
    districts: int


weather = tool(kit.get_weather)


def run(packages: list[str], model: Any, vision_model: Any) -> None:
    """Ask a chat model for everything, and report."""
    functions: dict[str, Callable[[], str | None]] = {
        "chat": lambda: _chat(model),
        "stream": lambda: _stream(model),
        "tools": lambda: _tools(model),
        "structured": lambda: _structured(model),
        "image": lambda: _image(vision_model),
    }
    kit.report(packages, **functions)


def _chat(model: Any) -> None:
    answer = model.invoke(kit.PROMPT)
    kit.holds(answer.content, kit.ECHO)
    assert answer.usage_metadata["total_tokens"] > 0


def _stream(model: Any) -> None:
    kit.pieces([chunk.content for chunk in model.stream(kit.PROMPT)], kit.ECHO)


def _tools(model: Any) -> None:
    able = model.bind_tools([weather])
    messages: list[Any] = [HumanMessage(kit.TOOL_PROMPT)]
    first = able.invoke(messages)
    messages.append(first)
    messages += [
        ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in first.tool_calls
    ]
    last = able.invoke(messages)
    kit.tool_was_called()
    kit.holds(last.content, kit.WEATHER)


def _structured(model: Any) -> None:
    found = model.with_structured_output(City).invoke(kit.SCHEMA_PROMPT)
    assert found == City(name="Lima", districts=43), found


def _image(model: Any) -> None:
    picture = {"type": "image", "base64": kit.png_base64(), "mime_type": "image/png"}
    answer = model.invoke([HumanMessage([{"type": "text", "text": kit.IMAGE_PROMPT}, picture])])
    kit.holds(answer.content, kit.IMAGE_SEEN)
