"""LiteLLM's side of the route: registration by its documented means, and its HTTP clients."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import litellm

from litellm_qwen_ai.models import CATALOGUE
from litellm_qwen_ai.names import LOGGER, PROVIDER
from litellm_qwen_ai.oauth.network import use
from litellm_qwen_ai.route import patches
from litellm_qwen_ai.route.network import as_litellm_has_it
from litellm_qwen_ai.route.private_names import PROXY_SERVER, chat_past_python, look_up, need
from litellm_qwen_ai.route.store import redis_as_litellm_has_it
from litellm_qwen_ai.settings import is_on, use_redis_of

if TYPE_CHECKING:
    from litellm.llms.custom_llm import CustomLLM

_Client = TypeVar("_Client")
_logger = logging.getLogger(LOGGER)

_HTTP = "litellm.llms.custom_httpx.http_handler."
_CONVERT = (
    "litellm.litellm_core_utils.llm_response_utils.convert_dict_to_response.convert_to_model_response_object"
)
_get_httpx_client = need(_HTTP + "_get_httpx_client")
get_async_httpx_client = need(_HTTP + "get_async_httpx_client")
need(_CONVERT)  # chat/response.py imports it at the first call: better said at the start
_create_client = look_up(_HTTP + "AsyncHTTPHandler.create_client")


def install(handler: CustomLLM) -> None:
    """Give LiteLLM the handler of `qwen_ai/`, the catalogue and the adaptations; idempotent."""
    if patches.is_built_in():
        _logger.warning(
            "This version of LiteLLM has a provider of its own named %r, which wins over litellm-qwen-ai. "
            "Use an earlier LiteLLM, or a later litellm-qwen-ai.",
            PROVIDER,
        )
        return
    past = chat_past_python()
    if past is not None:
        _logger.warning("%s. %s.", *past)
    # A new list: someone may hold the old one, and the proxy replaces it as well.
    litellm.custom_provider_map = [
        *(entry for entry in litellm.custom_provider_map if entry["provider"] != PROVIDER),
        {"provider": PROVIDER, "custom_handler": handler},
    ]
    set_up = look_up("litellm.utils.custom_llm_setup")
    if set_up is not None:
        set_up()
    register_catalogue()
    use(as_litellm_has_it)
    use_redis_of(redis_as_litellm_has_it)
    if is_on("QWEN_HOST_ADAPTATIONS"):
        patches.apply_adaptations()
    else:
        patches.remove_adaptations()
    if PROXY_SERVER in sys.modules:
        from litellm_qwen_ai.route.notice import say_if_not_logged_in  # noqa: PLC0415  # a proxy's only

        say_if_not_logged_in()


def register_catalogue() -> None:
    """Tell LiteLLM the catalogue; entries that are there already (a user's own) win, key by key."""
    entries = {
        model.route: {**model.model_info(), **(litellm.model_cost.get(model.route) or {})}
        for model in CATALOGUE
    }
    litellm.register_model(entries)
    by_provider = look_up("litellm.models_by_provider")
    if by_provider is not None:
        # LiteLLM's own lists become sets or lists depending on its version: a set serves both.
        by_provider[PROVIDER] = {*by_provider.get(PROVIDER, ()), *entries}


def keep_catalogue() -> None:
    """Tell LiteLLM the catalogue again if its price list was replaced, as proxies do up to 1.96."""
    if not all(model.route in litellm.model_cost for model in CATALOGUE):
        register_catalogue()


def sync_http(client: Any, model: str) -> tuple[httpx.Client, Any]:
    """The httpx client to send with, and its owner, which must be kept alive while it is in use.

    Args:
        client: What the caller gave as `client=`, or None for LiteLLM's shared one.
        model: The model's name, for exceptions.

    Raises:
        litellm.BadRequestError: The caller's cannot send a synchronous call.
    """
    if client is not None:
        return _of_caller(client, httpx.Client, model), client
    owner = _get_httpx_client()
    return owner.client, owner


def async_http(client: Any, model: str) -> tuple[httpx.AsyncClient, Any]:
    """The async twin of `sync_http`: LiteLLM's shared client is one for each event loop."""
    if client is not None:
        return _of_caller(client, httpx.AsyncClient, model), client
    # Some versions annotate an enum here; it becomes part of a cache key.
    owner = get_async_httpx_client(llm_provider=PROVIDER)
    if owner.client.is_closed and _create_client is not None:
        # By litellm.close_litellm_async_clients(): later versions open it again themselves, 1.91 does not.
        owner.client = _create_client(owner, timeout=owner.timeout, event_hooks=owner.event_hooks)
    return owner.client, owner


def _of_caller(client: Any, kind: type[_Client], model: str) -> _Client:
    """The httpx client that a caller's `client=` is, or that LiteLLM's handler or an OpenAI client holds."""
    for held in (client, getattr(client, "client", None), getattr(client, "_client", None)):
        if isinstance(held, kind):
            return held
    from litellm_qwen_ai.chat.errors import bad_request  # noqa: PLC0415  # loaded with the first call

    given = type(client)
    raise bad_request(
        f"client= is a {given.__module__}.{given.__qualname__}, which cannot send this call: its proxy "
        f"and certificates would not be used. Give an httpx.{kind.__name__}, or leave client= out.",
        model=model,
    )
