"""What a login is after the server's answer: a new one, or the old one renewed. Pure."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import Any

from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.oauth.protocol import HttpAnswer, Rotated, TokenAnswer, read_refresh_answer
from litellm_qwen_ai.oauth.urls import api_base_of, leads_here

LOGGED_IN_AT = "logged_in_at"  # a key of ours in the login, which renewals keep: epoch milliseconds
_log = logging.getLogger(__name__)


def credentials_of(tokens: TokenAnswer, now: float) -> Credentials:
    """The new login, of an answer that came `now` (epoch seconds)."""
    return Credentials(**_told(tokens, now), **{LOGGED_IN_AT: int(now * 1000)})


def merged(old: Credentials, tokens: TokenAnswer | Rotated, now: float) -> Credentials:
    """The login after a refresh; what the answer lacks stays as it was (RFC 6749 section 6)."""
    if isinstance(tokens, Rotated):  # the old access token lives as long as it does
        return old.model_copy(update={"refresh_token": tokens.refresh_token})
    return old.model_copy(update=_told(replace(tokens, resource_url=_usable(tokens.resource_url)), now))


def _told(tokens: TokenAnswer, now: float) -> dict[str, Any]:
    """What an answer says, as fields of the login."""
    said = {**asdict(tokens), "expiry_date": int((now + tokens.expires_in) * 1000)}
    known = said.keys() & Credentials.model_fields.keys()
    return {name: said[name] for name in known if said[name] is not None}


def merged_answer(old: Credentials, caught: bytes, at: float, now: float) -> Credentials | None:
    """The login after a refresh whose answer was caught but not worked off; None if it brought no tokens.

    Args:
        old: The login before.
        caught: What was caught of the answer's body.
        at: When it was caught, in epoch seconds.
        now: The same of now.
    """
    outcome = read_refresh_answer(HttpAnswer(200, {}, caught), old.refresh_token or "")
    at = max(0.0, min(at, now))  # a file's time may be anything
    if isinstance(outcome, TokenAnswer) and leads_here(outcome.resource_url or ""):
        # Which server said so is not known any more: where the login led stays.
        outcome = replace(outcome, resource_url=old.resource_url)
    return merged(old, outcome, at) if isinstance(outcome, (TokenAnswer, Rotated)) else None


def _usable(resource_url: str | None) -> str | None:
    """The answer's `resource_url`, unless no token may be sent there."""
    if resource_url is not None:
        try:
            api_base_of(resource_url)
        except ConfigurationError as error:
            _log.warning("The server named an endpoint that is not used; the old one stays. %s", error)
            return None
    return resource_url
