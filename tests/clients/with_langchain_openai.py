"""langchain-openai against the proxy."""

from __future__ import annotations

from typing import Any

import kit
import langchain_checks
from langchain_openai import ChatOpenAI


def model(name: str) -> Any:
    return ChatOpenAI(model=name, base_url=f"{kit.PROXY_URL}/v1", api_key=kit.PROXY_KEY, max_retries=0)


langchain_checks.run(
    ["langchain-openai", "langchain-core", "openai"], model(kit.PROXY_MODEL), model(kit.PROXY_VISION_MODEL)
)
