"""The worker startup hook, without a proxy around it."""

from __future__ import annotations

import logging
import sys
from types import ModuleType
from typing import Any

import pytest

fastapi = pytest.importorskip("fastapi", reason="the page needs LiteLLM's proxy")

from litellm_qwen_ai import proxy  # noqa: E402  # only where there is a FastAPI
from litellm_qwen_ai.route import bearer as auth  # noqa: E402  # the same
from litellm_qwen_ai.route.private_names import PROXY_SERVER  # noqa: E402  # the same


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    module: Any = ModuleType(PROXY_SERVER)
    module.app = fastapi.FastAPI()
    module.user_api_key_auth = lambda: None
    monkeypatch.setitem(sys.modules, PROXY_SERVER, module)
    monkeypatch.setattr(auth, "_page", None)
    return module


def test_it_mounts_the_page_once(server: Any) -> None:
    before = len(server.app.routes)
    proxy.startup()
    mounted = len(server.app.routes)
    proxy.startup()
    assert mounted > before
    assert len(server.app.routes) == mounted
    assert server.app.url_path_for("accounts") == "/qwen_ai/api/accounts"


def test_without_what_it_needs_of_litellm_the_proxy_starts_and_its_log_says_so(
    server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    del server.user_api_key_auth
    with caplog.at_level(logging.ERROR):
        proxy.startup()
    assert "no proxy_server.user_api_key_auth" in caplog.text
    assert auth._page is None


def test_outside_of_a_proxy_it_says_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, PROXY_SERVER, raising=False)
    with pytest.raises(RuntimeError, match=r"LITELLM_WORKER_STARTUP_HOOKS"):
        proxy.startup()
