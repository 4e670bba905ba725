"""crewai in one process with the plugin."""

from __future__ import annotations

from typing import Any

import kit
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool
from pydantic import BaseModel

import litellm_qwen_ai  # noqa: F401  # registers the route


class City(BaseModel):
    """A city."""

    name: str
    districts: int


def llm(model: str = kit.MODEL, **more: Any) -> LLM:
    return LLM(model=model, is_litellm=True, **more)


def chat() -> None:
    kit.holds(llm().call(kit.PROMPT), kit.ECHO)


def stream() -> str:
    from crewai.events import LLMStreamChunkEvent, crewai_event_bus  # noqa: PLC0415  # only this one needs it

    found: list[str] = []

    @crewai_event_bus.on(LLMStreamChunkEvent)
    def _note(_source: Any, event: LLMStreamChunkEvent) -> None:
        found.append(event.chunk)

    kit.holds(llm(stream=True).call(kit.PROMPT), kit.ECHO)
    crewai_event_bus.flush()
    kit.pieces(found)
    return "as events"


def tools() -> str:
    weather = tool("get_weather")(kit.get_weather)
    agent = Agent(role="Helper", goal="Help", backstory="You help.", llm=llm(), tools=[weather])
    task = Task(description=kit.TOOL_PROMPT, expected_output="The weather", agent=agent)
    answer = Crew(agents=[agent], tasks=[task]).kickoff()
    kit.tool_was_called(alone=False)  # the sandbox takes a word of crewai's own prompt for one more city
    kit.holds(answer.raw, kit.WEATHER)
    return "`Crew`"


def structured() -> None:
    found = llm().call(kit.SCHEMA_PROMPT, response_model=City)
    found = City.model_validate_json(found) if isinstance(found, str) else found
    assert found == City(name="Lima", districts=43), found


def image() -> None:
    content = [
        {"type": "text", "text": kit.IMAGE_PROMPT},
        {"type": "image_url", "image_url": {"url": kit.png_url()}},
    ]
    kit.holds(llm(kit.VISION_MODEL).call([{"role": "user", "content": content}]), kit.IMAGE_SEEN)


kit.report(["crewai", "litellm"], chat=chat, stream=stream, tools=tools, structured=structured, image=image)
