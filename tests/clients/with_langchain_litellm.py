"""langchain-litellm in one process with the plugin."""

from __future__ import annotations

import kit
import langchain_checks
from langchain_litellm import ChatLiteLLM

import litellm_qwen_ai  # noqa: F401  # registers the route

langchain_checks.run(
    ["langchain-litellm", "langchain-core", "litellm"],
    ChatLiteLLM(model=kit.MODEL),
    ChatLiteLLM(model=kit.VISION_MODEL),
)
