"""The only module that replaces functions of LiteLLM: five adaptations of it, to `qwen_ai/` alone.

Each looks first whether LiteLLM has what it needs (`private_names.py` lists the names), and says in one debug
line when it has not. `QWEN_HOST_ADAPTATIONS=0` in the environment turns them off. What a user then sees is in
docs/litellm.md.

1. *Eager async streams.* LiteLLM wraps a custom provider's async stream without connecting it, so that a
   refusal comes out of the first chunk instead of `acompletion()`. The adaptation connects our streams
   before `acompletion()` returns, as LiteLLM does for its own providers. It hooks into the place where
   LiteLLM has such a stream in hand, and puts in the short way of `short_chunks.py`. What a stream costs
   that has only begun is said where it is nothing: LiteLLM would work it out before the first chunk.
2. *Parameters.* LiteLLM gives every custom provider one fixed list of parameters. The adaptation adds a
   provider config of our own, so that `reasoning_effort`, `thinking` and `user` are accepted.
3. *Logs for nobody.* LiteLLM makes a record of each call, and gives each chunk of a synchronous stream to a
   thread, whether anybody receives them or not. The adaptation leaves both out where nobody does.
4. *Headers*. LiteLLM fails on `extra_headers` and `headers` that are no object, before it asks a provider.
   The adaptation says so first, so that a proxy answers 400.
5. *Health checks*, in a proxy only. They call a deployment without its `model_info`, and so without its
   account. The adaptation hands the account along.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import litellm
import litellm.main
import litellm.utils

from litellm_qwen_ai.models import is_ours
from litellm_qwen_ai.names import LOGGER, PROVIDER
from litellm_qwen_ai.route.private_names import (
    HEALTH_FUNCTIONS,
    HEALTH_MODULES,
    PROXY_SERVER,
    has,
    installed_version,
    look_up,
)
from litellm_qwen_ai.route.short_chunks import shortened
from litellm_qwen_ai.route.telemetry import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from litellm import CustomStreamWrapper

    from litellm_qwen_ai.chat.stream import AsyncChatStream

_logger = logging.getLogger(LOGGER)

LlmProviders = look_up("litellm.types.utils.LlmProviders")
LlmProvidersSet = look_up("litellm.types.utils.LlmProvidersSet")
ProviderConfigManager = look_up("litellm.utils.ProviderConfigManager")


def apply_adaptations() -> None:
    """Apply the adaptations, each only if this LiteLLM has what it needs; idempotent."""
    for name, adapt in _ADAPTERS.items():
        if not adapt():
            _logger.debug("LiteLLM adaptation %r does not apply to LiteLLM %s", name, installed_version())


def remove_adaptations() -> None:
    """Put LiteLLM back as it was before `apply_adaptations`; idempotent.

    A function that another library has wrapped since stays as it is: that library's wrapper would go too.
    """
    global _spares_logs  # noqa: PLW0603  # on or off in the whole process
    _spares_logs = False
    for place, name in _places:
        outermost = getattr(place, name, None)
        if _is_wrapped(place, name) and getattr(outermost, _WRAPPER) is outermost:
            setattr(place, name, outermost.__wrapped__)
    if _our_member() is not None:
        LlmProviders._member_map_.pop(_MEMBER)
        LlmProviders._member_names_.remove(_MEMBER)
        LlmProviders._value2member_map_.pop(PROVIDER)
        LlmProvidersSet.discard(PROVIDER)
        for provider in [key for key in _provider_configs() if key == PROVIDER]:
            del _provider_configs()[provider]


def active_adaptations() -> dict[str, bool]:
    """Which adaptations are in force now, by name; of health checks only in a proxy."""
    active = {
        "eager async streams": streams_are_eager(),
        "parameters": _our_member() is not None,
        "logs for nobody": _spares_logs,
        "headers": all(_is_wrapped(litellm.utils, name) for name in _FIRST_STEPS),
    }
    if PROXY_SERVER in sys.modules:
        found = _health_functions()
        active["health checks"] = bool(found) and all(_is_wrapped(*one) for one in found)
    return active


def streams_are_eager() -> bool:
    """Whether an async stream connects before `acompletion()` returns."""
    return _is_wrapped(litellm.main, _DISPATCH)


#: What a wrapper of ours is known by: itself. One that another library puts around it has a copy, as a rule.
_WRAPPER = "_qwen_ai_wrapper"
_places: set[tuple[Any, str]] = set()  # where there are some


def _wrap(place: Any, name: str, wrapper_of: Callable[[Any], Any]) -> None:
    """Put a wrapper around a function of LiteLLM's, once."""
    if not _is_wrapped(place, name):
        original = getattr(place, name)
        wrapper = functools.wraps(original)(wrapper_of(original))
        setattr(wrapper, _WRAPPER, wrapper)
        setattr(place, name, wrapper)
        _places.add((place, name))


def _is_wrapped(place: Any, name: str) -> bool:
    return hasattr(getattr(place, name, None), _WRAPPER)


# Adaptation 1: eager async streams

_DISPATCH = "_complete_custom_providers"
_PRICERS = ("response_cost_calculator", "_response_cost_calculator")  # the first one that there is
_MODEL_NAME = "_cached_model_name"  # of the chunks that LiteLLM's wrapper makes itself: to be that of ours


def _adapt_streams() -> bool:
    original = look_up("litellm.main._complete_custom_providers")
    if not callable(original) or list(inspect.signature(original).parameters) != ["ctx"]:
        return False
    _wrap(litellm.main, _DISPATCH, _eager)
    return True


def _eager(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def dispatch(ctx: Any) -> Any:
        result = original(ctx)
        stream: Any = getattr(result, "completion_stream", None)
        # A mark, since the class itself is loaded at the first call only.
        if not getattr(stream, "qwen_ai_stream", False):
            return result
        if hasattr(result, _MODEL_NAME):
            setattr(result, _MODEL_NAME, f"{PROVIDER}/{result.model}")
        create = shortened(result)
        if create is not None:
            result.chunk_creator = create
        if getattr(ctx, "acompletion", False):
            return _connected(result, stream)  # acompletion() awaits any coroutine that the dispatch hands it
        _show(result, stream)
        if nobody_listens(getattr(result, "logging_obj", None)):
            setattr(result, _LOG_CHUNK, lambda *_: None)  # takes a chunk and a flag
        return result

    return dispatch


async def _connected(wrapper: CustomStreamWrapper, stream: AsyncChatStream) -> CustomStreamWrapper:
    try:
        await stream.connect()
    except litellm.exceptions.AuthenticationError as error:  # as in `provider.py`
        raise error.with_traceback(None) from error.__cause__
    _show(wrapper, stream)
    return wrapper


def _show(wrapper: Any, stream: Any) -> None:
    """Give LiteLLM's wrapper of a connected stream what is shown beside it."""
    wrapper._response_headers = stream.headers  # noqa: SLF001  # where LiteLLM's own providers put them
    show(wrapper, stream.hidden)
    base = getattr(wrapper, "_base_hidden_params", None)
    if isinstance(base, dict):  # of its own last chunk, which says what the success event tells
        base.update(stream.hidden)


def tell_cost_of_beginning(logging_obj: Any, cost_of: Callable[[Any, Any], float | None]) -> None:
    """Say once what a stream costs that has just begun: LiteLLM would price its nothing, before any chunk.

    Args:
        logging_obj: LiteLLM's, of the call.
        cost_of: Of a wrapper and `logging_obj`; None leaves it to LiteLLM.
    """
    name = next((one for one in _PRICERS if callable(getattr(logging_obj, one, None))), None)
    if name is None or not streams_are_eager():
        return
    alive = weakref.ref(logging_obj)  # no cycle, which would keep the messages

    def price(*args: Any, **more: Any) -> Any:
        own: Any = alive()
        delattr(own, name)
        wrapper = more.get("result")
        cost = cost_of(wrapper, own) if isinstance(wrapper, litellm.CustomStreamWrapper) else None
        return getattr(own, name)(*args, **more) if cost is None else cost

    setattr(logging_obj, name, price)


# Adaptation 2: parameters

_MEMBER = "QWEN_AI"
_PARAMETERS_NEED = (
    "litellm.OpenAIGPTConfig",
    "litellm.types.utils.LlmProviders",
    "litellm.types.utils.LlmProvidersSet",
    "litellm.utils.ProviderConfigManager._PROVIDER_CONFIG_MAP",
    "litellm.utils.ProviderConfigManager._build_provider_config_map",
)

#: Accepted beside what OpenAIGPTConfig lists; chat/request.py says what becomes of each.
_MORE_PARAMETERS = ("reasoning_effort", "thinking", "user", "response_format")


class QwenChatConfig(look_up("litellm.OpenAIGPTConfig") or object):  # type: ignore[misc]  # Any to mypy
    """Tells LiteLLM which parameters `qwen_ai/` takes; chat/request.py translates them."""

    def get_supported_openai_params(self, model: str) -> list[str]:
        """The names of OpenAI's parameters that a caller may pass."""
        return list(dict.fromkeys([*super().get_supported_openai_params(model), *_MORE_PARAMETERS]))


def is_built_in() -> bool:
    """Whether this LiteLLM has a provider of our name itself."""
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
_LOGGING = look_up("litellm.litellm_core_utils.litellm_logging.Logging")
#: Where LiteLLM logs a synchronous answer, and where it hands an async one to its worker: both do so later
#: than they return the answer, and whoever is there by then wants to know.
_LOGGERS = ((_LOGGING, "success_handler"), (litellm.utils, "_client_async_logging_helper"))
_LOGGING_NEEDS = (
    "litellm.success_callback",
    "litellm._async_success_callback",
    "litellm.max_budget",
    "litellm.CustomStreamWrapper.run_success_logging_and_cache_storage",
    "litellm.litellm_core_utils.litellm_logging.Logging.success_handler",
    "litellm.utils._client_async_logging_helper",
)
_litellm_logger = logging.getLogger("LiteLLM")
_spares_logs = False


def _adapt_logging() -> bool:
    global _spares_logs  # noqa: PLW0603  # on or off in the whole process
    if all(map(has, _LOGGING_NEEDS)):
        for place, name in _LOGGERS:
            _wrap(place, name, _at_need)
        _spares_logs = True
    return _spares_logs


def _at_need(original: Callable[..., Any]) -> Callable[..., Any]:
    """A logger, plain or async, that does nothing where it would be for nobody."""

    def plain(logging_obj: Any, *args: Any, **more: Any) -> Any:
        return None if _for_nobody(logging_obj) else original(logging_obj, *args, **more)

    async def awaited(logging_obj: Any, *args: Any, **more: Any) -> Any:
        return None if _for_nobody(logging_obj) else await original(logging_obj, *args, **more)

    return awaited if inspect.iscoroutinefunction(original) else plain


def _for_nobody(logging_obj: Any) -> bool:
    """Whether a record would be of a call of ours, and nobody would receive it."""
    details = getattr(logging_obj, "model_call_details", None) or {}
    return details.get("custom_llm_provider") == PROVIDER and nobody_listens(logging_obj)


def nobody_listens(logging_obj: Any) -> bool:
    """Whether what LiteLLM does after a success leads nowhere: no callback, no sum for a budget, no print."""
    return _spares_logs and not (
        litellm.success_callback
        or litellm._async_success_callback  # noqa: SLF001  # LiteLLM moves `litellm.callbacks` to these two
        or any(getattr(logging_obj, name, True) for name in _LISTENERS_OF_THE_CALL)
        or litellm.max_budget
        or _litellm_logger.isEnabledFor(logging.DEBUG)
        or os.environ.get("LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD")
    )


# Adaptation 4: headers

#: What LiteLLM does first in each call, and first in an async one that a proxy has begun.
_FIRST_STEPS = ("function_setup", "async_pre_call_deployment_hook")
_HEADERS = ("extra_headers", "headers")
_MODEL = 3  # of function_setup's arguments, in a call whose model is no keyword


def _adapt_headers() -> bool:
    if not all(has(f"litellm.utils.{name}") for name in _FIRST_STEPS):
        return False
    for name in _FIRST_STEPS:
        _wrap(litellm.utils, name, _after_headers)
    return True


def _after_headers(original: Callable[..., Any]) -> Callable[..., Any]:
    """A first step that refuses a call of ours whose headers are no object."""

    def step(*args: Any, **more: Any) -> Any:
        call: Any = args[0] if args and isinstance(args[0], dict) else more  # the hook's, or the setup's
        wrong = [name for name in _HEADERS if call.get(name) and not isinstance(call[name], Mapping)]
        model = str(call.get("model") or "".join(map(str, args[_MODEL : _MODEL + 1]))) if wrong else ""
        if wrong and is_ours(model, call.get("custom_llm_provider")):
            from litellm_qwen_ai.chat.errors import bad_request  # noqa: PLC0415  # as late as all of chat/

            kind = type(call[wrong[0]]).__name__
            raise bad_request(f"{wrong[0]} must be an object, not a {kind}.", model=model)
        return original(*args, **more)

    return step


# Adaptation 5: health checks


def _adapt_health_checks() -> bool:
    """Wrap what makes a health check ready, wherever it is known and as far as it has been loaded."""
    if PROXY_SERVER not in sys.modules:
        return True
    found = _health_functions()
    for module, name in found:
        _wrap(module, name, _with_account)
    return bool(found)


def _health_functions() -> list[tuple[Any, str]]:
    modules = [sys.modules.get(name) for name in HEALTH_MODULES]
    return [(module, name) for module in modules for name in HEALTH_FUNCTIONS if hasattr(module, name)]


def _with_account(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def ready(model_info: dict[str, Any], litellm_params: dict[str, Any]) -> dict[str, Any]:
        made = original(model_info, litellm_params)
        account = (model_info or {}).get("qwen_account")
        if account is None or not is_ours(made.get("model"), made.get("custom_llm_provider")):
            return made
        return {**made, "qwen_account": account}

    return ready


_ADAPTERS = {
    "eager async streams": _adapt_streams,
    "parameters": _adapt_parameters,
    "logs for nobody": _adapt_logging,
    "headers": _adapt_headers,
    "health checks": _adapt_health_checks,
}
