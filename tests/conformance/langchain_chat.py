"""LangChain's standard tests, told which models to ask: run.py says where they are in the environment."""

from __future__ import annotations

import os
from typing import Any

from langchain_litellm import ChatLiteLLM
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

import litellm_qwen_ai  # noqa: F401  # registers the route

MODEL = os.environ["CONFORMANCE_MODEL"]
PROXY_URL = os.environ["CONFORMANCE_PROXY_URL"]
PROXY_KEY = os.environ["CONFORMANCE_PROXY_KEY"]
WHERE = {
    name: value
    for name, value in {
        "api_base": os.environ["CONFORMANCE_API_BASE"],
        "api_key": os.environ["CONFORMANCE_API_KEY"],
    }.items()
    if value
}


class _Qwen(ChatModelIntegrationTests):
    """What a Qwen model can do, whichever client asks it."""

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return False

    @property
    def has_tool_choice(self) -> bool:
        return True

    @property
    def supports_model_override(self) -> bool:
        return True


class TestChatLiteLLM(_Qwen):
    @property
    def chat_model_class(self) -> type[ChatLiteLLM]:
        return ChatLiteLLM

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL, **WHERE}

    @property
    def model_override_value(self) -> str:
        return MODEL.replace("coder-model", "qwen3-coder-plus")


class TestChatOpenAI(_Qwen):
    @property
    def chat_model_class(self) -> type[ChatOpenAI]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": "coder-model",
            "base_url": f"{PROXY_URL}/v1",
            "api_key": PROXY_KEY,
            "max_retries": 0,
            "stream_usage": True,
        }

    @property
    def model_override_value(self) -> str:
        return "qwen3-coder-plus"
