"""LiteLLM's side: registration, its HTTP clients, and three adaptations.

This is the only module that changes anything in LiteLLM; `litellm_names.py` lists the names it needs.
`install` registers the handler and the catalogue by LiteLLM's documented means, then applies the adaptations
below. Each acts only on calls to `qwen_ai/`, looks first whether LiteLLM has what it needs, and logs one
debug line when it has not. `QWEN_HOST_ADAPTATIONS=0` in the environment turns them off. What a user then
sees is in docs/litellm.md.

1. *Eager async streams.* LiteLLM wraps a custom provider's async stream without connecting it, so that a
   refusal comes out of the first chunk instead of `acompletion()`. The adaptation connects our streams
   before `acompletion()` returns, as LiteLLM does for its own providers. It also spares our chunks a
   way through LiteLLM's wrapper that leads nowhere (`_shorten`).
2. *Parameters.* LiteLLM gives every custom provider one fixed list of parameters. The adaptation adds a
   provider config of our own, so that `reasoning_effort`, `thinking` and `user` are accepted.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys
import weakref
from typing import TYPE_CHECKING, Any

import litellm
import litellm.main

from litellm_qwen_ai.models import register_with_litellm
from litellm_qwen_ai.names import PROVIDER
from litellm_qwen_ai.route.litellm_names import CLAIM_LOG, PROXY_SERVER, has, installed_version, look_up, need
from litellm_qwen_ai.settings import is_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx
    from litellm import CustomStreamWrapper

    from litellm_qwen_ai.chat.stream import AsyncChatStream

_logger = logging.getLogger("litellm_qwen_ai")

_HTTP = "litellm.llms.custom_httpx.http_handler."
HTTPHandler = need(_HTTP + "HTTPHandler")
AsyncHTTPHandler = need(_HTTP + "AsyncHTTPHandler")
_get_httpx_client = need(_HTTP + "_get_httpx_client")
get_async_httpx_client = need(_HTTP + "get_async_httpx_client")
_create_client = look_up(_HTTP + "AsyncHTTPHandler.create_client")

LlmProviders = look_up("litellm.types.utils.LlmProviders")
LlmProvidersSet = look_up("litellm.types.utils.LlmProvidersSet")
ProviderConfigManager = look_up("litellm.utils.ProviderConfigManager")
_PARAMETERS_NEED = (
    "litellm.OpenAIGPTConfig",
    "litellm.types.utils.LlmProviders",
    "litellm.types.utils.LlmProvidersSet",
    "litellm.utils.ProviderConfigManager._PROVIDER_CONFIG_MAP",
    "litellm.utils.ProviderConfigManager._build_provider_config_map",
)

#: Accepted beside what OpenAIGPTConfig lists; chat/request.py says what becomes of each.
_MORE_PARAMETERS = ("reasoning_effort", "thinking", "user", "response_format")


def install(module: Any, handler: Any) -> None:
    """Register `handler` for the route `qwen_ai/`, the catalogue and the adaptations; idempotent.

    Args:
        module: The imported `litellm` module.
        handler: The `CustomLLM` instance that serves the route.
    """
    if _is_built_in():
        _logger.warning(
            "This version of LiteLLM has a provider of its own named %r, which wins over litellm-qwen-ai. "
            "Use an earlier LiteLLM, or a later litellm-qwen-ai.",
            PROVIDER,
        )
        return
    # A new list: someone may hold the old one, and the proxy replaces it as well.
    module.custom_provider_map = [
        *(entry for entry in module.custom_provider_map if entry["provider"] != PROVIDER),
        {"provider": PROVIDER, "custom_handler": handler},
    ]
    set_up = look_up("litellm.utils.custom_llm_setup")
    if set_up is not None:
        set_up()
    register_with_litellm(module)
    if is_on("QWEN_HOST_ADAPTATIONS"):
        apply_adaptations()
    else:
        remove_adaptations()
    if PROXY_SERVER in sys.modules:
        from litellm_qwen_ai.route.notice import say_if_not_logged_in  # noqa: PLC0415  # a proxy's only

        say_if_not_logged_in()


def apply_adaptations() -> None:
    """Apply the adaptations, each only if this LiteLLM has what it needs; idempotent."""
    for name, adapt in _ADAPTERS.items():
        if not adapt():
            _logger.debug("LiteLLM adaptation %r does not apply to LiteLLM %s", name, installed_version())


def remove_adaptations() -> None:
    """Put LiteLLM back as it was before `apply_adaptations`; idempotent."""
    global _spares_logs  # noqa: PLW0603  # on or off in the whole process
    _spares_logs = False
    original = getattr(getattr(litellm.main, _DISPATCH, None), "_qwen_ai_original", None)
    if original is not None:
        setattr(litellm.main, _DISPATCH, original)
    if _our_member() is not None:
        LlmProviders._member_map_.pop(_MEMBER)
        LlmProviders._member_names_.remove(_MEMBER)
        LlmProviders._value2member_map_.pop(PROVIDER)
        LlmProvidersSet.discard(PROVIDER)
        for provider in [key for key in _provider_configs() if key == PROVIDER]:
            del _provider_configs()[provider]


def active_adaptations() -> dict[str, bool]:
    """Which adaptations are in force now, by name."""
    return {
        "eager async streams": streams_are_eager(),
        "parameters": _our_member() is not None,
        "logs for nobody": _spares_logs,
    }


def streams_are_eager() -> bool:
    """Whether an async stream connects before `acompletion()` returns."""
    return hasattr(getattr(litellm.main, _DISPATCH, None), "_qwen_ai_original")


def sync_http(client: Any) -> tuple[httpx.Client, Any]:
    """The httpx client to send with, and its owner, which must be kept alive while it is in use.

    Args:
        client: What the caller gave as `client=`; used if it is an HTTP client of the right kind.
    """
    import httpx  # noqa: PLC0415  # LiteLLM has imported it; kept out of the module's public names

    if isinstance(client, httpx.Client):
        return client, client
    owner = client if isinstance(client, HTTPHandler) else _get_httpx_client()
    return owner.client, owner


def async_http(client: Any) -> tuple[httpx.AsyncClient, Any]:
    """The async twin of `sync_http`: one client per event loop, LiteLLM's shared one by default.

    Args:
        client: What the caller gave as `client=`.
    """
    import httpx  # noqa: PLC0415  # as above

    if isinstance(client, httpx.AsyncClient):
        return client, client
    if isinstance(client, AsyncHTTPHandler):
        return client.client, client
    # Some versions annotate an enum here; it becomes part of a cache key.
    owner = get_async_httpx_client(llm_provider=PROVIDER)
    if owner.client.is_closed and _create_client is not None:
        # By litellm.close_litellm_async_clients(): later versions open it again themselves, 1.91 does not.
        owner.client = _create_client(owner, timeout=owner.timeout, event_hooks=owner.event_hooks)
    return owner.client, owner


def show_headers(made: Any, headers: Mapping[str, str]) -> None:
    """Add headers of our own to those of the response that LiteLLM shows, and its proxy passes on.

    Args:
        made: A `ModelResponse` or LiteLLM's stream wrapper.
        headers: What to add.
    """
    shown = made._hidden_params.get("additional_headers")  # noqa: SLF001  # where LiteLLM's own providers put them
    made._hidden_params["additional_headers"] = {**(shown or {}), **headers}  # noqa: SLF001  # the same


def visible_headers(headers: httpx.Headers) -> dict[str, Any]:
    """Response headers in the form LiteLLM shows them (`_hidden_params["additional_headers"]`)."""
    process = look_up("litellm.litellm_core_utils.core_helpers.process_response_headers")
    processed: dict[str, Any] = {} if process is None else process(headers)
    return processed


# Adaptation 1: eager async streams

_DISPATCH = "_complete_custom_providers"
_TESTED = 2  # the first chunk gives the wrapper its id and time


def _adapt_streams() -> bool:
    original = look_up("litellm.main._complete_custom_providers")
    if hasattr(original, "_qwen_ai_original"):
        return True
    if not callable(original) or list(inspect.signature(original).parameters) != ["ctx"]:
        return False
    setattr(litellm.main, _DISPATCH, _eager(original))
    return True


def _eager(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(original)
    def dispatch(ctx: Any) -> Any:
        result = original(ctx)
        stream: Any = getattr(result, "completion_stream", None)
        # A mark, since the class itself is loaded at the first call only.
        if not getattr(stream, "qwen_ai_stream", False):
            return result
        _shorten(result)
        if getattr(ctx, "acompletion", False):
            return _connected(result, stream)  # acompletion() awaits any coroutine that the dispatch hands it
        if _nobody_listens(getattr(result, "logging_obj", None)):
            setattr(result, _LOG_CHUNK, _log_nothing)
        return result

    dispatch._qwen_ai_original = original  # type: ignore[attr-defined]  # noqa: SLF001  # how we know our own wrapper
    return dispatch


def _shorten(wrapper: Any) -> None:
    """Have the wrapper of one of our streams pass on a text chunk without making an empty one beside it.

    For each chunk LiteLLM's `chunk_creator` builds a chunk of its own, then returns ours as it is: 40 us of
    the 200 that an async chunk costs. The second chunk of every stream is the test: if the plain way returns
    it untouched and leaves the wrapper as it was, those like it take the short way; others the plain one.
    """
    if not callable(getattr(wrapper, "chunk_creator", None)):
        return
    alive = weakref.ref(wrapper)  # no cycle: a stream that its consumer drops must end at once
    seen, proved = 0, False

    def create(chunk: Any) -> Any:
        nonlocal seen, proved
        own: Any = alive()
        plain = type(own).chunk_creator
        choices = chunk.choices
        if (
            own.received_finish_reason is not None
            or len(choices) != 1
            or choices[0].finish_reason is not None
        ):
            return plain(own, chunk)
        if proved:
            return chunk
        seen += 1
        if seen != _TESTED:
            return plain(own, chunk)
        state, copy = dict(vars(own)), chunk.model_copy(deep=True)
        made = plain(own, chunk)
        proved = made is chunk and chunk == copy and vars(own) == state
        return made

    wrapper.chunk_creator = create


async def _connected(wrapper: CustomStreamWrapper, stream: AsyncChatStream) -> CustomStreamWrapper:
    await stream.connect()
    show_stream_headers(wrapper, stream)
    return wrapper


def show_stream_headers(wrapper: Any, stream: Any) -> None:
    """Give LiteLLM's stream wrapper the response headers, where its own providers put them."""
    headers = stream.headers
    wrapper._response_headers = headers  # noqa: SLF001  # where LiteLLM's own providers put them
    wrapper._hidden_params["additional_headers"] = visible_headers(headers)  # noqa: SLF001  # the same
    show_headers(wrapper, stream.shown)


# Adaptation 2: parameters

_MEMBER = "QWEN_AI"


class QwenChatConfig(look_up("litellm.OpenAIGPTConfig") or object):  # type: ignore[misc]  # Any to mypy
    """Tells LiteLLM which parameters `qwen_ai/` takes; chat/request.py translates them."""

    def get_supported_openai_params(self, model: str) -> list[str]:
        """The names of OpenAI's parameters that a caller may pass."""
        return list(dict.fromkeys([*super().get_supported_openai_params(model), *_MORE_PARAMETERS]))


def _is_built_in() -> bool:
    return PROVIDER in (LlmProvidersSet or ()) and _our_member() is None


def _our_member() -> Any:
    member = getattr(LlmProviders, "_member_map_", {}).get(_MEMBER)
    return member if getattr(member, "_qwen_ai_plugin", False) else None


def _provider_configs() -> dict[Any, Any]:
    configs: dict[Any, Any] | None = ProviderConfigManager._PROVIDER_CONFIG_MAP  # noqa: SLF001  # LiteLLM has no public way to add one
    if configs is None:
        configs = dict(ProviderConfigManager._build_provider_config_map())  # noqa: SLF001  # as above
        ProviderConfigManager._PROVIDER_CONFIG_MAP = configs  # noqa: SLF001  # as above
    return configs


def _adapt_parameters() -> bool:
    if _our_member() is not None:
        return True
    if not all(map(has, _PARAMETERS_NEED)) or not isinstance(LlmProvidersSet, set):
        return False
    configs = _provider_configs()
    # An Enum with members cannot be subclassed: this builds a member as EnumType itself does.
    member = str.__new__(LlmProviders, PROVIDER)
    member._name_ = _MEMBER
    member._value_ = PROVIDER
    member._qwen_ai_plugin = True  # noqa: SLF001  # how we know our own member
    LlmProviders._member_map_[_MEMBER] = member
    LlmProviders._member_names_.append(_MEMBER)
    LlmProviders._value2member_map_[PROVIDER] = member
    LlmProvidersSet.add(PROVIDER)
    config = QwenChatConfig()
    configs[member] = (lambda: config, False)
    return True


# Adaptation 3: logs for nobody

_LOG_CHUNK = "run_success_logging_and_cache_storage"
_LISTENERS_OF_THE_CALL = ("dynamic_success_callbacks", "dynamic_async_success_callbacks")
_LOGGING_NEEDS = (
    "litellm.success_callback",
    "litellm._async_success_callback",
    "litellm.max_budget",
    "litellm.CustomStreamWrapper.run_success_logging_and_cache_storage",
    "litellm.litellm_core_utils.litellm_logging.Logging.has_run_logging",
)
_litellm_logger = logging.getLogger("LiteLLM")
_spares_logs = False


def _adapt_logging() -> bool:
    global _spares_logs  # noqa: PLW0603  # on or off in the whole process
    _spares_logs = all(map(has, _LOGGING_NEEDS))
    return _spares_logs


def spare_log(logging_obj: Any) -> None:
    """Tell LiteLLM that a whole answer has been logged, if nobody would receive what it makes of it.

    Args:
        logging_obj: LiteLLM's, of a call that has been answered.
    """
    if not _nobody_listens(logging_obj):
        return
    for event in ("sync_success", "async_success"):
        logging_obj.has_run_logging(event_type=event)
    claim = getattr(logging_obj, CLAIM_LOG, None)
    if callable(claim):
        claim()


def _nobody_listens(logging_obj: Any) -> bool:
    """Whether what LiteLLM does after a success leads nowhere: no callback, no sum for a budget, no print."""
    return _spares_logs and not (
        litellm.success_callback
        or litellm._async_success_callback  # noqa: SLF001  # LiteLLM moves `litellm.callbacks` to these two
        or any(getattr(logging_obj, name, True) for name in _LISTENERS_OF_THE_CALL)
        or litellm.max_budget
        or _litellm_logger.isEnabledFor(logging.DEBUG)
        or os.environ.get("LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD")
    )


def _log_nothing(*_: Any) -> None:
    """Stands for what takes a chunk and a flag."""


#: By the names of `active_adaptations`.
_ADAPTERS = {
    "eager async streams": _adapt_streams,
    "parameters": _adapt_parameters,
    "logs for nobody": _adapt_logging,
}
