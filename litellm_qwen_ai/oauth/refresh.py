"""One refresh: send the refresh token, read the answer, try again shortly if the server stumbled."""

from __future__ import annotations

import http.client
import io
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.oauth.protocol import (
    HttpAnswer,
    Inconclusive,
    Refused,
    Rotated,
    TokenAnswer,
    read_refresh_answer,
    refresh_request,
)
from litellm_qwen_ai.oauth.transport import TransportError
from litellm_qwen_ai.oauth.urls import api_base_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.transport import Poster
    from litellm_qwen_ai.stores.files.login import Draft

TIMEOUT = 30.0  # seconds for one answer
RETRY_PAUSES = (0.1, 0.3)  # seconds before the second and the third try
_RETRY_BUDGET = 10.0  # seconds: after a slow failure nobody is made to wait for another
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refresher:
    """Sends refreshes to one server. Whether it may send at all is the caller's affair.

    Attributes:
        base_url: The OAuth server.
        client_id: The OAuth client id.
        poster: Sends a request.
        monotonic: A clock in seconds that never jumps.
        sleep: Waits for some seconds.
    """

    base_url: str
    client_id: str
    poster: Poster
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]

    def ask(
        self, refresh_token: str, *, patient: bool, draft: Draft | None = None
    ) -> TokenAnswer | Rotated | Refused | Inconclusive:
        """Send the refresh token.

        Sending it a second time does no harm: if the first time spent it, nothing else is left to try.

        Args:
            refresh_token: The one to spend.
            patient: Try up to three times while the answer decides nothing: the caller has no other token.
            draft: Catches the answer.
        """
        begun = self.monotonic()
        for pause in (*(RETRY_PAUSES if patient else ()), None):
            outcome = self._once(refresh_token, draft)
            if not isinstance(outcome, Inconclusive) or pause is None:
                break
            if (outcome.retry_after or 0.0) > pause or self.monotonic() - begun > _RETRY_BUDGET:
                break
            self.sleep(pause)
        return outcome

    def _once(
        self, refresh_token: str, draft: Draft | None
    ) -> TokenAnswer | Rotated | Refused | Inconclusive:
        request = refresh_request(self.base_url, self.client_id, refresh_token)
        if draft is not None:
            draft.expect()
            request = replace(request, catcher=draft)
        try:
            answer = self.poster(request, TIMEOUT)
        except (TransportError, OSError) as error:
            return Inconclusive(f"{error}.")
        if draft is not None and not draft.caught:  # a poster that knows nothing of catchers
            draft.catch(answer.body)
        return read_refresh_answer(answer, refresh_token)


def merged(old: Credentials, tokens: TokenAnswer | Rotated, now: float) -> Credentials:
    """The login after a refresh; what the answer lacks stays as it was (RFC 6749 section 6).

    Args:
        old: The login before.
        tokens: The answer.
        now: When it came, in epoch seconds.
    """
    if isinstance(tokens, Rotated):  # the old access token lives as long as it does
        return old.model_copy(update={"refresh_token": tokens.refresh_token})
    told = {
        "access_token": tokens.access_token,
        "token_type": tokens.token_type,
        "refresh_token": tokens.refresh_token,
        "resource_url": _usable(tokens.resource_url),
        "expiry_date": int((now + tokens.expires_in) * 1000),
        "scope": tokens.scope,
        "id_token": tokens.id_token,
    }
    return old.model_copy(update={name: value for name, value in told.items() if value is not None})


def merged_answer(old: Credentials, caught: bytes, at: float) -> Credentials | None:
    """The login after a refresh whose answer was caught but not worked off; None if it brought no tokens.

    Args:
        old: The login before.
        caught: What was caught of the answer: all that came from the network, or its body alone.
        at: When it was caught, in epoch seconds.
    """
    body = _body(caught) if caught.startswith(b"HTTP/") else caught
    outcome = read_refresh_answer(HttpAnswer(200, {}, body), old.refresh_token or "")
    return merged(old, outcome, at) if isinstance(outcome, (TokenAnswer, Rotated)) else None


class _Caught:
    """What `http.client` takes for a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _body(caught: bytes) -> bytes:
    """The body of an HTTP/1.1 answer with status 200; nothing if it is another or not all of it is there."""
    answer = http.client.HTTPResponse(cast("socket.socket", _Caught(caught)))
    try:
        answer.begin()
        return answer.read() if answer.status == 200 else b""  # noqa: PLR2004  # tokens come with it
    except (http.client.HTTPException, ValueError):
        return b""


def _usable(resource_url: str | None) -> str | None:
    """The answer's `resource_url`, unless no token may be sent there."""
    if resource_url is not None:
        try:
            api_base_of(resource_url)
        except ConfigurationError as error:
            _log.warning("The server named an endpoint that is not used; the old one stays. %s", error)
            return None
    return resource_url
