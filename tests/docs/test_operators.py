"""docs/operators.md names what is there."""

from __future__ import annotations

import inspect
import re

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")


def test_the_buttons_of_the_page_are_called_what_they_are() -> None:
    named = set(re.findall(r"(?<![*\w])\*([A-Z][^*\n]+)\*(?![*\w])", PAGE.partition("Who may do what")[0]))
    assert "Sign in" in named
    folder = ROOT / "litellm_qwen_ai" / "proxy"
    page = "".join((folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.js"))
    there = set(re.findall(r'[>"]([A-Z][a-z ]+)(?=[<"])', page))
    assert named <= there


def test_workers_may_be_given_more_time_to_start() -> None:
    uvicorn = pytest.importorskip("uvicorn", reason="it comes with the extra proxy")
    from litellm.proxy.proxy_cli import run_server  # noqa: PLC0415  # LiteLLM's proxy takes seconds to import

    assert "--timeout_worker_healthcheck 120" in PAGE
    options = {name for parameter in run_server.params for name in parameter.opts}
    assert "--timeout_worker_healthcheck" in options
    assert inspect.signature(uvicorn.Config).parameters["timeout_worker_healthcheck"].default == 5
