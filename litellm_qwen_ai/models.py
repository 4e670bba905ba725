"""The catalogue: one table of data. route/host.py tells it to LiteLLM.

Limits are those of qwen-code's model table and Alibaba Cloud Model Studio's pages. Any other model
name passes through to the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litellm_qwen_ai.names import PROVIDER


@dataclass(frozen=True, slots=True)
class Model:
    """One model of the catalogue; limits in tokens."""

    name: str
    max_input_tokens: int
    max_output_tokens: int
    description: str
    vision: bool = False
    video: bool = False
    tools: bool = True
    reasoning: bool = False
    response_schema: bool = True

    @property
    def route(self) -> str:
        """The name LiteLLM knows it by, e.g. `qwen_ai/coder-model`."""
        return f"{PROVIDER}/{self.name}"

    def model_info(self) -> dict[str, Any]:
        """The entry for `litellm.register_model`; a login costs nothing per token, so each price is 0."""
        return {
            "litellm_provider": PROVIDER,
            "mode": "chat",
            "max_tokens": self.max_output_tokens,
            "max_input_tokens": self.max_input_tokens,
            "max_output_tokens": self.max_output_tokens,
            "input_cost_per_token": 0.0,
            "output_cost_per_token": 0.0,
            "cache_read_input_token_cost": 0.0,
            "cache_creation_input_token_cost": 0.0,
            "supports_system_messages": True,
            "supports_vision": self.vision,
            "supports_video_input": self.video,
            "supports_function_calling": self.tools,
            "supports_parallel_function_calling": self.tools,
            "supports_tool_choice": self.tools,
            "supports_response_schema": self.response_schema,
            "supports_reasoning": self.reasoning,
            "supports_web_search": True,
            "supports_prompt_caching": True,
        }


CATALOGUE: tuple[Model, ...] = (
    Model(
        "coder-model",
        max_input_tokens=1_000_000,
        max_output_tokens=65_536,
        description="the general model of a login",
        vision=True,
        video=True,
        reasoning=True,
    ),
    Model(
        "vision-model",
        max_input_tokens=131_072,
        max_output_tokens=8_192,
        description="questions about images",
        vision=True,
        tools=False,
    ),
    Model(
        "qwen3-coder-plus",
        max_input_tokens=1_000_000,
        max_output_tokens=65_536,
        description="code and agents",
    ),
    Model(
        "qwen3-coder-flash",
        max_input_tokens=1_000_000,
        max_output_tokens=65_536,
        description="code and agents, faster",
    ),
)
