"""A sandbox in a process of its own that may be killed at any time: what it has issued survives in a file.

Prints its URL when it serves. Told a number on stdin, it prints `held` as soon as so many streams wait for
their first chunk (`hold` must be on). Ends with its stdin. `upstream.py PORT STATE_FILE TOKEN_LIFETIME`
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.sandbox.authority import Authority, OAuthRefusal, Rules, _Access, _Refresh


class RememberingAuthority(Authority):
    """Writes down what it issues before the answer goes out."""

    def __init__(self, rules: Rules, *, clock: Any, state: Path) -> None:
        super().__init__(rules, clock=clock)
        self._state = state
        self._granted: list[float] = []  # when, in epoch seconds
        self._refused = 0
        if state.exists():
            kept = json.loads(state.read_text())
            self._access = {token: _Access(*known) for token, known in kept["access"].items()}
            self._refresh = {token: _Refresh(*known) for token, known in kept["refresh"].items()}
            self._granted, self._refused = kept["granted"], kept["refused"]

    def refresh(self, form: Any, *, rotate: bool = True) -> dict[str, Any]:
        with self._lock:
            try:
                answer = super().refresh(form, rotate=rotate)
            except OAuthRefusal:
                self._refused += 1
                raise
            else:
                self._granted.append(self.clock())
                return answer
            finally:
                self.write()

    def write(self) -> None:
        kept = {
            "access": {
                token: [one.family, one.expires_at, one.revoked] for token, one in self._access.items()
            },
            "refresh": {token: [one.family, one.scope, one.alive] for token, one in self._refresh.items()},
            "granted": self._granted,
            "refused": self._refused,
        }
        draft = self._state.with_suffix(".new")
        draft.write_text(json.dumps(kept))
        draft.replace(self._state)


def main() -> None:
    port, state, lifetime = int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    sandbox = Sandbox(port=port, interval=0, token_lifetime=lifetime, reuse_detection=True, keep_requests=10)
    authority = RememberingAuthority(sandbox._authority.rules, clock=sandbox.now, state=state)
    sandbox._authority = authority
    with sandbox:
        if not state.exists():
            sandbox.write_credentials(state.parent / "tokens")
            authority.write()
        print(sandbox.url, flush=True)
        for line in sys.stdin:
            sandbox.wait_for_held("chat", int(line), at="chunk", timeout=120)
            print("held", flush=True)


if __name__ == "__main__":
    logging.disable(logging.ERROR)  # clients that hang up are what this is for
    main()
