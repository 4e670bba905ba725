"""The private names that we lean on: each is there, and each that the route can do without may go."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import litellm
import pytest

import litellm_qwen_ai
from litellm_qwen_ai.proxy.accounts import accounts_of
from litellm_qwen_ai.route import host, patches, private_names
from litellm_qwen_ai.sandbox import Sandbox

ROUTE_NEEDS = [name for name, without in private_names.NAMES.items() if "route does not work" in without]
OPTIONAL = [name for name in private_names.NAMES if name not in ROUTE_NEEDS]


@pytest.mark.parametrize("name", private_names.NAMES)
def test_what_is_installed_has(name: str) -> None:
    gone = f"LiteLLM {private_names.installed_version()} does not have {name}: {private_names.NAMES[name]}"
    assert private_names.has(name), gone


def test_what_is_installed_has_the_module_that_betrays_a_proxy() -> None:
    assert importlib.util.find_spec(private_names.PROXY_SERVER) is not None


def test_what_the_adaptations_hook_into_has_the_shape_they_look_for() -> None:
    patches.apply_adaptations()  # what another test has loaded of a proxy is later than ours
    broken = [name for name, active in patches.active_adaptations().items() if not active]
    assert not broken, f"with LiteLLM {private_names.installed_version()} these no longer apply: {broken}"


def test_a_name_that_is_not_listed_cannot_be_looked_up() -> None:
    with pytest.raises(KeyError, match="not listed"):
        private_names.look_up("litellm.main.completion")


def test_a_module_that_is_gone_is_like_a_name_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(private_names.NAMES, "litellm.no_such_module.name", "nothing")
    assert not private_names.has("litellm.no_such_module.name")
    assert private_names.look_up("litellm.no_such_module.name") is None


def test_without_all_optional_names_the_route_answers_all_the_same(
    sandbox: Sandbox, login: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert login.exists()
    assert sandbox.url
    found = private_names._find
    monkeypatch.setattr(
        private_names, "_find", lambda name: private_names._GONE if name in OPTIONAL else found(name)
    )
    patches.remove_adaptations()
    try:
        host.install(litellm_qwen_ai.handler)
        active = patches.active_adaptations()
        active.pop("health checks", None)  # a proxy's, which other tests may have loaded
        assert len(active) == 4
        assert not any(active.values())
        answer = litellm.completion("qwen_ai/coder-model", messages=[{"role": "user", "content": "ping"}])
        assert "ping" in answer.choices[0].message.content
    finally:
        monkeypatch.undo()
        patches.apply_adaptations()


def test_without_a_name_that_the_route_needs_it_is_said_what_is_gone_and_what_to_do() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private_names, "_find", lambda name: private_names._GONE)
        with pytest.raises(ImportError, match=r"_get_httpx_client.* Install an earlier LiteLLM, or a later"):
            private_names.need(next(name for name in ROUTE_NEEDS if name.endswith("_get_httpx_client")))


@pytest.mark.parametrize(
    "ours", [{"model": "qwen_ai/coder-model"}, {"model": "coder-model", "custom_llm_provider": "qwen_ai"}]
)
def test_an_account_that_only_a_deployment_names_is_found_without_a_warning(
    make_router: Callable[..., litellm.Router], ours: dict[str, str]
) -> None:
    bobs = {**ours, "api_base": "http://127.0.0.1:9/v1"}
    router = make_router(
        {"model_name": "qwen", "litellm_params": bobs, "model_info": {"qwen_account": "bob"}}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert accounts_of(SimpleNamespace(llm_router=router)) == ["bob"]


def test_a_router_that_hides_its_deployments_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    private_names._say_that_deployments_are_hidden.cache_clear()
    caplog.set_level(logging.WARNING, "litellm_qwen_ai")
    server = SimpleNamespace(llm_router=SimpleNamespace(registry=SimpleNamespace))
    assert accounts_of(SimpleNamespace(llm_router=None)) == []
    assert not caplog.records
    assert accounts_of(server) == accounts_of(server) == []
    assert [record.getMessage().count("registry().all() nor model_list") for record in caplog.records] == [1]
