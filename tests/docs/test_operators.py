"""docs/operators.md names what is there."""

from __future__ import annotations

import inspect
import re

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")


def test_the_buttons_of_the_page_are_called_what_they_are() -> None:
    named = set(re.findall(r"(?<![*\w])\*([A-Z][^*\n]+)\*(?![*\w])", PAGE))
    folder = ROOT / "litellm_qwen_ai" / "proxy"
    page, script = ((folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.js"))
    there = set(re.findall(r'<(?:button|summary|a class="button)\b[^>]*>([A-Z][a-z ]+)<', page))
    for line in re.findall(r"^ +(?:label\(part\(|const again =).*", script, re.MULTILINE):
        there |= set(re.findall(r'"([A-Z][a-z ]+)"', line))
    assert {"Continue", "Sign in instead", "Dismiss"} <= there
    assert named == there | {"Add an account"}  # a heading


def test_workers_may_be_given_more_time_to_start() -> None:
    uvicorn = pytest.importorskip("uvicorn", reason="it comes with the extra proxy")
    from litellm.proxy.proxy_cli import run_server  # noqa: PLC0415  # LiteLLM's proxy takes seconds to import

    assert "--timeout_worker_healthcheck 120" in PAGE
    options = {name for parameter in run_server.params for name in parameter.opts}
    assert "--timeout_worker_healthcheck" in options
    assert inspect.signature(uvicorn.Config).parameters["timeout_worker_healthcheck"].default == 5
