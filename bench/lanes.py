"""The lanes: what is compared, and the environment that each one's process gets."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litellm_qwen_ai import Credentials

if TYPE_CHECKING:
    from pathlib import Path

_FOREIGN = ("QWEN_", "OPENAI_", "LITELLM_", "DASHSCOPE_", "GITHUB_COPILOT_", "AIOHTTP_")
_PROXIES = {"http_proxy", "https_proxy", "all_proxy"}
KEY = "sk-bench"
ACCOUNTS = 100
_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Lane:
    """One way to the upstream.

    Attributes:
        name: As it stands in tables and files.
        model: What LiteLLM is asked for; one that it has a price for, since a missing one costs time.
            Empty where LiteLLM is not asked.
        sync: Whether it has synchronous calls.
    """

    name: str
    model: str = ""
    sync: bool = True


LANES = (
    Lane("raw aiohttp", sync=False),
    Lane("openai SDK"),
    Lane("openai/", "openai/gpt-4o-mini"),
    Lane("dashscope/", "dashscope/qwen-plus"),
    Lane("github_copilot/", "github_copilot/gpt-4o"),
    Lane("qwen_ai/ OAuth", "qwen_ai/coder-model"),
    Lane("qwen_ai/ key", "qwen_ai/coder-model"),
    Lane("empty handler", "bench_floor/any"),
    Lane("empty handler, one request", "bench_post/any"),
)
BASE = "openai/"
OURS = "qwen_ai/ OAuth"
FLOOR = "empty handler"
POSTS = "empty handler, one request"
"""The same, but for one request by LiteLLM's HTTP client: the least of a provider that asks a server."""
BY_NAME = {lane.name: lane for lane in LANES}


def environment(folder: Path) -> dict[str, str]:
    """A lane's environment: nothing of ours or of other providers but the made-up logins.

    Args:
        folder: Where `write_logins` put them.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name.lower() not in _PROXIES
    }
    return {
        **kept,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "PYTHONHASHSEED": "0",
        "QWEN_TOKEN_DIR": str(folder / "qwen"),
        "GITHUB_COPILOT_TOKEN_DIR": str(folder / "copilot"),
    }


def write_logins(folder: Path, base_url: str) -> None:
    """Write made-up logins that never expire within a run: Qwen's, with its accounts, and Copilot's.

    Args:
        folder: Where to put them.
        base_url: The upstream, as an OpenAI base URL.
    """
    qwen = folder / "qwen"
    qwen.mkdir(mode=0o700)
    credentials = Credentials(
        access_token="bench-access",  # noqa: S106  # made up
        refresh_token="bench-refresh",  # noqa: S106  # made up
        resource_url=base_url,
        expiry_date=int((time.time() + _A_DAY) * 1000),
    ).to_json()
    for name in ["oauth_creds.json", *(f"account{number}.json" for number in range(ACCOUNTS))]:
        path = qwen / name
        path.write_bytes(credentials)
        path.chmod(0o600)
    copilot = folder / "copilot"
    copilot.mkdir(mode=0o700)
    (copilot / "access-token").write_text("bench")
    key = {"token": "bench", "expires_at": time.time() + _A_DAY, "endpoints": {"api": base_url}}
    (copilot / "api-key.json").write_text(json.dumps(key))
