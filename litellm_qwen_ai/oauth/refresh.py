"""One refresh: send the refresh token, read the answer, try again shortly if the server stumbled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.network import TransportError
from litellm_qwen_ai.oauth.protocol import (
    Inconclusive,
    Refused,
    Rotated,
    TokenAnswer,
    read_refresh_answer,
    refresh_request,
)

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.clocks import Clocks
    from litellm_qwen_ai.oauth.door import Turn
    from litellm_qwen_ai.oauth.transport import Poster

RETRY_PAUSES = (0.1, 0.3)  # seconds before the second and the third try
LONGEST_WAIT = 5.0  # seconds: a server that asks for more is not waited for
_RETRY_BUDGET = 10.0  # seconds: after a slow failure nobody is made to wait for another
_OK = 200  # the status that comes with tokens


@dataclass(frozen=True, slots=True)
class Refresher:
    """Sends refreshes to one server. Whether it may send at all is the caller's affair.

    Attributes:
        base_url: The OAuth server.
        client_id: The OAuth client id.
        poster: Sends a request.
        clocks: The time.
    """

    base_url: str
    client_id: str
    poster: Poster
    clocks: Clocks

    def ask(
        self, refresh_token: str, *, patient: bool, turn: Turn
    ) -> TokenAnswer | Rotated | Refused | Inconclusive | None:
        """Send the refresh token.

        Sending it a second time does no harm: if the first time spent it, nothing else is left to try.

        Args:
            refresh_token: The one to spend.
            patient: Try up to three times while the answer decides nothing: the caller has no other token.
            turn: Says how long the answer may take, and catches it.

        Returns:
            What the server said; None if the turn was lost before anything was sent.
        """
        begun = self.clocks.monotonic()
        for pause in (*(RETRY_PAUSES if patient else ()), None):
            outcome = self._once(refresh_token, turn)
            if not isinstance(outcome, Inconclusive) or pause is None:
                break
            wait = max(pause, outcome.retry_after or 0.0)
            if wait > LONGEST_WAIT or self.clocks.monotonic() - begun > _RETRY_BUDGET:
                break
            self.clocks.sleep(wait)
        return outcome

    def _once(self, refresh_token: str, turn: Turn) -> TokenAnswer | Rotated | Refused | Inconclusive | None:
        request = refresh_request(self.base_url, self.client_id, refresh_token)
        turn.expect()
        patience = turn.patience()
        if patience is None:
            return None
        request = replace(request, catcher=turn)
        try:
            answer = self.poster(request, patience)
        except (TransportError, OSError) as error:
            return Inconclusive(f"{error}.")
        if not turn.caught and answer.status == _OK:  # a poster that knows nothing of catchers
            turn.catch(answer.body)
        return read_refresh_answer(answer, refresh_token)
