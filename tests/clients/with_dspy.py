"""dspy in one process with the plugin."""

from __future__ import annotations

import asyncio
from typing import Any

import dspy
import kit

import litellm_qwen_ai  # noqa: F401  # registers the route

lm = dspy.LM(kit.MODEL, cache=False)
dspy.configure(lm=lm, adapter=dspy.JSONAdapter())


class City(dspy.Signature):
    """Say what the text tells of a city."""

    text: str = dspy.InputField()
    districts: int = dspy.OutputField()


def chat() -> str:
    kit.holds(lm(kit.PROMPT)[0], kit.ECHO)
    return "`dspy.LM`"


def stream() -> str:
    listener = dspy.streaming.StreamListener(signature_field_name="answer")
    program = dspy.streamify(dspy.Predict("question -> answer"), stream_listeners=[listener])

    async def collect() -> tuple[list[str], Any]:
        found, last = [], None
        async for one in program(question=kit.PROMPT):
            if isinstance(one, dspy.streaming.StreamResponse):
                found.append(one.chunk)
            else:
                last = one
        return found, last

    found, last = asyncio.run(collect())
    kit.pieces(found, kit.ECHO)
    kit.holds(last.answer, kit.ECHO)
    return "`dspy.streamify`"


def tools() -> str:
    with dspy.context(adapter=dspy.ChatAdapter(use_native_function_calling=True)):
        # One round, then dspy has the model submit. That answer is made of the prompt: the kit looks for the
        # tool's result in what the sandbox received.
        agent = dspy.ReActV2("question -> answer", tools=[kit.get_weather], max_iters=1)
        found = agent(question=kit.TOOL_PROMPT)
    kit.tool_was_called(alone=False)  # the sandbox takes dspy's own marks for the name of one more city
    kit.holds(found.termination_reason, "submit")
    return "`dspy.ReActV2` with native function calls"


def structured() -> None:
    found = dspy.Predict(City)(text=kit.SCHEMA_PROMPT)
    assert found.districts == 43, found


def image() -> str:
    with dspy.context(lm=dspy.LM(kit.VISION_MODEL, cache=False)):
        found = dspy.Predict("picture: dspy.Image -> description")(picture=dspy.Image(kit.png_url()))
    assert found.description  # words of the prompt; the kit looks for the picture in the request
    return "`dspy.Image`"


kit.report(["dspy", "litellm"], chat=chat, stream=stream, tools=tools, structured=structured, image=image)
