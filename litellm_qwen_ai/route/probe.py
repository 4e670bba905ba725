"""What `litellm-qwen-ai doctor` cannot see without LiteLLM. In a process of its own; prints one JSON object.

python -m litellm_qwen_ai.route.probe [call [account]]
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

MODEL = "qwen_ai/coder-model"
_MAX_TEXT = 600  # characters of an exception


def main(arguments: list[str]) -> None:
    """Look, print, and with `call` make one tiny call."""
    print(json.dumps(look() | (call(*arguments[1:2]) if arguments[:1] == ["call"] else {})))  # noqa: T201  # its result


def look() -> dict[str, Any]:
    """Whether LiteLLM can be imported, and what is registered with it.

    Returns:
        `litellm`: its version or None; `fault`: why it cannot be imported; `registered`: the route is ours;
        `past_python`: see `chat_past_python`; `adaptations`: name -> in force; `switched_off`: by
        QWEN_HOST_ADAPTATIONS.
    """
    try:
        import litellm  # noqa: PLC0415  # the point of this process

        from litellm_qwen_ai.names import PROVIDER  # noqa: PLC0415  # this process exists to find out whether it can be imported
        from litellm_qwen_ai.route.patches import active_adaptations  # noqa: PLC0415  # this process exists to find out whether it can be imported
        from litellm_qwen_ai.route.private_names import chat_past_python, installed_version  # noqa: PLC0415  # this process exists to find out whether it can be imported
        from litellm_qwen_ai.route.provider import handler  # noqa: PLC0415  # this process exists to find out whether it can be imported
        from litellm_qwen_ai.settings import is_on  # noqa: PLC0415  # this process exists to find out whether it can be imported
    except Exception as error:  # noqa: BLE001  # whatever a broken installation brings
        return {"litellm": None, "fault": _told(error)}
    entries = [entry for entry in litellm.custom_provider_map if entry["provider"] == PROVIDER]
    return {
        "litellm": installed_version(),
        "registered": any(entry["custom_handler"] is handler for entry in entries),
        "adaptations": active_adaptations(),
        "past_python": chat_past_python(),
        "switched_off": not is_on("QWEN_HOST_ADAPTATIONS"),
    }


def call(account: str | None = None) -> dict[str, Any]:
    """One call that costs next to nothing.

    Args:
        account: Whose login to use; None is the default one.

    Returns:
        `seconds` it took; `error`: type and text of the exception, or None.
    """
    import litellm  # noqa: PLC0415  # the point of this process

    more = {} if account is None else {"qwen_account": account}
    begun = time.monotonic()
    try:
        litellm.completion(
            model=MODEL,
            messages=[{"role": "user", "content": "Say ok."}],
            max_tokens=8,
            timeout=60,
            max_retries=0,
            **more,
        )
    except Exception as error:  # noqa: BLE001  # every failure is a finding
        return {"seconds": time.monotonic() - begun, "error": _told(error)}
    return {"seconds": time.monotonic() - begun, "error": None}


def _told(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:_MAX_TEXT]


if __name__ == "__main__":
    main(sys.argv[1:])
