"""What a call may choose: whose login it uses, and where the login's token goes.

LiteLLM merges what a proxy's client sends with what the operator has set. A client must choose neither an
account nor an address for a login, so the two are told apart here by what LiteLLM notes of a call:

- Router puts the deployment's own `model_info` over a client's. If the call itself named an address, the
  deployment is a copy for this call, and its `model_info` has `original_model_id`.
- A proxy notes what its client sent in `proxy_server_request["body"]`: an address, or the name of a stored
  credential, whose address LiteLLM puts in.
- What LiteLLM puts in for a team looks the same. What an admin has set for it stands in the call's notes,
  where LiteLLM removes what a client writes under that name.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import litellm

from litellm_qwen_ai.names import LOGGER, PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterator

_logger = logging.getLogger(LOGGER)

CLIENTS_ADDRESS = (
    "This request names an address of its own (api_base, or a credential's) and no key. Neither what an "
    "account keeps nor QWEN_API_KEY goes to an address that came with a request: send api_key along, or "
    "leave the address out. The operator sets api_base in the deployment, or QWEN_API_BASE."
)
_ADDRESSES = ("api_base", "base_url")
#: No place for a call's address: what is said, and the notes, where Router itself writes the deployment's.
_NO_PLACE = frozenset({"messages", "input", "prompt", "tools", "metadata", "litellm_metadata"})


def in_router(litellm_params: Mapping[str, Any]) -> bool:
    """Whether a Router makes the call."""
    notes = [litellm_params.get(key) for key in ("metadata", "litellm_metadata")]
    return any(isinstance(note, Mapping) and "model_group" in note for note in notes)


def account_of(params: Mapping[str, Any], litellm_params: Mapping[str, Any]) -> str | None:
    """The account whose login a call uses; None is the default one.

    A deployment names it in its `model_info`, a program may name it with the call. What a client sends, to
    a proxy or through a Router, is ignored with one warning.

    Args:
        params: The parameters for the provider.
        litellm_params: LiteLLM's own parameters of the call.
    """
    sent = _sent_by_client(litellm_params)
    own = litellm_params.get("model_info") or {}
    if not isinstance(own, Mapping) or "user_config" in sent or sent.get("model_info") == own:
        own = {}  # no Router has put the deployment's over it
    given = params.get("qwen_account")
    if sent or in_router(litellm_params):
        if given is not None or (own == {} and "qwen_account" in (sent.get("model_info") or ())):
            _warn_of_ignored_account()
        given = None
    account = own.get("qwen_account", given)
    return None if account is None else str(account)


def is_clients_address(api_base: str | None, litellm_params: Mapping[str, Any]) -> bool:
    """Whether a call's address came with a client's request: no login's token may go there.

    Args:
        api_base: The call's base URL, if it has one.
        litellm_params: LiteLLM's own parameters of the call.
    """
    if api_base is None:
        return False
    if api_base in _addresses_of_team(litellm_params):
        return False
    if (litellm_params.get("model_info") or {}).get("original_model_id") is not None:
        return True
    sent = _sent_by_client(litellm_params)
    return "user_config" in sent or api_base in _addresses(sent)


def _sent_by_client(litellm_params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body that a proxy's client sent; empty where no proxy makes the call."""
    body = (litellm_params.get("proxy_server_request") or {}).get("body")
    return body if isinstance(body, Mapping) else {}


def _addresses(value: Any) -> Iterator[Any]:
    """The addresses that a request's body names, at its top or deeper (in `fallbacks`, say)."""
    if isinstance(value, Mapping):
        for named in (value, _credential(value.get("litellm_credential_name"))):
            yield from (named[name] for name in _ADDRESSES if name in named)
        for name, inner in value.items():
            yield from _addresses(inner) if name not in _NO_PLACE else ()
    elif isinstance(value, list):
        for inner in value:
            yield from _addresses(inner)


def _addresses_of_team(litellm_params: Mapping[str, Any]) -> Iterator[Any]:
    """Those of the credentials that an admin has chosen for `qwen_ai`, where LiteLLM heeds that."""
    if getattr(litellm, "enable_model_config_credential_overrides", False):
        for key in ("metadata", "litellm_metadata"):
            of_team = _inside(_inside(litellm_params, key), "user_api_key_team_metadata")
            for of_model in _inside(of_team, "model_config").values():
                yield _credential(_inside(of_model, PROVIDER).get("litellm_credentials")).get("api_base")


def _inside(value: Any, key: str) -> Mapping[str, Any]:
    """What a mapping holds under a key, if both are one; empty otherwise."""
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _credential(name: Any) -> Mapping[str, Any]:
    """What the operator has stored under a name."""
    found = (one.credential_values for one in litellm.credential_list if one.credential_name == name)
    return next(found, {}) if name else {}


@functools.cache
def _warn_of_ignored_account() -> None:
    """Once: a deployment that means to name its account, and does so in the wrong place, uses the default."""
    _logger.warning(
        "A qwen_account that a Router passes on or a proxy's client sends is ignored, since any client could "
        "send one. Set it in the deployment: model_info: {qwen_account: <name>}."
    )
