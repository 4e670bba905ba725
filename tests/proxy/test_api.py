"""The page's JSON on a FastAPI app with a stand-in for LiteLLM's key check, and a real OAuth server."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

fastapi = pytest.importorskip("fastapi", reason="the page needs LiteLLM's proxy")

from fastapi.testclient import TestClient  # noqa: E402  # only where there is a FastAPI

from litellm_qwen_ai.accounts import account_of, known_accounts  # noqa: E402  # after the skip
from litellm_qwen_ai.oauth import keep_key  # noqa: E402  # after the skip
from litellm_qwen_ai.oauth.clocks import Clocks  # noqa: E402  # after the skip
from litellm_qwen_ai.proxy.accounts import accounts_of  # noqa: E402  # after the skip
from litellm_qwen_ai.proxy.api import router_for  # noqa: E402  # after the skip
from litellm_qwen_ai.sandbox import Sandbox  # noqa: E402  # after the skip
from litellm_qwen_ai.settings import Settings  # noqa: E402  # after the skip

ADMIN, VIEWER, USER = "sk-of-an-admin", "sk-of-a-viewer", "sk-of-a-user"
ROLES = {ADMIN: "proxy_admin", VIEWER: "proxy_admin_viewer", USER: "internal_user"}
CHANGES = [
    ("POST", "login"),
    ("POST", "poll"),
    ("POST", "cancel"),
    ("POST", "check"),
    ("POST", "key"),
    ("DELETE", "login"),
    ("DELETE", "account"),
]
PATHS = [("GET", "accounts"), *CHANGES]


def _check(request: fastapi.Request) -> Any:
    role = ROLES.get(request.headers.get("authorization", "").removeprefix("Bearer "))
    if role is None:
        raise fastapi.HTTPException(400, "No connected db.")
    return SimpleNamespace(user_role=role)


@pytest.fixture
def server() -> Any:
    return SimpleNamespace(user_api_key_auth=_check, master_key=ADMIN, general_settings={})


class Clock:
    """The real time of day, and what a test adds to it."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(server: Any, clock: Clock) -> Iterator[Any]:
    app = fastapi.FastAPI()
    app.include_router(router_for(server, "/qwen_ai", clocks=Clocks(now=clock)))
    with TestClient(app, headers={"authorization": f"Bearer {ADMIN}"}) as running:
        yield running


def _post(client: Any, path: str, account: str | None = None, **more: Any) -> Any:
    answer = client.post(f"/qwen_ai/api/{path}", json={"account": account, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def _accounts(client: Any) -> dict[str | None, Any]:
    answer = client.get("/qwen_ai/api/accounts")
    assert answer.status_code == 200, answer.text
    return {one["account"]: one for one in answer.json()["accounts"]}


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_without_a_key_there_is_no_data(client: Any, method: str, path: str) -> None:
    answer = client.request(method, f"/qwen_ai/api/{path}", json={}, headers={"authorization": ""})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Sign in with the key of a proxy admin."})


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_users_key_opens_nothing(client: Any, method: str, path: str) -> None:
    headers = {"authorization": f"Bearer {USER}"}
    answer = client.request(method, f"/qwen_ai/api/{path}", json={}, headers=headers)
    assert (answer.status_code, answer.json()) == (
        403,
        {"detail": "This key is valid, but not a proxy admin's."},
    )


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_an_admin_viewers_key_changes_nothing(client: Any, method: str, path: str) -> None:
    headers = {"authorization": f"Bearer {VIEWER}"}
    answer = client.request(method, f"/qwen_ai/api/{path}", json={}, headers=headers)
    assert (answer.status_code, "changes nothing" in answer.json()["detail"]) == (403, True)


def test_an_admin_viewer_sees_everything_but_the_code_that_could_be_approved(
    client: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir, "alice.json")
    code = _post(client, "login")["login"]["user_code"]
    answer = client.get("/qwen_ai/api/accounts", headers={"authorization": f"Bearer {VIEWER}"})
    assert answer.json()["may_change"] is False
    default, alice = answer.json()["accounts"]
    assert (alice["state"], default["login"]["state"]) == ("signed_in", "waiting")
    assert code not in answer.text
    assert client.get("/qwen_ai/api/accounts").json()["may_change"] is True


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_another_site_cannot_use_an_admins_browser(client: Any, method: str, path: str) -> None:
    answer = client.request(method, f"/qwen_ai/api/{path}", json={}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403


def test_no_cookie_is_a_key(client: Any) -> None:
    client.cookies.set("token", ADMIN)
    assert client.get("/qwen_ai/api/accounts", headers={"authorization": ""}).status_code == 401


def test_a_proxy_without_a_master_key_has_no_admins_and_says_so_to_anybody(client: Any, server: Any) -> None:
    assert client.get("/qwen_ai/api/door", headers={"authorization": ""}).json() == {"closed": None}
    server.master_key = None
    assert client.get("/qwen_ai/api/accounts").status_code == 403
    door = client.get("/qwen_ai/api/door", headers={"authorization": ""}).json()
    assert "LITELLM_MASTER_KEY" in door["closed"]


def test_a_proxys_own_check_decides_where_there_is_one(client: Any, server: Any) -> None:
    server.user_custom_auth, server.master_key = object(), None
    assert client.get("/qwen_ai/api/accounts").status_code == 200


@pytest.mark.parametrize("name", ["", "/page.css", "/page.js"])
def test_the_pages_files_hold_no_data_and_load_nothing_from_elsewhere(client: Any, name: str) -> None:
    answer = client.get(f"/qwen_ai{name}", headers={"authorization": ""})
    assert answer.status_code == 200
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.findall(r"https?://", answer.text)
    assert not re.findall(r"<style|style=|<script>|onclick=|innerHTML|eval\(|document\.write", answer.text)


def test_a_login_from_start_to_end_shows_no_secret(
    client: Any, sandbox: Sandbox, token_dir: Path, clock: Clock
) -> None:
    answers = [_post(client, "login")]
    assert (answers[0]["state"], answers[0]["login"]["state"]) == ("signed_out", "waiting")
    assert answers[0]["login"]["link"].startswith(sandbox.url)
    assert answers[0]["login"]["qr"].startswith("data:image/svg+xml")
    answers.append(_post(client, "poll"))
    assert answers[-1]["login"]["state"] == "waiting"
    sandbox.approve()
    clock.ahead = 10
    answers += [_post(client, "poll"), _accounts(client)[None]]
    assert (answers[-1]["state"], answers[-1]["login"]) == ("signed_in", None)
    assert answers[-1]["seconds_left"] > 21000
    stored = json.loads((token_dir / "oauth_creds.json").read_text())
    secrets = {stored["access_token"], stored["refresh_token"]}
    secrets |= {value for one in sandbox.requests for name, value in one.form.items() if name in SECRET}
    assert len(secrets) >= 4
    assert not [secret for secret in secrets if secret in json.dumps(answers)]


SECRET = {"device_code", "code_verifier", "refresh_token"}


def test_a_fresh_login_is_told_from_one_that_was_renewed(
    client: Any, sandbox: Sandbox, token_dir: Path, clock: Clock
) -> None:
    _post(client, "login")
    sandbox.approve()
    clock.ahead = 10
    assert _post(client, "poll")["renewed"] is False
    path = token_dir / "oauth_creds.json"
    stored = json.loads(path.read_text())
    path.write_text(
        json.dumps(stored | {"logged_in_at": stored["logged_in_at"] - 3_600_000, "expiry_date": 0})
    )
    checked = _post(client, "check")
    assert (checked["check"]["result"], checked["renewed"]) == ("accepted", True)
    assert json.loads(path.read_text())["logged_in_at"] == stored["logged_in_at"] - 3_600_000


def test_the_oauth_server_is_asked_at_its_own_pace_however_often_the_page_asks(
    client: Any, sandbox: Sandbox, clock: Clock
) -> None:
    _post(client, "login")
    for _ in range(5):
        _post(client, "poll")
    assert len(sandbox.requests_to("token")) == 0
    clock.ahead = 10
    for _ in range(5):
        _post(client, "poll")
    assert len(sandbox.requests_to("token")) == 1


def test_a_second_start_shows_the_same_code_and_a_new_one_if_asked(client: Any, sandbox: Sandbox) -> None:
    assert sandbox.url
    codes = [_post(client, "login", **more)["login"]["user_code"] for more in ({}, {}, {"anew": True})]
    assert codes[0] == codes[1] != codes[2]


def test_a_denied_login_stays_on_show_until_it_is_dismissed(
    client: Any, sandbox: Sandbox, clock: Clock
) -> None:
    _post(client, "login", "alice")
    sandbox.deny()
    clock.ahead = 10
    denied = _post(client, "poll", "alice")
    assert (denied["login"]["state"], denied["login"]["qr"], denied["login"]["link"]) == (
        "denied",
        None,
        None,
    )
    assert _accounts(client)["alice"]["login"]["state"] == "denied"
    assert _post(client, "cancel", "alice")["login"] is None


def test_an_expired_login_says_so_although_nobody_asked_meanwhile(
    client: Any, sandbox: Sandbox, clock: Clock
) -> None:
    assert sandbox.url
    _post(client, "login")
    clock.ahead = 3600
    assert _accounts(client)[None]["login"]["state"] == "expired"
    assert _post(client, "poll")["login"]["state"] == "expired"


def test_a_cancelled_login_is_forgotten(client: Any, sandbox: Sandbox) -> None:
    _post(client, "login")
    assert _post(client, "cancel")["login"] is None
    sandbox.approve()
    assert _post(client, "poll")["state"] == "signed_out"


def test_signing_out_removes_the_login_and_the_one_that_waits(
    client: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir)
    _post(client, "login")
    answer = client.delete("/qwen_ai/api/login")
    assert (answer.status_code, answer.json()["state"], answer.json()["login"]) == (200, "signed_out", None)
    assert not list(token_dir.glob("oauth_creds.json*[!k]")), "what is left is a lock"
    again = client.delete("/qwen_ai/api/login")
    assert (again.status_code, again.json()["state"]) == (200, "signed_out")


def test_a_file_that_holds_no_login_is_not_removed(client: Any, sandbox: Sandbox, token_dir: Path) -> None:
    path = sandbox.write_credentials(token_dir)
    path.write_text("precious")
    assert client.delete("/qwen_ai/api/login").status_code == 500
    assert path.read_text() == "precious"


def test_an_account_that_nothing_else_names_can_be_removed(
    client: Any, server: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    for account in ("alice", "bob"):
        sandbox.write_credentials(token_dir, f"{account}.json")
    bobs = {"litellm_params": {"model": "qwen_ai/coder-model"}, "model_info": {"qwen_account": "bob"}}
    server.llm_router = SimpleNamespace(model_list=[bobs])
    assert {name: one["stays"] for name, one in _accounts(client).items()} == {
        None: True,
        "alice": False,
        "bob": True,
    }
    assert client.delete("/qwen_ai/api/account", params={"account": "alice"}).status_code == 200
    assert list(_accounts(client)) == [None, "bob"]
    for params in ({"account": "bob"}, {}):
        assert client.delete("/qwen_ai/api/account", params=params).status_code == 409
    assert _accounts(client)["bob"]["state"] == "signed_in"


def test_a_check_says_what_the_chat_server_thinks_of_the_token(
    client: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir, lifetime=-60)
    checked = _post(client, "check")
    assert checked["check"]["result"] == "accepted"
    assert checked["seconds_left"] > 0, "a token that has died is renewed first"
    assert checked["usage"]["requests_today"] == 0
    sandbox.revoke()
    assert _post(client, "check")["check"]["result"] == "refused"


def test_a_check_of_a_login_that_cannot_be_renewed_any_more_finds_its_end(
    client: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir, lifetime=-60)
    sandbox.revoke()
    checked = _post(client, "check")
    assert (checked["check"]["result"], checked["state"]) == ("refused", "ended")
    assert "login" in checked["check"]["message"]


KEY, NOBODYS_KEY = "sk-sandbox", "sk-sp-that-nobody-issued"


def test_a_kept_key_is_used_by_this_worker_at_once(client: Any, sandbox: Sandbox) -> None:
    session = account_of(Settings.from_environment(), "alice").session
    for key in (KEY, NOBODYS_KEY):
        _post(client, "key", "alice", key=key, address=sandbox.url, check=False)
        assert session.get().access_token == key


def test_a_key_takes_the_place_of_a_login_and_is_never_answered(
    client: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir, "alice.json")
    kept = _post(client, "key", "alice", key=KEY, address=sandbox.url)
    assert (kept["state"], kept["plan"], kept["expires_at"]) == ("key", "custom", None)
    answer = client.get("/qwen_ai/api/accounts")
    assert KEY not in answer.text + json.dumps(kept)
    assert {plan["name"] for plan in answer.json()["plans"]} >= {"beijing", "coding-intl"}
    assert _post(client, "check", "alice")["check"]["result"] == "accepted"
    assert client.delete("/qwen_ai/api/login", params={"account": "alice"}).status_code == 200
    assert "alice" not in _accounts(client)


def test_a_key_that_is_refused_is_not_kept_unless_it_is_to_be_left_unchecked(
    client: Any, sandbox: Sandbox
) -> None:
    body = {"account": "bob", "key": NOBODYS_KEY, "address": sandbox.url}
    answer = client.post("/qwen_ai/api/key", json=body)
    assert (answer.status_code, "refuses" in answer.json()["detail"]) == (502, True)
    assert NOBODYS_KEY not in answer.text
    assert "bob" not in _accounts(client)
    kept = _post(client, "key", "bob", key=NOBODYS_KEY, address=sandbox.url, check=False)
    assert kept["plan"] == "custom"


@pytest.mark.parametrize("more", [{}, {"plan": "none-such"}, {"plan": "custom"}, {"address": "ftp://x"}])
def test_a_key_for_nothing_is_refused(client: Any, sandbox: Sandbox, more: dict[str, str]) -> None:
    answer = client.post("/qwen_ai/api/key", json={"account": None, "key": KEY, **more})
    assert (answer.status_code, KEY in answer.text) == (400, False)
    assert sandbox.requests == []


def test_a_check_without_a_login_asks_nobody(client: Any, sandbox: Sandbox) -> None:
    checked = _post(client, "check")
    assert checked["check"]["result"] == "unknown"
    assert "Not logged in" in checked["check"]["message"]
    assert sandbox.requests == []


def test_a_kept_key_is_shown_by_its_plan_and_host_checked_and_removed(
    client: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    key = "sk-kept-0123456789abcdef"
    store = account_of(Settings.from_environment(), "team").store
    keep_key(store, key, plan="coding-intl", api_base=sandbox.api_base, check=False)
    one = _accounts(client)["team"]
    assert (one["state"], one["plan"], one["host"]) == ("key", "coding-intl", sandbox.url[7:])
    assert (one["expires_at"], one["seconds_left"], one["can_renew"]) == (None, None, False)
    refused = json.dumps(_post(client, "check", "team"))
    assert "refuses the key" in refused
    gone = client.delete("/qwen_ai/api/account", params={"account": "team"})
    assert gone.status_code == 200
    assert not (token_dir / "team.json").exists()
    assert not any(key[at : at + 8] in json.dumps(one) + refused + gone.text for at in range(len(key) - 7))
    assert sandbox.requests_to("refresh") == []


def test_a_service_that_gives_no_code_is_an_error_with_its_words(client: Any, sandbox: Sandbox) -> None:
    sandbox.stop()
    answer = client.post("/qwen_ai/api/login", json={"account": None})
    assert answer.status_code == 502
    assert "could not start" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["../evil", "a/b", ".hidden", "a b", "a\u0000", "x" * 65, "é"])
def test_a_bad_account_name_is_refused_and_makes_no_file(client: Any, token_dir: Path, name: str) -> None:
    answer = client.post("/qwen_ai/api/login", json={"account": name})
    assert answer.status_code == 400
    assert "account" in answer.json()["detail"]
    assert not token_dir.exists()


@pytest.mark.parametrize(
    "body", ["{", '{"account": 1}', '{"account": null, "qwen_account": "x"}', "[]", '""']
)
def test_a_body_that_is_none_is_refused(client: Any, body: str) -> None:
    answer = client.post("/qwen_ai/api/login", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


@pytest.mark.parametrize("path", [path for method, path in CHANGES if method == "POST"])
@pytest.mark.parametrize(
    "body", ["[]", "null", '"x"', "7", '{"api_base": "https://x"}', '{"base_url": "x"}', '{"account": ']
)
def test_a_strange_body_never_reaches_litellms_check_which_fails_over_it(
    server: Any, path: str, body: str
) -> None:
    def check() -> Any:
        raise AssertionError

    server.user_api_key_auth = check
    app = fastapi.FastAPI()
    app.include_router(router_for(server, "/qwen_ai"))
    headers = {"authorization": f"Bearer {ADMIN}", "content-type": "application/json"}
    answer = TestClient(app).post(f"/qwen_ai/api/{path}", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize("name", ["", " ", "team..a", "team.", "..", ". ", "oauth_creds.json.."])
@pytest.mark.parametrize("change", CHANGES, ids=" ".join)
def test_a_name_that_cannot_be_used_is_never_the_default_account(
    client: Any, sandbox: Sandbox, token_dir: Path, change: tuple[str, str], name: str
) -> None:
    method, path = change
    stored = sandbox.write_credentials(token_dir)
    before = stored.read_bytes()
    body = {"account": name} | ({"key": KEY, "address": sandbox.url, "check": False} if path == "key" else {})
    asked = {"json": body} if method == "POST" else {"params": {"account": name}}
    answer = client.request(method, f"/qwen_ai/api/{path}", **asked)
    assert (answer.status_code, "is no account name" in answer.json()["detail"]) == (400, True)
    assert (stored.read_bytes(), sandbox.requests) == (before, [])
    assert [one.name for one in token_dir.iterdir()] == [stored.name]


def test_no_other_name_of_the_default_account_removes_it(
    client: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    stored = sandbox.write_credentials(token_dir)
    (token_dir / "link.json").symlink_to(stored)
    for name in ("oauth_creds", " oauth_creds", "link"):
        assert client.delete("/qwen_ai/api/account", params={"account": name}).status_code == 409, name
    assert stored.exists()


def test_the_default_accounts_file_is_the_default_account(client: Any, sandbox: Sandbox) -> None:
    assert sandbox.url
    assert _post(client, "login", "oauth_creds")["account"] is None
    assert list(_accounts(client)) == [None]


def test_accounts_come_from_the_folder_and_from_the_configuration(
    server: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir, "zoe.json")
    sandbox.write_credentials(token_dir, ".hidden.json")
    sandbox.write_credentials(token_dir)
    deployments: list[Any] = [
        {"litellm_params": {"model": "qwen_ai/coder-model"}, "model_info": {"qwen_account": "bob"}},
        {"litellm_params": {"model": "qwen_ai/coder-model"}, "model_info": {"qwen_account": "../evil"}},
        {"litellm_params": {"model": "qwen_ai/coder-model"}, "model_info": {}},
        {"litellm_params": {"model": "openai/gpt"}, "model_info": {"qwen_account": "other"}},
        {},
        None,
    ]
    server.llm_router = SimpleNamespace(model_list=deployments)
    assert known_accounts(Settings.from_environment(), accounts_of(server)) == [None, "bob", "zoe"]


def test_what_is_wrong_with_an_account_is_shown_with_it(
    client: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir, "alice.json").write_text("{")
    sandbox.write_credentials(token_dir, "bob.json", lifetime=-60)
    found = _accounts(client)
    assert found["alice"]["state"] == "unusable"
    assert "alice.json" in found["alice"]["last_error"]["text"]
    assert found["bob"]["state"] == "signed_in", "it is renewed with the next request"
    bobs = account_of(Settings.from_environment(), "bob").meter
    bobs.failed(ValueError("The login has ended."), login_ended=True)
    ended = _accounts(client)["bob"]
    assert (ended["state"], ended["last_error"]["text"]) == ("ended", "The login has ended.")


def test_a_login_begun_in_an_account_that_cannot_be_read_is_shown_and_replaces_it(
    client: Any, sandbox: Sandbox, token_dir: Path, clock: Clock
) -> None:
    path = sandbox.write_credentials(token_dir, "zoe.json")
    path.write_text("{")
    begun = _post(client, "login", "zoe")
    assert (begun["state"], begun["login"]["state"]) == ("unusable", "waiting")
    assert begun["login"]["link"]
    sandbox.approve()
    clock.ahead = 10
    assert _post(client, "poll", "zoe")["state"] == "signed_in"
    assert json.loads(path.read_text())["access_token"]


def test_a_login_that_replaces_another_serves_the_next_call(
    client: Any, sandbox: Sandbox, token_dir: Path, clock: Clock
) -> None:
    path = sandbox.write_credentials(token_dir)
    session = account_of(Settings.from_environment()).session
    before = session.get().access_token
    _post(client, "login")
    sandbox.approve()
    clock.ahead = 10
    assert session.get().access_token == before, "it is looked at again in a second"
    assert _post(client, "poll")["login"] is None
    assert session.get().access_token == json.loads(path.read_text())["access_token"] != before


def test_the_counts_of_an_account_are_shown(client: Any, sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir)
    meter = account_of(Settings.from_environment()).meter
    meter.sent()
    meter.refused("quota_spent", None)
    usage = _accounts(client)[None]["usage"]
    assert (usage["requests_last_minute"], usage["requests_today"], usage["limited"]) == (1, 1, True)
    hours = _accounts(client)[None]["hours"]
    assert len(hours) == 24
    assert [(hour["requests"], hour["refused"]) for hour in hours[-2:]] in (
        [(0, 0), (1, 1)],
        [(1, 1), (0, 0)],
    )


def test_without_segno_there_is_no_qr_code_and_all_else(
    client: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sandbox.url
    monkeypatch.setitem(sys.modules, "segno", None)
    login = _post(client, "login")["login"]
    assert (login["qr"], bool(login["link"])) == (None, True)


def test_a_file_in_the_way_of_the_token_folder_is_said(
    client: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    assert sandbox.url
    token_dir.write_text("")
    answer = client.post("/qwen_ai/api/login", json={"account": None})
    assert answer.status_code == 500
    assert str(token_dir) in answer.json()["detail"]
