"""One refresh: send the refresh token, read the answer, try again shortly if the server stumbled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.protocol import (
    Inconclusive,
    Refused,
    Rotated,
    TokenAnswer,
    read_refresh_answer,
    refresh_request,
)
from litellm_qwen_ai.oauth.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

    from litellm_qwen_ai.oauth.transport import Poster
    from litellm_qwen_ai.stores.files.login import Draft

TIMEOUT = 30.0  # seconds for one answer
RETRY_PAUSES = (0.1, 0.3)  # seconds before the second and the third try
_RETRY_BUDGET = 10.0  # seconds: after a slow failure nobody is made to wait for another
_OK = 200  # the status that comes with tokens


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
        if draft is not None and not draft.caught and answer.status == _OK:  # a poster without catchers
            draft.catch(answer.body)
        return read_refresh_answer(answer, refresh_token)
