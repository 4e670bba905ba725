"""Which Redis of a proxy's configuration is meant by `QWEN_STORE=litellm`."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from litellm_qwen_ai.route import store
from litellm_qwen_ai.route.private_names import PROXY_SERVER
from litellm_qwen_ai.route.store import _named_in, redis_as_litellm_has_it, wait_for_config

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


VARIABLES = (("host", "of the variables"),)


def proxy(monkeypatch: pytest.MonkeyPatch, config: dict[str, Any] | None) -> None:
    """As far as this is about it: where LiteLLM's proxy keeps the config that it has read."""
    monkeypatch.setitem(
        sys.modules, PROXY_SERVER, SimpleNamespace(proxy_config=SimpleNamespace(config=config))
    )


def cached(**params: Any) -> dict[str, Any]:
    return {"litellm_settings": {"cache": True, "cache_params": params}}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (
            {"host": "h", "port": 1, "ssl": True, "username": "", "password": None, "db": 2},
            {"host": "h", "port": "1", "ssl": "true", "db": "2"},
        ),
        ({"startup_nodes": [{"host": "a", "port": 1}]}, {"cluster_nodes": '[{"host": "a", "port": 1}]'}),
        (
            {"sentinel_nodes": [["a", 1]], "service_name": "m"},
            {"sentinel_nodes": '[["a", 1]]', "service_name": "m"},
        ),
        ({"url": "redis://x"}, {"url": "redis://x"}),
    ],
)
def test_what_a_config_names_is_said_as_variables_say_it(
    monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], said: dict[str, str]
) -> None:
    proxy(monkeypatch, cached(**params))
    found = redis_as_litellm_has_it(VARIABLES)
    assert found == tuple(sorted(found))
    assert {**dict(found), "socket_timeout": ""} == {**said, "socket_timeout": ""}  # LiteLLM adds this one


@pytest.mark.parametrize(
    "config", [None, {}, {"litellm_settings": {}}, cached(type="local"), cached(host=None)]
)
def test_the_variables_count_where_a_config_names_nothing(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, Any] | None
) -> None:
    monkeypatch.delenv("REDIS_HOST", raising=False)
    proxy(monkeypatch, config)
    assert redis_as_litellm_has_it(VARIABLES) == VARIABLES


def test_what_was_made_of_a_config_is_remembered_until_it_or_a_variable_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = cached(host="h")
    proxy(monkeypatch, config)
    first = redis_as_litellm_has_it(VARIABLES)
    assert redis_as_litellm_has_it(VARIABLES) is first
    assert redis_as_litellm_has_it(()) == first
    assert redis_as_litellm_has_it(()) is not first
    proxy(monkeypatch, cached(host="i"))
    assert dict(redis_as_litellm_has_it(()))["host"] == "i"


def test_a_config_is_waited_for_until_it_is_there_and_for_half_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, naps = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        now[0] += seconds
        if len(naps) == comes_after:
            proxy(monkeypatch, {"a": 1})

    monkeypatch.setattr(store, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    comes_after = 3
    monkeypatch.delitem(sys.modules, PROXY_SERVER, raising=False)
    wait_for_config()
    assert naps == [0.1] * 3
    wait_for_config()
    assert len(naps) == 3
    proxy(monkeypatch, None)
    comes_after = 1000
    wait_for_config()
    assert sum(naps[3:]) == pytest.approx(30, abs=0.2)
