"""Configurations of examples/ in LiteLLM's Router, to which a proxy hands them; tests/proxy runs proxies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import litellm
import pytest
import yaml
from litellm.types.router import RouterRateLimitError

from litellm_qwen_ai.sandbox import Sandbox

EXAMPLES = Path(__file__).parents[2] / "examples"
MESSAGES = [{"role": "user", "content": "ping"}]

MakeRouter = Callable[..., litellm.Router]


@pytest.mark.usefixtures("login")
def test_each_alias_reaches_qwen_with_its_settings(sandbox: Sandbox, make_router: MakeRouter) -> None:
    asked = {
        "coder-model": {},
        "coder-model-thinking": {"enable_thinking": True},
        "coder-model-search": {"enable_search": True},
        "coder-model-thinking-search": {"enable_thinking": True, "enable_search": True},
        "qwen3.5-plus": {},
    }
    deployments = yaml.safe_load((EXAMPLES / "aliases.yaml").read_text())["model_list"]
    assert [entry["model_name"] for entry in deployments] == list(asked)
    router = make_router(*deployments)
    for name, settings in asked.items():
        sandbox.clear()
        assert "ping" in router.completion(name, messages=MESSAGES).choices[0].message.content
        (request,) = sandbox.requests_to("chat")
        body = request.json
        assert body["model"] == "coder-model"
        assert {key: body[key] for key in body if key.startswith("enable_")} == settings
        assert not request.unknown_keys


@pytest.mark.usefixtures("own_loop")
async def test_rpm_of_router_yaml_is_a_limit_for_each_account(accounts: Any, make_router: MakeRouter) -> None:
    config = yaml.safe_load((EXAMPLES / "router.yaml").read_text().replace("rpm: 60", "rpm: 2"))
    router = make_router(*config["model_list"], **config["router_settings"])
    for _ in range(8):
        with contextlib.suppress(litellm.RateLimitError, RouterRateLimitError):
            await router.acompletion("coder-model", messages=MESSAGES)
    # A minute may end in between: then each account has its two again.
    asked = accounts.asked()
    assert len(asked) < 8
    assert max(asked.count(name) for name in ("alice", "bob")) <= 4
    assert set(asked) == {"alice", "bob"}
