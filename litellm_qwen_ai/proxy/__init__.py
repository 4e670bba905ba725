"""Signing in to a running LiteLLM proxy, in a browser.

With `LITELLM_WORKER_STARTUP_HOOKS=litellm_qwen_ai.proxy:startup`, each worker of the proxy serves `PAGE` and,
for proxy admins only, the JSON that the page asks for. What a login needs to go on is in the token folder, so
any worker can answer any request. docs/operators.md says how to use it; `api.py` says what is answered,
`metrics.py` what Prometheus is told.
"""

from __future__ import annotations

import logging
import sys

from litellm_qwen_ai.names import LOGGER
from litellm_qwen_ai.route.bearer import name_page
from litellm_qwen_ai.route.private_names import PROXY_NAMES, PROXY_SERVER, installed_version

__all__ = ["PAGE", "startup"]

PAGE = "/qwen_ai"
_MARK = "litellm_qwen_ai_page"
_logger = logging.getLogger(LOGGER)


def startup() -> None:
    """LiteLLM's worker startup hook: put the page on the proxy; idempotent.

    A LiteLLM that lacks what the page needs starts without it, and says so in its log: a proxy's calls matter
    more than its page.

    Raises:
        RuntimeError: This is no LiteLLM proxy.
    """
    server = sys.modules.get(PROXY_SERVER)
    if server is None:
        raise RuntimeError(
            "litellm_qwen_ai.proxy:startup is for LITELLM_WORKER_STARTUP_HOOKS of a LiteLLM proxy; "
            "here is none. Start it with: litellm --config config.yaml"
        )
    missing = [name for name in PROXY_NAMES if not hasattr(server, name)]
    if missing:
        _logger.error(
            "The page %s is not there: LiteLLM %s has no %s any more. Sign in with `litellm-qwen-ai login`, "
            "and install an earlier LiteLLM or a later litellm-qwen-ai.",
            PAGE,
            installed_version(),
            " and no ".join(f"proxy_server.{name}" for name in missing),
        )
        return
    if getattr(server.app.state, _MARK, False):
        return
    from litellm_qwen_ai.proxy.api import router_for  # noqa: PLC0415  # FastAPI is the proxy's, not ours
    from litellm_qwen_ai.proxy.metrics import keep_metrics  # noqa: PLC0415  # for a proxy alone

    server.app.include_router(router_for(server, PAGE))
    setattr(server.app.state, _MARK, True)
    name_page(PAGE)
    keep_metrics(server)
    _logger.info("The page to sign in to Qwen is at %s", PAGE)


def __dir__() -> list[str]:
    return sorted(__all__)
