"""The Redis that a LiteLLM proxy's config names, for `QWEN_STORE=litellm`."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.route.private_names import PROXY_SERVER, look_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litellm_qwen_ai.settings import Pairs

#: LiteLLM's names for what its `REDIS_` variables call otherwise.
_VARIABLES = {"startup_nodes": "cluster_nodes"}
_PATIENCE, _STEP = 30.0, 0.1  # seconds
_last: tuple[Any, Pairs, Pairs] = (None, (), ())  # a config, what the variables said, what came of both


def redis_as_litellm_has_it(variables: Pairs) -> Pairs:
    """What LiteLLM makes of its `REDIS_` variables and its proxy's config, once that has been read.

    Which of them wins is LiteLLM's to say, so its own function is asked.

    Args:
        variables: Names without `REDIS_`, in lower case, with their values.
    """
    global _last  # noqa: PLW0603  # a process runs one proxy; asked at each call, so it is remembered
    config = _config()
    if not config:
        return variables
    known, said, found = _last
    if known is not config or said != variables:
        found = _resolved(_named_in(config), variables)
        _last = config, variables, found
    return found


def wait_for_config() -> None:
    """Wait, in a thread that may, until the proxy has read its config; not for long, as it may have none."""
    until = time.monotonic() + _PATIENCE
    while not _config() and time.monotonic() < until:
        time.sleep(_STEP)


def _config() -> Any:
    return getattr(getattr(sys.modules.get(PROXY_SERVER), "proxy_config", None), "config", None)


def _named_in(config: Mapping[str, Any]) -> dict[str, Any]:
    """The connection that a config names, in LiteLLM's order; nothing if it names none."""
    own = _section(config, "general_settings").get("coordination_redis")
    if isinstance(own, dict):
        return own
    cache = _section(config, "litellm_settings")
    params = cache.get("cache_params")
    if cache.get("cache") is True and isinstance(params, dict) and params.get("type", "redis") == "redis":
        return params
    router = _section(config, "router_settings")
    if router.get("redis_url") or (router.get("redis_host") and router.get("redis_port")):
        named = {name.removeprefix("redis_"): router[name] for name in router if name.startswith("redis_")}
        more = router.get("cache_kwargs")
        return {**named, **more} if isinstance(more, dict) else named
    return {}


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _resolved(named: dict[str, Any], variables: Pairs) -> Pairs:
    resolve = look_up("litellm._redis._get_redis_client_logic")
    if not named or resolve is None:
        return variables
    try:
        options = resolve(**{name: value for name, value in named.items() if value is not None})
    except Exception:  # noqa: BLE001  # it names no server, or not so that LiteLLM can use it: the log says so
        return variables
    return tuple(
        sorted(
            (_VARIABLES.get(name, name), value if isinstance(value, str) else json.dumps(value))
            for name, value in options.items()
            if isinstance(value, (str, int, float, list)) and value != ""
        )
    )
