"""Which Redis `QWEN_STORE=litellm` means where LiteLLM's own proxy has read its config."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.litellm_version import NUMBERS

#: Reads one config after another as the proxy does, and says which store is meant then.
PROGRAM = """
import asyncio, json, sys
import litellm, litellm_qwen_ai
from litellm.proxy.proxy_server import proxy_config
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.redis.address import address_of

litellm_qwen_ai.register()
for path in sys.argv[1:]:
    asyncio.run(proxy_config.get_config(path))
    settings = Settings.from_environment()
    found = address_of(settings.store, dict(settings.litellm_redis))
    print("found", json.dumps([found.shown, found.options.get("password")]))
"""
ROUTER = {"redis_host": "router.example", "redis_port": 6380, "redis_password": "pass-1"}
CACHE = {"type": "redis", "host": "os.environ/MY_HOST", "port": 6381, "password": "pass-2", "ssl": True}
NODES = [{"host": "one.example", "port": 7000}, {"host": "two.example", "port": 7001}]
CASES: list[tuple[dict[str, Any], list[str | None]]] = [
    ({}, ["redis://variables.example:6379/0", "pass-0"]),
    ({"router_settings": ROUTER}, ["redis://router.example:6380/0", "pass-1"]),
    (
        {"router_settings": {"redis_url": "redis://:pass-3@url.example/2"}},
        ["redis://url.example:6379/2", "pass-3"],
    ),
    ({"router_settings": {"redis_host": "no-port.example"}}, ["redis://variables.example:6379/0", "pass-0"]),
    (
        {"litellm_settings": {"cache": True, "cache_params": CACHE}, "router_settings": ROUTER},
        ["rediss://cache.example:6381/0", "pass-2"],
    ),
    (
        {"litellm_settings": {"cache": False, "cache_params": CACHE}},
        ["redis://variables.example:6379/0", "pass-0"],
    ),
]
if NUMBERS >= (1, 102):  # before, what a cache does not name was not completed from the variables
    CASES += [
        (
            {"litellm_settings": {"cache": True, "cache_params": {"type": "redis", "port": 6382}}},
            ["redis://variables.example:6382/0", "pass-0"],
        ),
        (
            {"litellm_settings": {"cache": True, "cache_params": {"type": "redis", "startup_nodes": NODES}}},
            ["redis cluster one.example:7000,two.example:7001", "pass-0"],
        ),
    ]


@pytest.mark.proxy
def test_what_a_proxys_config_names_is_meant_as_litellm_means_it(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.yaml" for number in range(len(CASES))]
    for path, (config, _) in zip(paths, CASES, strict=True):
        path.write_text(json.dumps({"model_list": [], **config}))  # JSON is YAML
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("QWEN_", "REDIS_"))},
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "QWEN_STORE": "litellm",
        "QWEN_API_KEY": "sk-made-up",
        "REDIS_HOST": "variables.example",
        "REDIS_PASSWORD": "pass-0",
        "MY_HOST": "cache.example",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, paths)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = [line.partition(" ")[2] for line in done.stdout.splitlines() if line.startswith("found ")]
    assert [json.loads(line) for line in said] == [meant for _, meant in CASES]
