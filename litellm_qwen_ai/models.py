"""The catalogue: one table of data. route/host.py tells it to LiteLLM.

Limits are those of qwen-code's model table and Alibaba Cloud Model Studio's pages. Any other model
name passes through to the server.
"""

from __future__ import annotations

import re
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


@dataclass(frozen=True, slots=True)
class Family:
    """Models that think unless a call says otherwise."""

    names: str  # a pattern for whole names, in lower case; compiled by the first call, not by the import
    streams_only: bool = False  # so that a whole answer needs thinking turned off


#: Source: Model Studio's page "Deep thinking" (https://www.alibabacloud.com/help/en/model-studio/deep-thinking).
#: Older commercial models (qwen-plus, qwen3-max, ...) think only if told to; those that cannot do otherwise
#: (QwQ, `-thinking`) have no switch.
THINK_BY_DEFAULT: tuple[Family, ...] = (
    Family(r"coder-model"),  # a login's name for the newest Plus
    Family(r"qwen3-\d+(\.\d+)?b(-a\d+b)?", streams_only=True),  # open weights
    Family(r"(?!.*-(instruct|thinking)\b)qwen(3\.([5-9]|\d\d)|[4-9])(-.*)?"),  # Qwen3.5 and later
)


def thinks_by_default(model: str) -> Family | None:
    """The family of a model that thinks unless told not to; a hub's owner may stand before its name."""
    name = model.rpartition("/")[2].lower()
    return next((family for family in THINK_BY_DEFAULT if re.fullmatch(family.names, name)), None)


def is_ours(model: object, provider: object) -> bool:
    """Whether LiteLLM brings here what names this `model` and, if it does, this `custom_llm_provider`."""
    return provider == PROVIDER if provider else str(model).startswith(f"{PROVIDER}/")


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
