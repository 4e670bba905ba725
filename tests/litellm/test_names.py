"""The names of LiteLLM's that its documentation does not promise: each is there, and each may go."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import litellm
import pytest

import litellm_qwen_ai
from litellm_qwen_ai.route import host
from litellm_qwen_ai.route import litellm_names as _litellm
from litellm_qwen_ai.sandbox import Sandbox

PACKAGE = Path(litellm_qwen_ai.__file__).parent
ROUTE_NEEDS = [name for name, without in _litellm.NAMES.items() if "route does not work" in without]
OPTIONAL = [name for name in _litellm.NAMES if name not in ROUTE_NEEDS]


@pytest.mark.parametrize("name", _litellm.NAMES)
def test_this_litellm_has(name: str) -> None:
    gone = f"LiteLLM {_litellm.installed_version()} does not have {name}: {_litellm.NAMES[name]}"
    assert _litellm.has(name), gone


def test_this_litellm_has_the_module_that_betrays_a_proxy() -> None:
    assert importlib.util.find_spec(_litellm.PROXY_SERVER) is not None


def test_what_the_adaptations_hook_into_has_the_shape_they_look_for() -> None:
    broken = [name for name, active in host.active_adaptations().items() if not active]
    assert not broken, f"with LiteLLM {_litellm.installed_version()} these no longer apply: {broken}"


def test_every_name_that_is_looked_up_is_listed_and_the_other_way_round() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py") if path.name != "litellm_names.py"
    )
    source = source.replace('_HTTP + "', '"litellm.llms.custom_httpx.http_handler.')
    listed = set(_litellm.NAMES) - {"litellm.models_by_provider"}  # an attribute of what models.py is given
    assert {name for name in listed if f'"{name}"' not in source} == set()
    looked_up = set(re.findall(r'(?:need|look_up|has)\(\s*"([^"]+)"', source))
    assert looked_up
    assert looked_up <= set(_litellm.NAMES)


def test_a_name_that_is_not_listed_cannot_be_looked_up() -> None:
    with pytest.raises(KeyError, match="not listed"):
        _litellm.look_up("litellm.main.completion")


def test_a_module_that_is_gone_is_like_a_name_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_litellm.NAMES, "litellm.no_such_module.name", "nothing")
    assert not _litellm.has("litellm.no_such_module.name")
    assert _litellm.look_up("litellm.no_such_module.name") is None


def test_without_all_optional_names_the_route_answers_all_the_same(
    sandbox: Sandbox, login: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert login.exists()
    assert sandbox.url
    found = _litellm._find
    monkeypatch.setattr(_litellm, "_find", lambda name: _litellm._GONE if name in OPTIONAL else found(name))
    host.remove_adaptations()
    try:
        host.install(litellm, litellm_qwen_ai.handler)
        assert len(host.active_adaptations()) == 3
        assert not any(host.active_adaptations().values())
        answer = litellm.completion("qwen_ai/coder-model", messages=[{"role": "user", "content": "ping"}])
        assert "ping" in answer.choices[0].message.content
    finally:
        monkeypatch.undo()
        host.apply_adaptations()


def test_without_a_name_that_the_route_needs_it_is_said_what_is_gone_and_what_to_do() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_litellm, "_find", lambda name: _litellm._GONE)
        with pytest.raises(ImportError, match=r"_get_httpx_client.* Install an earlier LiteLLM, or a later"):
            _litellm.need(next(name for name in ROUTE_NEEDS if name.endswith("_get_httpx_client")))
