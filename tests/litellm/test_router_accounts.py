"""A deployment's account is its own: set in `model_info`, a name, and no client's to change."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.route import trust
from litellm_qwen_ai.sandbox import Sandbox

MESSAGES = [{"role": "user", "content": "ping"}]

MakeRouter = Callable[..., litellm.Router]


def _deployment(account: str | None = None, **params: Any) -> Any:
    info = {} if account is None else {"model_info": {"qwen_account": account}}
    return {"model_name": "qwen", "litellm_params": {"model": "qwen_ai/coder-model", **params}, **info}


#: What a proxy's client could put into a request.
ATTEMPTS = [
    {"qwen_account": "bob"},
    {"model_info": {"qwen_account": "bob"}},
    {"metadata": {"qwen_account": "bob", "model_info": {"qwen_account": "bob"}}},
    {"metadata": {"model_group": None}, "qwen_account": "bob"},
    {"litellm_params": {"model_info": {"qwen_account": "bob"}}},
    {"extra_headers": {"qwen_account": "bob"}},
]


@pytest.mark.usefixtures("own_loop")
@pytest.mark.parametrize("attempt", ATTEMPTS, ids=range(len(ATTEMPTS)))
async def test_no_call_switches_a_deployments_account(
    accounts: Any, make_router: MakeRouter, attempt: dict[str, Any]
) -> None:
    router = make_router(_deployment("alice"))
    await router.acompletion("qwen", messages=MESSAGES, **attempt)
    assert accounts.asked() == ["alice"]


def test_no_form_of_a_call_does(form: Any, accounts: Any, make_router: MakeRouter) -> None:
    router = make_router(_deployment("alice"))
    form(router.completion, router.acompletion, model="qwen", messages=MESSAGES, **ATTEMPTS[0])
    assert accounts.asked() == ["alice"]


@pytest.mark.usefixtures("own_loop")
async def test_no_other_surface_switches_it_either(accounts: Any, make_router: MakeRouter) -> None:
    router: Any = make_router(_deployment("alice"))
    attempt: dict[str, Any] = {"qwen_account": "bob", "model_info": {"qwen_account": "bob"}}
    await router.atext_completion(model="qwen", prompt="ping", **attempt)
    await router.aresponses(model="qwen", input="ping", **attempt)
    async for _ in await router.aresponses(model="qwen", input="ping", stream=True, **attempt):
        pass
    await router.aanthropic_messages(model="qwen", messages=MESSAGES, max_tokens=50, **attempt)
    assert accounts.asked() == ["alice"] * 4


def test_an_account_in_the_wrong_place_is_ignored_with_one_warning(
    accounts: Any, make_router: MakeRouter, caplog: pytest.LogCaptureFixture
) -> None:
    trust._warn_of_ignored_account.cache_clear()
    router = make_router(_deployment(qwen_account="bob"))
    with caplog.at_level(logging.WARNING, "litellm_qwen_ai"):
        for _ in range(2):
            router.completion("qwen", messages=MESSAGES)
    assert accounts.asked() == ["oauth_creds", "oauth_creds"]
    assert [record.name for record in caplog.records].count("litellm_qwen_ai") == 1
    assert "model_info: {qwen_account: <name>}" in caplog.text


def test_an_account_is_a_name_and_never_a_path(
    sandbox: Sandbox, accounts: Any, make_router: MakeRouter
) -> None:
    router = make_router(_deployment("../bob"))
    with pytest.raises(litellm.BadRequestError, match="no account name"):
        router.completion("qwen", messages=MESSAGES)
    assert accounts.asked() == []
    assert sandbox.requests == []


def test_each_account_renews_its_own_login(
    sandbox: Sandbox, accounts: Any, make_router: MakeRouter, token_dir: Path
) -> None:
    accounts.log_in("alice", lifetime=-60)
    before = {path.name: path.read_bytes() for path in token_dir.glob("*.json")}
    router = make_router(_deployment("alice"))
    assert router.completion("qwen", messages=MESSAGES).choices[0].message.content
    after = {path.name: path.read_bytes() for path in token_dir.glob("*.json")}
    assert len(sandbox.requests_to("refresh")) == 1
    assert [name for name in before if before[name] != after[name]] == ["alice.json"]
    token = json.loads(after["alice.json"])["access_token"]
    assert sandbox.requests_to("chat")[0].headers["authorization"] == f"Bearer {token}"


def test_without_an_account_the_default_login_is_used(accounts: Any, make_router: MakeRouter) -> None:
    make_router(_deployment()).completion("qwen", messages=MESSAGES)
    assert accounts.asked() == ["oauth_creds"]


def test_an_account_without_a_login_names_the_command(
    sandbox: Sandbox, accounts: Any, make_router: MakeRouter
) -> None:
    router = make_router(_deployment("carol"))
    with pytest.raises(litellm.AuthenticationError, match="litellm-qwen-ai login") as failure:
        router.completion("qwen", messages=MESSAGES)
    assert "carol.json" in str(failure.value)
    assert accounts.asked() == []
    assert sandbox.requests == []
