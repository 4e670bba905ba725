"""Every private name that the package leans on: what LiteLLM's documentation does not promise, and more.

`NAMES` says what is lost when a later version no longer has one. Whoever uses a name of LiteLLM's looks it up
here. tests/litellm/test_names.py looks for each in what is installed.
"""

from __future__ import annotations

import functools
import importlib
import logging
import sys
from typing import Any, Final

from litellm_qwen_ai.names import LOGGER, PROVIDER

_NO_ROUTE = "the route does not work"
_NO_EAGER_STREAMS = "a refused async stream raises at its first chunk (docs/litellm.md)"
_NO_PARAMETERS = "reasoning_effort, thinking and user are not accepted (docs/litellm.md)"
_LOGS = "a record of each call is made for nobody: slower, no less correct"
_PRICE = "LiteLLM works out that a login costs nothing: slower, no less correct"
_HEADERS = "extra_headers that are no object raise LiteLLM's ValueError, a 500 of a proxy"
_SLOWER_POST = "each request is sent by httpx itself: slower, no less correct"
_SLOWER_CHUNKS = "each text chunk of a stream is built anew: slower, no less correct"
_TRUST = "logins and renewals trust what the environment says, not what LiteLLM was told"
_DRIPS = "a synchronous call outlives its timeout if the server drips (deadline.py)"
_HTTP = "litellm.llms.custom_httpx.http_handler."
_CONVERT = "litellm.litellm_core_utils.llm_response_utils.convert_dict_to_response."

#: Dotted name -> what happens without it.
NAMES: Final[dict[str, str]] = {
    _HTTP + "_get_httpx_client": _NO_ROUTE,
    _HTTP + "get_async_httpx_client": _NO_ROUTE,
    _HTTP + "get_ssl_configuration": _TRUST,
    "litellm.ssl_certificate": _TRUST,
    "litellm._redis._get_redis_client_logic": "QWEN_STORE=litellm means the variables only",
    _HTTP + "AsyncHTTPHandler.create_client": "no async call after close_litellm_async_clients() in 1.91",
    _CONVERT + "convert_to_model_response_object": _NO_ROUTE,
    "litellm.utils.custom_llm_setup": "get_llm_provider() knows the route only after the first call",
    "litellm.models_by_provider": "get_valid_models() and wildcards do not list the catalogue",
    "litellm.litellm_core_utils.core_helpers.process_response_headers": "additional_headers stays empty",
    "litellm.litellm_core_utils.logging_utils._set_duration_in_model_call_details": "no overhead is shown",
    "litellm.litellm_core_utils.litellm_logging.Logging.set_cost_breakdown": _PRICE,
    "litellm.litellm_core_utils.litellm_logging.Logging._response_cost_calculator": _PRICE,
    "litellm.main._complete_custom_providers": _NO_EAGER_STREAMS,
    "litellm.exceptions.MidStreamFallbackError": "without the eager streams, no fallback for a refused one",
    "litellm.OpenAIGPTConfig": _NO_PARAMETERS,
    "litellm.types.utils.LlmProviders": _NO_PARAMETERS,
    "litellm.types.utils.LlmProvidersSet": _NO_PARAMETERS,
    "litellm.utils.ProviderConfigManager": _NO_PARAMETERS,
    "litellm.utils.ProviderConfigManager._PROVIDER_CONFIG_MAP": _NO_PARAMETERS,
    "litellm.utils.ProviderConfigManager._build_provider_config_map": _NO_PARAMETERS,
    "litellm.success_callback": _LOGS,
    "litellm._async_success_callback": _LOGS,
    "litellm.max_budget": _LOGS,
    "litellm.CustomStreamWrapper.run_success_logging_and_cache_storage": _LOGS,
    "litellm.litellm_core_utils.litellm_logging.Logging": _LOGS,
    "litellm.litellm_core_utils.litellm_logging.Logging.success_handler": _LOGS,
    "litellm.utils._client_async_logging_helper": _LOGS,
    "litellm.utils.function_setup": _HEADERS,
    "litellm.utils.async_pre_call_deployment_hook": _HEADERS,
    "litellm.CustomStreamWrapper.chunk_creator": "LiteLLM makes a chunk beside each of ours: slower",
    "httpx.Client._transport_for_url": _SLOWER_POST,
    "httpx.AsyncClient._transport_for_url": _SLOWER_POST,
    "pydantic.BaseModel.__copy__": _SLOWER_CHUNKS,
    "pydantic.BaseModel.model_extra": _SLOWER_CHUNKS,
}

#: Attributes that objects have and classes have not, and what is lost if a later version has none of it.
OF_OBJECTS: Final[dict[str, str]] = {
    "httpx.Response._content": _NO_ROUTE,  # where a body that was read within bounds is put (chat/body.py)
    "litellm.ModelResponse._hidden_params": "no headers and no price are shown with an answer",
    "litellm.CustomStreamWrapper._response_headers": "a stream's headers are not shown",
    "litellm.CustomStreamWrapper._hidden_params": "a stream's headers are not shown",
    "litellm.CustomStreamWrapper._cached_model_name": "completion_cost() of a rebuilt stream is noisy",
    "litellm.CustomStreamWrapper._base_hidden_params": "a stream's headers are not in its success event",
    "litellm's HTTPHandler.client and AsyncHTTPHandler.client": _NO_ROUTE,
    "openai.OpenAI._client, openai.AsyncOpenAI._client": "an OpenAI client as client= is refused",
    "httpx.Client._transport, _mounts": _DRIPS,
    "httpx.HTTPTransport._pool": _DRIPS,
    "httpcore.ConnectionPool._requests, HTTPConnection._connection, HTTP11Connection._network_stream": _DRIPS,
    "enum.Enum._member_map_, _member_names_, _value2member_map_, _name_, _value_": _NO_PARAMETERS,
}

#: Looked for in `sys.modules`, never imported: whoever has it runs LiteLLM's proxy.
PROXY_SERVER: Final = "litellm.proxy.proxy_server"
#: Where a proxy makes a deployment's health check ready, and the function's name (1.91's second): without
#: it, health checks use the default account's login.
HEALTH_MODULES: Final = ("litellm.proxy.health_check", "litellm.proxy.health_endpoints._health_endpoints")
HEALTH_FUNCTIONS: Final = (
    "update_litellm_params_for_health_check",
    "_update_litellm_params_for_health_check",
)
#: What the page of proxy/ needs of it; without one of them there is no page. `master_key`, `llm_router`,
#: `user_custom_auth`, `general_settings` and `proxy_config.config` are read where they are there.
PROXY_NAMES: Final = ("app", "user_api_key_auth")

#: Where a Router has its deployments, the newest first: since 1.110, which warns of the other, and before.
ROUTER_DEPLOYMENTS: Final = ("registry().all()", "model_list")
#: LiteLLM's rules, where it has any, for what its Rust answers instead of Python.
RUST_RULES: Final = "litellm.rust_bridge.catalog"

_GONE = object()
_logger = logging.getLogger(LOGGER)


def has(name: str) -> bool:
    """Whether what is installed has this name of `NAMES`."""
    return _find(name) is not _GONE


def look_up(name: str) -> Any:
    """What stands behind a name of `NAMES`; None if it is gone."""
    found = _find(name)
    return None if found is _GONE else found


def need(name: str) -> Any:
    """The same for a name that nothing replaces.

    Raises:
        ImportError: It is gone; the text says what to do.
    """
    found = _find(name)
    if found is _GONE:
        raise ImportError(
            f"This LiteLLM ({installed_version()}) does not have {name}, which litellm-qwen-ai needs: "
            f"{NAMES[name]}. Install an earlier LiteLLM, or a later litellm-qwen-ai."
        )
    return found


def deployments_of(router: Any) -> list[dict[str, Any]]:
    """The deployments of a Router, as its configuration has them; none if it does not say where they are."""
    registry = getattr(router, "registry", None)
    newest = getattr(registry(), "all", None) if callable(registry) else None
    deployments: Any = newest() if newest is not None else getattr(router, "model_list", _GONE)
    if deployments is _GONE:
        _say_that_deployments_are_hidden()
        return []
    return [one for one in deployments or () if isinstance(one, dict)]


def chat_past_python() -> tuple[str, str] | None:
    """What is wrong and what to do, if LiteLLM's rules take chat past all handlers in Python; None today.

    Its Rust knows the providers that LiteLLM brings along, and refuses all others.
    """
    rules = sys.modules.get(RUST_RULES)
    try:
        plain = rules.RouteContext(rules.Route.CHAT_COMPLETIONS, provider=PROVIDER)  # type: ignore[union-attr]  # None has no such name
        rollout = rules.rollout(plain).name  # type: ignore[union-attr]  # as above
        decision = rules.decision(plain).name  # type: ignore[union-attr]  # as above
    except (AttributeError, TypeError):
        return None  # it has no such rules, or others: the tests of the newest LiteLLM look at them
    if decision == "PYTHON":
        return None
    fix = "Set LITELLM_RUST=0 in the environment"
    if rollout == "RUST_REQUIRED":
        fix = "Install an earlier LiteLLM, or take the login through openai/"
    wrong = (
        f"LiteLLM {installed_version()} answers chat in Rust, which knows no plugin: {PROVIDER}/ is refused"
    )
    return f"{wrong} as an invalid provider", f"{fix} (docs/litellm.md, Chat in Rust)"


@functools.cache  # once: a page asks every few seconds
def _say_that_deployments_are_hidden() -> None:
    _logger.warning(
        "The Router of LiteLLM %s has neither %s: an account that only a deployment names is not on the page "
        "before its first login. Install an earlier LiteLLM, or a later litellm-qwen-ai.",
        installed_version(),
        " nor ".join(ROUTER_DEPLOYMENTS),
    )


def _find(name: str) -> Any:
    if name not in NAMES:
        raise KeyError(f"{name} is not listed in NAMES")
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue  # a class, or a module that is gone
        for part in parts[cut:]:
            found = getattr(found, part, _GONE)
        return found
    return _GONE


def installed_version() -> str:
    """LiteLLM's version, for messages."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  # only for messages

    try:
        return version("litellm")
    except PackageNotFoundError:
        return "unknown version"
