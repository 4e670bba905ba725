"""google-adk with LiteLlm, in one process with the plugin."""

from __future__ import annotations

import asyncio
from typing import Any

import kit
from google.adk.agents import Agent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.genai import types
from pydantic import BaseModel

import litellm_qwen_ai  # noqa: F401  # registers the route


class City(BaseModel):
    """A city."""

    name: str
    districts: int


def ask(*parts: types.Part, model: str = kit.MODEL, streaming: bool = False, **more: Any) -> list[Any]:
    """Run an agent once; return its events."""

    async def run() -> list[Any]:
        agent = Agent(name="helper", model=LiteLlm(model=model), instruction="You help.", **more)
        runner = InMemoryRunner(agent=agent, app_name="clients")
        session = await runner.session_service.create_session(app_name="clients", user_id="me")
        mode = StreamingMode.SSE if streaming else StreamingMode.NONE
        events = runner.run_async(
            user_id="me",
            session_id=session.id,
            new_message=types.Content(role="user", parts=list(parts)),
            run_config=RunConfig(streaming_mode=mode),
        )
        found = [event async for event in events]
        errors = [event.error_message for event in found if event.error_code]
        assert not errors, errors
        return found

    return asyncio.run(run())


def text_of(event: Any) -> str:
    parts = event.content.parts if event.content else []
    return "".join(part.text or "" for part in parts or [])


def chat() -> None:
    kit.holds(text_of(ask(types.Part(text=kit.PROMPT))[-1]), kit.ECHO)


def stream() -> None:
    events = ask(types.Part(text=kit.PROMPT), streaming=True)
    kit.pieces([text_of(event) for event in events if event.partial], kit.ECHO)


def tools() -> None:
    events = ask(types.Part(text=kit.TOOL_PROMPT), tools=[kit.get_weather])
    kit.tool_was_called()
    kit.holds(text_of(events[-1]), kit.WEATHER)


def structured() -> None:
    events = ask(types.Part(text=kit.SCHEMA_PROMPT), output_schema=City)
    assert City.model_validate_json(text_of(events[-1])) == City(name="Lima", districts=43)


def image() -> None:
    picture = types.Part.from_bytes(data=kit.png(), mime_type="image/png")
    events = ask(types.Part(text=kit.IMAGE_PROMPT), picture, model=kit.VISION_MODEL)
    kit.holds(text_of(events[-1]), kit.IMAGE_SEEN)


kit.report(
    ["google-adk", "litellm"], chat=chat, stream=stream, tools=tools, structured=structured, image=image
)
