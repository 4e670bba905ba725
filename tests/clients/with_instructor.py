"""instructor in one process with the plugin."""

from __future__ import annotations

import asyncio
from typing import Any

import instructor
import kit
import litellm
from pydantic import BaseModel

import litellm_qwen_ai  # noqa: F401  # registers the route


class City(BaseModel):
    name: str
    districts: int


LIMA = {"name": "Lima", "districts": 43}


def ask(mode: instructor.Mode, prompt: Any, model: str = kit.MODEL, wanted: Any = City, **more: Any) -> Any:
    client = instructor.from_litellm(litellm.completion, mode=mode)
    return client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": prompt}],
        response_model=wanted,
        max_retries=1,
        **more,
    )


def chat() -> None:
    answer = ask(instructor.Mode.TOOLS, kit.PROMPT, wanted=None)
    kit.holds(answer.choices[0].message.content, kit.ECHO)


def stream() -> str:
    async def collect() -> list[Any]:
        client = instructor.from_litellm(litellm.acompletion, mode=instructor.Mode.TOOLS)
        found = client.create_partial(
            model=kit.MODEL,
            messages=[{"role": "user", "content": kit.SCHEMA_PROMPT}],
            response_model=City,
        )
        return [one async for one in found]

    partials = asyncio.run(collect())
    assert len(partials) > 1, partials
    assert partials[-1].model_dump() == LIMA, partials[-1]
    return "partial objects, with `acompletion`"


def tools() -> None:
    raise kit.NotOfferedError("uses tools to get structured output, but runs none")


def structured() -> str:
    worked = []
    for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA):
        found = ask(mode, kit.SCHEMA_PROMPT)
        assert found.model_dump() == LIMA, (mode, found)
        worked.append(f"`{mode.name}`")
    return f"modes {', '.join(worked)}"


def image() -> None:
    class Picture(BaseModel):
        description: str

    content = [kit.IMAGE_PROMPT, instructor.Image.from_base64(kit.png_url())]
    answer = ask(instructor.Mode.TOOLS, content, model=kit.VISION_MODEL, wanted=None)
    kit.holds(answer.choices[0].message.content, kit.IMAGE_SEEN)


kit.report(
    ["instructor", "litellm"], chat=chat, stream=stream, tools=tools, structured=structured, image=image
)
