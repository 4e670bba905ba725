"""Several questions at once."""

import asyncio

import litellm

import litellm_qwen_ai  # noqa: F401  # registers the route qwen_ai/


async def ask(question: str) -> str:
    """Ask one question."""
    response = await litellm.acompletion(
        model="qwen_ai/qwen3-coder-flash",
        messages=[{"role": "user", "content": question}],
    )
    return response.choices[0].message.content


async def main() -> None:
    """Ask three questions at the same time."""
    for answer in await asyncio.gather(*(ask(f"What is {n} squared?") for n in (3, 4, 5))):
        print(answer)


asyncio.run(main())
