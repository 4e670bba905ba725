"""LiteLLM's `chatgpt` authenticator as a racer or a victim, in a process of its own; run by `chatgpt.py`.

Its addresses are constants: here, and here only, they are those of the drill's server.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import racer
import victim
from litellm.llms.chatgpt import authenticator


@dataclass(frozen=True)
class Peer:
    """Looks like a session to `racer.py`."""

    authenticator: Any
    access_token: str = ""

    def get(self, *, rejected: str | None) -> Peer:  # noqa: ARG002  # it has no such thing
        return Peer(self.authenticator, self.authenticator.get_access_token())


def new_peer(folder: Path, url: str) -> Peer:
    os.environ["CHATGPT_TOKEN_DIR"] = str(folder)
    for name in ("OAUTH_TOKEN_URL", "DEVICE_CODE_URL", "DEVICE_TOKEN_URL", "DEVICE_VERIFY_URL"):
        setattr(authenticator, f"CHATGPT_{name}", url)
    return Peer(authenticator.Authenticator())


def refresh_for_ever(folder: Path, url: str, rounds: int) -> None:
    peer = new_peer(folder, url)
    while rounds:
        peer.get(rejected=None)
        rounds -= 1


def warm_up() -> None:
    """Import and make what its first call would, as is done for ours: processes inherit it."""
    peer = new_peer(Path(sys.executable).parent, "http://127.0.0.1:9")
    with contextlib.suppress(authenticator.RefreshAccessTokenError):
        peer.authenticator._refresh_tokens("none")
    with contextlib.suppress(authenticator.GetDeviceCodeError):
        peer.authenticator._request_device_code()


if __name__ == "__main__":
    litellm.suppress_debug_info = True
    warm_up()
    if len(sys.argv) == 2:
        racer.main(new_peer)
    else:
        victim.main(refresh_for_ever)
