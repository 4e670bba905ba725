"""What a proxy's client may choose, told by what LiteLLM notes of a call."""

from __future__ import annotations

import logging
from typing import Any

import litellm
import pytest
from litellm.types.utils import CredentialItem

from litellm_qwen_ai.route.trust import _warn_of_ignored_account, account_of, in_router, is_clients_address

ROUTED = {"metadata": {"model_group": "qwen"}}
EVIL = "https://evil.example/v1"


def _sent(**body: Any) -> dict[str, Any]:
    return {"proxy_server_request": {"url": "http://proxy/v1", "headers": {}, "body": body}}


@pytest.mark.parametrize(
    ("params", "litellm_params", "account"),
    [
        ({}, {}, None),
        ({"qwen_account": "alice"}, {}, "alice"),
        ({}, {"model_info": {"qwen_account": "alice"}}, "alice"),
        ({"qwen_account": "bob"}, {"model_info": {"qwen_account": "alice"}}, "alice"),
        # Under a Router the deployment's model_info alone counts.
        ({"qwen_account": "bob"}, ROUTED, None),
        ({"qwen_account": "bob"}, {**ROUTED, "model_info": {"qwen_account": "alice"}}, "alice"),
        # In a proxy without a Router, what the client has sent arrives as it is.
        ({"qwen_account": "bob"}, _sent(qwen_account="bob"), None),
        (
            {},
            {**_sent(model_info={"qwen_account": "bob"}), "model_info": {"qwen_account": "bob"}},
            None,
        ),
        (
            {},
            {
                **_sent(model_info={"qwen_account": "bob"}, metadata={"model_group": "x"}),
                "metadata": {"model_group": "x"},
                "model_info": {"qwen_account": "bob"},
            },
            None,
        ),
        # With one, Router has put the deployment's over it.
        (
            {},
            {
                **_sent(model_info={"qwen_account": "bob"}),
                **ROUTED,
                "model_info": {"id": "1", "qwen_account": "alice"},
            },
            "alice",
        ),
        # A Router that the client itself has described.
        ({}, {**_sent(user_config={}), **ROUTED, "model_info": {"qwen_account": "bob"}}, None),
        ({}, {"model_info": "alice"}, None),
    ],
)
def test_a_client_does_not_choose_the_account(
    params: dict[str, Any], litellm_params: dict[str, Any], account: str | None
) -> None:
    assert account_of(params, litellm_params) == account


@pytest.mark.parametrize(
    ("litellm_params", "theirs"),
    [
        ({}, False),
        (ROUTED, False),
        ({**ROUTED, **_sent(model="qwen")}, False),
        ({**ROUTED, "model_info": {"id": "2", "original_model_id": "1"}}, True),
        (_sent(api_base=EVIL), True),
        (_sent(base_url=EVIL), True),
        (_sent(api_base="https://another.example"), False),
        (_sent(fallbacks=[{"model": "qwen_ai/coder-model", "api_base": EVIL}]), True),
        (_sent(user_config={"model_list": []}), True),
        (_sent(messages=[{"role": "user", "content": [{"api_base": EVIL}]}]), False),
        # Router notes the deployment's address in the very object that the client's body holds.
        (_sent(metadata={"api_base": EVIL}), False),
        (_sent(litellm_metadata={"api_base": EVIL}), False),
        (_sent(fallbacks=[{"model": "qwen", "metadata": {"api_base": EVIL}}]), False),
        (_sent(metadata={"api_base": EVIL}, api_base=EVIL), True),
        (_sent(fallbacks=[{"model": "qwen", "metadata": {"api_base": EVIL}, "base_url": EVIL}]), True),
    ],
)
def test_an_address_that_came_with_a_request_is_told_from_the_operators(
    litellm_params: dict[str, Any], theirs: bool
) -> None:
    assert is_clients_address(EVIL, litellm_params) is theirs
    assert not is_clients_address(None, litellm_params)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = CredentialItem(credential_name="door", credential_info={}, credential_values={"api_base": EVIL})
    monkeypatch.setattr(litellm, "credential_list", [stored])


@pytest.mark.usefixtures("credentials")
def test_a_credential_that_a_client_names_is_its_choice() -> None:
    for sent in ({"litellm_credential_name": "door"}, {"fallbacks": [{"litellm_credential_name": "door"}]}):
        assert is_clients_address(EVIL, _sent(**sent))
        assert not is_clients_address("https://own.example/v1", _sent(**sent))
    assert not is_clients_address(EVIL, _sent(litellm_credential_name="another"))


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("is_on", "provider", "credential", "theirs"),
    [
        (True, "qwen_ai", "door", False),
        (False, "qwen_ai", "door", True),
        (True, "azure", "door", True),
        (True, "qwen_ai", "another", True),
    ],
)
def test_what_an_admin_chose_for_a_team_is_the_operators(
    monkeypatch: pytest.MonkeyPatch, is_on: bool, provider: str, credential: str, theirs: bool
) -> None:
    name = "enable_model_config_credential_overrides"
    monkeypatch.setattr(litellm, name, is_on, raising=False)
    chosen = {"model_config": {"qwen": {provider: {"litellm_credentials": credential}}}}
    call = {
        **_sent(api_base=EVIL),  # LiteLLM notes it as if the client had sent it
        "metadata": {"model_group": "qwen", "user_api_key_team_metadata": chosen},
        "model_info": {"id": "2", "original_model_id": "1"},
    }
    assert is_clients_address(EVIL, call) is theirs
    for odd in ("x", ["x"], {"model_config": "x"}, {"model_config": {"qwen": "x", "more": {"qwen_ai": 1}}}):
        assert is_clients_address(EVIL, {**call, "metadata": {"user_api_key_team_metadata": odd}})
        assert is_clients_address(EVIL, {**call, "metadata": odd})


def test_a_router_is_known_by_what_it_notes() -> None:
    assert in_router(ROUTED)
    assert in_router({"litellm_metadata": {"model_group": "qwen"}})
    assert not in_router({"metadata": "model_group"})


def test_an_account_in_the_wrong_place_is_ignored_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    named = {"qwen_account": "bob"}
    calls: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (named, ROUTED),
        (named, _sent(qwen_account="bob")),
        ({}, _sent(model_info=named)),
    ]
    for params, litellm_params in calls:
        caplog.clear()
        _warn_of_ignored_account.cache_clear()
        with caplog.at_level(logging.WARNING, "litellm_qwen_ai"):
            assert account_of(params, litellm_params) is None
            assert account_of(params, litellm_params) is None
        (record,) = caplog.records
        assert record.getMessage() == (
            "A qwen_account that a Router passes on or a proxy's client sends is ignored, since any "
            "client could send one. Set it in the deployment: model_info: {qwen_account: <name>}."
        )
    caplog.clear()
    _warn_of_ignored_account.cache_clear()
    own = {"model_info": {"qwen_account": 7}}
    quiet: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {**ROUTED, **own}),
        ({}, {**_sent(model_info={"id": 1}), **own}),
        ({}, {**_sent(model_info=None), **own}),
    ]
    assert [account_of(*call) for call in quiet] == ["7", "7", "7"]
    assert account_of({}, {**ROUTED, **_sent(model="m")}) is None
    assert account_of({}, {"proxy_server_request": {"body": "x"}}) is None
    assert caplog.records == []


@pytest.mark.parametrize(
    "params", [{"metadata": {"model_group": None}}, {"litellm_metadata": {"model_group": 1}}]
)
def test_a_routers_note_counts_whatever_it_says(params: dict[str, Any]) -> None:
    assert in_router(params)
    assert not in_router({})
    assert not in_router({"metadata": {"group": "model_group"}, "litellm_metadata": None})
