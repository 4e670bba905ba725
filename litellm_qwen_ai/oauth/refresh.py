"""One refresh: send the refresh token, read the answer, try again shortly if the server stumbled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.network import TransportError
from litellm_qwen_ai.oauth.protocol import Inconclusive, Refused, Rotated, TokenAnswer, read_refresh_answer

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.clocks import Clocks
    from litellm_qwen_ai.oauth.door import Turn
    from litellm_qwen_ai.oauth.protocol import OAuthRequest
    from litellm_qwen_ai.oauth.transport import Poster

RETRY_PAUSES = (0.1, 0.3)  # seconds before the second and the third try
LONGEST_WAIT = 5.0  # seconds: a server that asks for more is not waited for
_RETRY_BUDGET = 10.0  # seconds: after a slow failure nobody is made to wait for another
_OK = 200  # the status that comes with tokens


def refresh(
    request: OAuthRequest, turn: Turn, poster: Poster, clocks: Clocks, *, patient: bool
) -> TokenAnswer | Rotated | Refused | Inconclusive | None:
    """Send a `refresh_request`; None if the turn was lost before anything was sent.

    If `patient`, for the caller has no other token, it is sent up to three times while the answer decides
    nothing. That does no harm: if the first time spent the token, nothing else is left to try.
    """
    begun = clocks.monotonic()
    for pause in (*(RETRY_PAUSES if patient else ()), None):
        outcome = _once(request, turn, poster)
        if not isinstance(outcome, Inconclusive) or pause is None:
            break
        wait = max(pause, outcome.retry_after or 0.0)
        if wait > LONGEST_WAIT or clocks.monotonic() - begun > _RETRY_BUDGET:
            break
        clocks.sleep(wait)
    return outcome


def _once(
    request: OAuthRequest, turn: Turn, poster: Poster
) -> TokenAnswer | Rotated | Refused | Inconclusive | None:
    turn.expect()
    patience = turn.patience()
    if patience is None:
        return None
    try:
        answer = poster(replace(request, catcher=turn), patience)
    except (TransportError, OSError) as error:
        return Inconclusive(f"{error}.")
    if not turn.caught and answer.status == _OK:  # a poster that knows nothing of catchers
        turn.catch(answer.body)
    return read_refresh_answer(answer, request.form["refresh_token"])
