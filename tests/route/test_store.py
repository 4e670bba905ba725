"""Which Redis of a proxy's configuration is meant by `QWEN_STORE=litellm`."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_qwen_ai.route.store import _named_in

OWN, CACHE = {"host": "own"}, {"host": "cache"}
GENERAL = {"general_settings": {"coordination_redis": OWN}}
CACHED = {"litellm_settings": {"cache": True, "cache_params": CACHE}}
ROUTER = {"router_settings": {"redis_host": "router", "redis_port": 1, "num_retries": 2}}


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({**GENERAL, **CACHED, **ROUTER}, OWN),
        ({**CACHED, **ROUTER}, CACHE),
        (ROUTER, {"host": "router", "port": 1}),
        (
            {"router_settings": {**ROUTER["router_settings"], "cache_kwargs": {"port": 2}}},
            {"host": "router", "port": 2},
        ),
        ({"router_settings": {"redis_url": "redis://router"}}, {"url": "redis://router"}),
        ({"router_settings": {"redis_host": "router"}}, {}),
        ({"litellm_settings": {"cache": False, "cache_params": CACHE}}, {}),
        ({"litellm_settings": {"cache": True, "cache_params": {"type": "local"}}}, {}),
        ({"general_settings": None, "litellm_settings": [], "router_settings": {}}, {}),
    ],
)
def test_the_first_of_litellms_places_that_names_one_is_taken(
    config: dict[str, Any], named: dict[str, Any]
) -> None:
    assert _named_in(config) == named
