"""Each state of the page in a real Chromium, with a stand-in for LiteLLM's key check.

Every state leaves pictures in `.ci/out/`, and axe looks at each of them.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

fastapi = pytest.importorskip("fastapi", reason="the page needs LiteLLM's proxy")
uvicorn = pytest.importorskip("uvicorn", reason="the page needs LiteLLM's proxy")
browser = pytest.importorskip("tests.proxy.browser", reason="the group `browser` is not installed")

from litellm_qwen_ai.accounts import account_of  # noqa: E402  # after the skip
from litellm_qwen_ai.proxy.api import router_for  # noqa: E402  # after the skip
from litellm_qwen_ai.sandbox import Sandbox  # noqa: E402  # after the skip
from litellm_qwen_ai.settings import Settings  # noqa: E402  # after the skip

pytestmark = browser.needs_chromium

ADMIN, VIEWER, USER = "sk-of-an-admin", "sk-of-a-viewer", "sk-of-a-user"
ROLES = {ADMIN: "proxy_admin", VIEWER: "proxy_admin_viewer", USER: "internal_user"}
LITTLE = (320,)
KEY = "sk-sandbox"


class Site:
    """The page on a port of its own; it can hang, end, and come back."""

    def __init__(self, token_dir: Path, sandbox: Sandbox) -> None:
        self.token_dir, self.sandbox = token_dir, sandbox
        self.server = SimpleNamespace(user_api_key_auth=_check, master_key=ADMIN, general_settings={})
        self.goes = threading.Event()  # while it is not set, the proxy hangs
        self.goes.set()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/qwen_ai"

    def start(self) -> None:
        app = fastapi.FastAPI()
        app.add_exception_handler(_RefusedError, _told)
        app.include_router(router_for(self.server, "/qwen_ai"))
        config = uvicorn.Config(
            self._gated(app), port=self.port, log_config=None, timeout_graceful_shutdown=1
        )
        self._uvicorn = uvicorn.Server(config)
        listening = socket.create_server(("127.0.0.1", self.port))  # who comes before uvicorn waits there
        self._thread = threading.Thread(target=self._uvicorn.run, args=([listening],))
        self._thread.start()

    def stop(self) -> None:
        self._uvicorn.should_exit = True
        self._thread.join(60)

    def _gated(self, app: Any) -> Any:
        async def gated(scope: Any, receive: Any, send: Any) -> None:
            if "/api/" in scope.get("path", ""):
                await asyncio.to_thread(self.goes.wait)
            await app(scope, receive, send)

        return gated

    def let_poll(self, account: str) -> None:
        """Let the OAuth server be asked at once: no test waits for its interval."""
        path = self.token_dir / f"{account}.json.pending"
        note = json.loads(path.read_text())
        note["login"]["next_poll_at"] = 0.0
        path.write_text(json.dumps(note))


def _check(request: fastapi.Request) -> Any:
    role = ROLES.get(request.headers.get("authorization", "").removeprefix("Bearer "))
    if role is None:
        raise fastapi.HTTPException(400, "No connected db.")
    return SimpleNamespace(user_role=role)


class _RefusedError(Exception):
    """A key that LiteLLM refuses, in words that are no `HTTPException`'s."""


async def _told(_request: fastapi.Request, error: Exception) -> Any:
    """What LiteLLM's proxy answers then."""
    said = {"message": f"Authentication Error, {error}", "type": "auth_error", "code": "401"}
    return fastapi.responses.JSONResponse({"error": said}, 401)


def _check_as_with_a_database(request: fastapi.Request) -> Any:
    """LiteLLM's own rules about routes and roles; a key here is what a proxy's database would know of it."""
    from litellm.proxy._types import LiteLLM_UserTable, UserAPIKeyAuth  # noqa: PLC0415  # it takes seconds
    from litellm.proxy.auth.auth_checks import _is_api_route_allowed  # noqa: PLC0415  # as above
    from litellm.proxy.auth.route_checks import RouteChecks  # noqa: PLC0415  # as above

    known = json.loads(request.headers["authorization"].removeprefix("Bearer "))
    token, route = UserAPIKeyAuth(**known), request.url.path
    user = LiteLLM_UserTable(user_id="ann", user_role=known["user_role"]) if "user_role" in known else None
    try:
        RouteChecks.should_call_route(route, token, request)
        _is_api_route_allowed(route, request, {}, token, user)
    except fastapi.HTTPException:
        raise
    except Exception as error:  # noqa: BLE001  # LiteLLM raises it bare
        raise _RefusedError(error) from None
    return token


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.launched() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with Sandbox(interval=0) as sandbox:
        for name, value in sandbox.environment(tmp_path / "tokens").items():
            monkeypatch.setenv(name, value)
        running = Site(tmp_path / "tokens", sandbox)
        yield running
        running.goes.set()
        running.stop()


@pytest.fixture
def page(chromium: Any, site: Site) -> Iterator[Any]:
    with browser.tab(chromium, site.url) as opened:
        yield opened


def _enter(page: Any, key: str = ADMIN) -> Any:
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Continue").click()
    return page


def _inside(page: Any, key: str = ADMIN) -> Any:
    _enter(page, key).locator("#accounts .account").first.wait_for()
    return page


def _account(page: Any, name: str) -> Any:
    return page.get_by_role("region", name=name, exact=True)


def _meter(name: str | None = None) -> Any:
    return account_of(Settings.from_environment(), name).meter


def _thirty(site: Site) -> None:
    for number in range(1, 29):
        site.sandbox.write_credentials(site.token_dir, f"team-{number:02}.json")
    site.sandbox.write_credentials(site.token_dir)
    site.sandbox.write_credentials(site.token_dir, "zoe.json").write_text("{")
    for name in ("team-07", "team-21"):
        _meter(name).failed(ValueError("The login has ended: the server takes it no more."), login_ended=True)


def test_of_many_accounts_those_that_need_a_person_come_first(page: Any, site: Site) -> None:
    _thirty(site)
    _inside(page)
    assert page.locator("#summary").inner_text() == "27 signed in, 2 ended, 1 cannot be used"
    names = [name.strip() for name in page.locator("#accounts .toggle").all_inner_texts()]
    assert names[:5] == ["team-07", "team-21", "zoe", "Default account", "team-01"]
    assert len(names) == 30
    assert page.evaluate("document.documentElement.scrollHeight") < 2500
    assert not page.locator(".body:visible").count(), "each is one row"
    assert _account(page, "zoe").locator(".hint").inner_text().startswith("not a credentials file: ")
    browser.shoot(page, "many", widths=(*browser.WIDTHS, *browser.OF_THE_DOCUMENTS))


def test_a_row_opens_and_its_buttons_say_whose_they_are(page: Any, site: Site) -> None:
    _thirty(site)
    _inside(page)
    row = page.get_by_role("button", name="team-07", exact=True)
    row.press("Enter")
    assert row.get_attribute("aria-expanded") == "true"
    buttons = _account(page, "team-07").get_by_role("button").all()
    names = [one.get_attribute("aria-label") or one.inner_text() for one in buttons]
    assert names == ["team-07", "Sign in again: team-07", "Use a key: team-07", "Remove: team-07"]
    browser.shoot(page, "opened", widths=(320, 1280))
    row.press("Enter")
    assert not page.locator(".body:visible").count()


def test_the_filter_knows_names_and_states(page: Any, site: Site) -> None:
    _thirty(site)
    _inside(page)
    field = page.get_by_label("Show only accounts with this name or state")
    rows = page.locator("#accounts .account:visible")
    for text, count in (("team-1", 10), ("ENDED", 2), ("", 30)):
        field.fill(text)
        assert rows.count() == count, text
    field.fill("nobody")
    page.get_by_text("No account has that name or state.").wait_for()
    browser.shoot(page, "filtered", widths=LITTLE)


def test_few_accounts_have_no_filter_and_stand_open(page: Any, site: Site) -> None:
    site.sandbox.write_credentials(site.token_dir, "alice.json")
    _inside(page)
    assert page.locator("#summary").inner_text() == "1 signed in, 1 not signed in"
    assert not page.locator("#search").is_visible()
    assert page.locator(".body:visible").count() == 2


def test_what_is_empty_is_not_shown(page: Any) -> None:
    _inside(page)
    card = _account(page, "Default account")
    assert card.locator(".body").inner_text().split() == ["Sign", "in", "Use", "a", "key"]
    assert not page.locator("#summary").is_visible()
    assert not page.locator("#counted").is_visible()
    browser.shoot(page, "empty")


def test_signing_out_asks_first_and_then_the_login_is_gone(page: Any, site: Site) -> None:
    path = site.sandbox.write_credentials(site.token_dir)
    _inside(page)
    page.get_by_role("button", name="Sign out: Default account").click()
    sure = page.get_by_role("dialog", name="Sign out Default account?")
    browser.shoot(page, "sure", widths=(320, 1280), full=False)
    sure.get_by_role("button", name="Keep it").click()
    sure.wait_for(state="hidden")
    assert path.exists()
    page.get_by_role("button", name="Sign out: Default account").click()
    sure.get_by_role("button", name="Sign out").click()
    _account(page, "Default account").get_by_text("Not signed in").wait_for()
    assert not path.exists()
    assert not page.get_by_role("button", name="Sign out").is_visible()


def test_an_account_that_nothing_else_names_is_removed_from_the_page(page: Any, site: Site) -> None:
    path = site.sandbox.write_credentials(site.token_dir, "alice.json")
    _inside(page)
    page.get_by_role("button", name="Remove: alice").click()
    page.get_by_role("dialog", name="Remove alice?").get_by_role("button", name="Remove").click()
    _account(page, "alice").wait_for(state="detached")
    assert not path.exists()
    assert page.get_by_role("status").inner_text() == "alice was removed."


def test_a_check_says_what_the_chat_server_thinks(page: Any, site: Site) -> None:
    site.sandbox.write_credentials(site.token_dir)
    _inside(page)
    card = _account(page, "Default account")
    card.get_by_role("button", name="Check").click()
    card.get_by_text("takes the token.").wait_for()
    browser.shoot(page, "checked", widths=(375, 1280))
    site.sandbox.revoke()
    card.get_by_role("button", name="Check").click()
    card.get_by_text("refuses the token").wait_for()
    browser.shoot(page, "checked-bad", widths=LITTLE)
    assert site.sandbox.counts.chat_requests == 0


def test_an_admin_viewer_sees_everything_and_has_no_buttons_that_change(page: Any, site: Site) -> None:
    site.sandbox.write_credentials(site.token_dir, "alice.json")
    _meter("alice").sent()
    _begin_login(site)
    _inside(page, VIEWER)
    page.get_by_text("it sees everything and changes nothing").wait_for()
    _account(page, "Default account").get_by_text("An admin has started a login").wait_for()
    assert _account(page, "alice").locator(".minute").inner_text() == "1"
    buttons = [one.inner_text().strip() for one in page.locator("button:visible").all()]
    assert buttons == ["Forget the key", "Default account", "alice"]
    assert not page.get_by_label("Add an account").is_visible()
    browser.shoot(page, "viewer")


def test_a_key_is_kept_for_an_address_and_not_shown_again(page: Any, site: Site) -> None:
    _inside(page)
    card = _account(page, "Default account")
    card.get_by_role("button", name="Use a key").click()
    card.get_by_label("The key is for").select_option("coding-intl")
    browser.shoot(page, "key-form")
    card.get_by_label("The key is for").select_option("custom")
    card.get_by_label("Its address").fill(site.sandbox.url)
    card.get_by_label("Key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    card.get_by_text("Has a key").wait_for()
    assert page.get_by_role("status").inner_text() == "Default account: the key is kept."
    assert KEY not in page.content()
    assert card.locator("input.secret").input_value() == ""
    assert card.get_by_text("Key for").is_visible()
    browser.shoot(page, "key", widths=(320, 1280))
    card.get_by_role("button", name="Check").click()
    card.get_by_text("takes the key").wait_for()
    card.get_by_role("button", name="Remove the key").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove the key").click()
    card.get_by_text("Not signed in").wait_for()


def test_a_key_that_is_refused_says_so_beside_it_and_is_not_kept(page: Any, site: Site) -> None:
    _inside(page)
    page.get_by_label("Add an account").fill("bob")
    page.get_by_role("button", name="Use a key in the new account").click()
    card = _account(page, "bob")
    card.get_by_label("The key is for").select_option("custom")
    card.get_by_label("Its address").fill(site.sandbox.url)
    card.get_by_label("Key", exact=True).fill("sk-nobody")
    card.get_by_role("button", name="Use the key").click()
    card.locator(".fault").get_by_text("refuses").wait_for()
    page.lines[:] = [line for line in page.lines if "status of 502" not in line]
    browser.shoot(page, "key-refused", widths=LITTLE)
    assert not list(site.token_dir.glob("bob.json"))
    card.get_by_role("button", name="Not now").click()
    card.wait_for(state="detached")
    assert page.evaluate("document.activeElement.id") == "name"


def test_the_form_of_a_key_says_in_its_own_words_what_is_missing_and_where(page: Any, site: Site) -> None:
    _inside(page)
    card = _account(page, "Default account")
    card.get_by_role("button", name="Use a key").click()
    card.get_by_text("Model Studio, Beijing: dashscope.aliyuncs.com").wait_for()
    address, secret = card.get_by_label("Its address"), card.get_by_label("Key", exact=True)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    card.get_by_text("Enter the key.").wait_for()
    assert secret.evaluate("(it) => [it === document.activeElement, it.ariaInvalid]") == [True, "true"]
    card.get_by_label("The key is for").select_option("custom")
    secret.fill(KEY)
    page.keyboard.press("Enter")
    card.get_by_text("Enter the address that the key is for").wait_for()
    assert address.evaluate("(it) => [it === document.activeElement, it.ariaInvalid]") == [True, "true"]
    assert secret.get_attribute("aria-invalid") == "false"
    browser.shoot(page, "key-no-address", widths=(320, 1280))
    assert site.sandbox.requests == []
    address.fill(site.sandbox.url)
    site.sandbox.stop()
    secret.press("Enter")
    card.get_by_text("It can be kept without asking the server.").wait_for()
    assert "--no-check" not in card.inner_text()
    page.lines[:] = [line for line in page.lines if "status of 502" not in line]


def test_a_login_that_another_admin_begins_is_told_while_a_key_is_typed(page: Any, site: Site) -> None:
    page.clock.install()
    _inside(page)
    card = _account(page, "Default account")
    card.get_by_role("button", name="Use a key").click()
    card.get_by_label("Key", exact=True).fill("sk-half")
    _begin_login(site)
    page.clock.run_for(11_000)
    card.get_by_text("An admin has started a login").wait_for()
    assert not card.locator(".login").is_visible()
    assert card.get_by_label("Key", exact=True).input_value() == "sk-half"
    browser.shoot(page, "key-and-login", widths=LITTLE)
    card.get_by_role("button", name="Not now").click()
    card.locator(".code").wait_for()
    assert card.get_by_role("button", name="New code").is_visible()


def _begin_login(site: Site, name: str | None = None) -> None:
    from litellm_qwen_ai.oauth import start_login  # noqa: PLC0415  # where a test asks for it

    start_login(
        account_of(Settings.from_environment(), name).store, oauth_base_url=site.sandbox.oauth_base_url
    )


def test_a_login_in_an_account_that_cannot_be_used_shows_its_code(page: Any, site: Site) -> None:
    site.sandbox.write_credentials(site.token_dir, "zoe.json").write_text("{")
    _inside(page)
    card = _account(page, "zoe")
    browser.shoot(page, "unusable", widths=(320, 1280))
    card.get_by_role("button", name="Sign in").click()
    card.locator(".code:focus").wait_for()


@pytest.mark.parametrize(("name", "account"), [("oauth_creds", "Default account"), ("zoe", "zoe")])
def test_a_file_that_holds_no_login_has_no_dead_button_and_is_moved_by_hand(
    page: Any, site: Site, name: str, account: str
) -> None:
    path = site.sandbox.write_credentials(site.token_dir, f"{name}.json")
    path.write_text('{"name": "my-project"}')
    _inside(page)
    card = _account(page, account)
    assert card.locator(".by-hand").inner_text() == (
        f"{path} holds no login that can be read, so it is not removed. "
        "If nobody needs it, move it away by hand."
    )
    assert [one.inner_text() for one in card.locator(".acts button:visible").all()] == [
        "Sign in",
        "Use a key",
    ]
    browser.shoot(page, "by-hand")
    path.rename(path.with_suffix(".aside"))
    page.reload()
    page.get_by_text("Not signed in").first.wait_for()
    assert not page.locator(".by-hand:visible").count()


def test_what_is_added_is_in_view_whatever_was_looked_for(page: Any, site: Site) -> None:
    _thirty(site)
    _inside(page)
    field = page.get_by_label("Show only accounts with this name or state")
    for name, button in (
        ("new-one", "Sign in to the new account"),
        ("new-two", "Use a key in the new account"),
    ):
        field.fill("team-1")
        page.get_by_label("Add an account").fill(name)
        page.get_by_role("button", name=button).click()
        _account(page, name).locator(".code:visible, .keyform:visible").first.wait_for()
        assert field.input_value() == ""


def test_what_is_wrong_with_accounts_that_are_well_is_counted_and_found(page: Any, site: Site) -> None:
    _thirty(site)
    _meter("team-03").sent()
    _meter("team-03").refused("quota_spent", 7200)
    _inside(page)
    site.sandbox.revoke()
    page.get_by_role("button", name="team-05", exact=True).click()
    card = _account(page, "team-05")
    card.get_by_role("button", name="Check").click()
    card.get_by_text("refuses the token").wait_for()
    assert page.locator("#summary").inner_text().endswith("1 quota spent, 1 check refused")
    for text, name in (("quota", "team-03"), ("refused", "team-05")):
        page.get_by_label("Show only accounts with this name or state").fill(text)
        assert page.locator("#accounts .account:visible .toggle").all_inner_texts() == [name]
    browser.shoot(page, "marked", widths=LITTLE)


@pytest.mark.parametrize("action", [None, "Check", "Sign out", "Add"])
def test_a_key_that_is_changed_while_the_page_is_open_has_to_be_entered_again(
    page: Any, site: Site, monkeypatch: pytest.MonkeyPatch, action: str | None
) -> None:
    site.sandbox.write_credentials(site.token_dir)
    page.clock.install()
    _inside(page)
    monkeypatch.delitem(ROLES, ADMIN)
    if action == "Add":
        page.get_by_label("Add an account").fill("alice")
        page.keyboard.press("Enter")
    elif action:
        page.get_by_role("button", name=action).click()
        if action == "Sign out":
            page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    else:
        page.clock.run_for(11_000)
    page.locator("#key-fault").get_by_text("This key is not accepted any more.").wait_for()
    assert not page.locator("#accounts .account").count()
    page.lines[:] = [line for line in page.lines if "status of 400" not in line]


@pytest.mark.parametrize("what", ["approved", "signed out", "cancelled"])
def test_the_focus_stays_at_the_account_when_what_had_it_goes(page: Any, site: Site, what: str) -> None:
    if what == "signed out":
        site.sandbox.write_credentials(site.token_dir)
    _inside(page)
    card = _account(page, "Default account")
    if what == "signed out":
        card.get_by_role("button", name="Sign out").click()
        page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    else:
        card.get_by_role("button", name="Sign in").click()
        card.locator(".code:focus").wait_for()
        if what == "approved":
            site.sandbox.approve()
            site.let_poll("oauth_creds")
        else:
            card.get_by_role("button", name="Cancel").click()
    card.get_by_text("Signed in" if what == "approved" else "Not signed in", exact=True).first.wait_for()
    card.locator("h2:focus").wait_for()


def test_a_second_click_takes_no_word_of_the_first(page: Any, site: Site) -> None:
    site.sandbox.write_credentials(site.token_dir)
    _inside(page)
    card = _account(page, "Default account")
    site.goes.clear()
    with page.expect_request("**/api/check"):
        card.get_by_role("button", name="Check").click()
    card.get_by_role("button", name="Check").click()
    assert card.get_by_text("Asking the chat server").is_visible()
    site.goes.set()
    card.get_by_text("takes the token.").wait_for()


def test_a_proxy_that_is_gone_at_the_door_leaves_the_key_that_was_typed(page: Any, site: Site) -> None:
    page.locator("#key:focus").wait_for()
    site.stop()
    _enter(page).locator("#key-fault").get_by_text("The proxy cannot be reached.").wait_for()
    assert page.locator("#key").input_value() == ADMIN
    site.start()
    page.get_by_role("button", name="Continue").click()
    page.locator("#accounts .account").first.wait_for()
    page.lines[:] = [line for line in page.lines if "ERR_" not in line]


def test_a_proxy_that_hangs_while_a_login_waits_is_said_as_soon_as_elsewhere(page: Any, site: Site) -> None:
    page.clock.install()
    _inside(page)
    page.get_by_role("button", name="Sign in: Default account").click()
    page.locator(".code:focus").wait_for()
    site.goes.clear()
    with page.expect_request("**/api/poll"):
        page.clock.run_for(2_100)
    page.clock.run_for(16_000)
    said = page.get_by_role("alert").get_by_text("The proxy has not answered within 15 s.")
    said.wait_for()
    site.goes.set()
    said.wait_for(state="hidden")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("sk-wrong", "This key is not accepted."),
        (USER, "This key is valid, but not a proxy admin's."),
        ("clé", "This is no key"),
    ],
)
def test_a_key_that_does_not_open_has_its_own_words(page: Any, key: str, words: str) -> None:
    _enter(page, key).get_by_text(words).wait_for()
    assert page.evaluate("document.activeElement.id") == "key"
    page.lines[:] = [line for line in page.lines if "status of 40" not in line]
    browser.shoot(page, "door", widths=(320, 1280))


NO_ADMIN = "This key is valid, but not a proxy admin's."


def test_the_keys_that_a_database_knows_have_the_words_of_their_roles(chromium: Any, site: Site) -> None:
    pytest.importorskip("litellm.proxy.proxy_server", reason="LiteLLM's proxy is not installed")
    site.stop()
    site.server.user_api_key_auth = _check_as_with_a_database
    site.start()
    keys: list[tuple[dict[str, Any], str]] = [
        ({"user_role": "internal_user"}, NO_ADMIN),
        ({"user_role": "internal_user_viewer"}, NO_ADMIN),
        ({"user_role": "org_admin"}, NO_ADMIN),
        ({"team_id": "red"}, NO_ADMIN),
        (
            {"user_role": "proxy_admin", "allowed_routes": ["llm_api_routes"]},
            "This key is valid, but its allowed_routes leave this page out.",
        ),
    ]
    with browser.tab(chromium, site.url) as page:
        for known, words in keys:
            _enter(page, json.dumps(known, separators=(",", ":")))
            page.locator("#key-fault").get_by_text(words).wait_for()
            page.get_by_label("Key", exact=True).fill("")
            page.locator("#key-fault").evaluate("(it) => (it.textContent = '')")
        viewer = json.dumps({"user_role": "proxy_admin_viewer"}, separators=(",", ":"))
        _inside(page, viewer).get_by_text("it sees everything and changes nothing").wait_for()
        changed = page.evaluate(
            """(key) => fetch("qwen_ai/api/cancel", {method: "POST", body: "{}",
                headers: {Authorization: `Bearer ${key}`, "Content-Type": "application/json"}})
                .then((answer) => answer.status)""",
            viewer,
        )
        assert changed == 403
        page.get_by_role("button", name="Forget the key").click()
        _inside(page, json.dumps({"user_role": "proxy_admin"}, separators=(",", ":")))
        page.lines[:] = [line for line in page.lines if "status of 40" not in line]


def test_a_proxy_without_a_master_key_asks_nobody_for_one(chromium: Any, site: Site) -> None:
    site.server.master_key = None
    with browser.tab(chromium, site.url) as page:
        page.get_by_text("This proxy has no master key").wait_for()
        assert not page.get_by_label("Key", exact=True).is_visible()
        browser.shoot(page, "closed")


def test_a_name_is_checked_before_anything_is_asked(page: Any, site: Site) -> None:
    _inside(page)
    for name in ("no/path", ".hidden", "a b", ""):
        page.get_by_label("Add an account").fill(name)
        page.keyboard.press("Enter")
        page.locator("#name-fault").wait_for()
        assert page.get_by_label("Add an account").get_attribute("aria-invalid") == "true"
    assert site.sandbox.requests == []
    browser.shoot(page, "bad-name", widths=LITTLE)


def test_signing_in_leaves_the_title_in_view(page: Any) -> None:
    page.set_viewport_size({"width": 320, "height": 600})
    _inside(page)
    page.get_by_role("button", name="Sign in: Default account").click()
    page.locator(".code:focus").wait_for()
    title = page.get_by_role("heading", name="Default account").bounding_box()
    assert 0 <= title["y"] < 600
    browser.shoot(page, "waiting-states")


def test_a_refusal_is_told_once_and_has_one_button(page: Any, site: Site) -> None:
    _inside(page)
    page.get_by_role("button", name="Sign in: Default account").click()
    card = _account(page, "Default account")
    card.locator(".code").wait_for()
    site.sandbox.deny()
    site.let_poll("oauth_creds")
    card.get_by_text("Denied:").wait_for()
    assert card.locator(".body").inner_text().count("enied") == 1
    assert [one.inner_text() for one in card.locator(".acts button:visible").all()] == ["Try again"]
    browser.shoot(page, "refused")


def test_a_refusal_beside_a_login_that_works_can_be_put_aside(page: Any, site: Site) -> None:
    site.sandbox.write_credentials(site.token_dir)
    _inside(page)
    page.get_by_role("button", name="Sign in again").click()
    card = _account(page, "Default account")
    card.locator(".code").wait_for()
    site.sandbox.deny()
    site.let_poll("oauth_creds")
    card.get_by_role("button", name="Dismiss").click()
    card.get_by_text("Denied:").wait_for(state="hidden")
    card.get_by_role("button", name="Sign in again").wait_for()


def test_the_requests_of_a_day_are_a_picture_and_a_table(page: Any, site: Site) -> None:
    site.sandbox.write_credentials(site.token_dir)
    _write_hours(site.token_dir / "meter" / "oauth_creds.json")
    _inside(page)
    card = _account(page, "Default account")
    card.get_by_text("Requests in the last 24 hours: 110, 7 of them refused").wait_for()
    assert card.locator("rect.ground").count() == 24
    assert (card.locator("rect.sent").count(), card.locator("rect.refused").count()) == (3, 1)
    card.get_by_text("As a table").click()
    cells = [one.inner_text() for one in card.locator("tbody td").all()]
    assert cells == ["20", "0", "60", "7", "30", "0"]
    browser.shoot(page, "usage")


def test_the_end_that_the_server_names_for_a_quota_is_shown(page: Any, site: Site) -> None:
    site.sandbox.write_credentials(site.token_dir)
    _meter().sent()
    _meter().refused("quota_spent", 7200)
    _inside(page)
    _account(page, "Default account").get_by_text("The quota is spent: the server says until").wait_for()
    browser.shoot(page, "limited", widths=(320, 1280))


def _write_hours(path: Path) -> None:
    hour = int(time.time()) // 3600
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    counted = {str(hour - 20): 20, str(hour - 5): 60, str(hour - 1): 30}
    path.write_text(json.dumps({"format": 1, "hours": counted, "refused": {str(hour - 5): 7}}))
    path.chmod(0o600)


def test_a_proxy_that_is_gone_is_said_wherever_one_has_scrolled(page: Any, site: Site) -> None:
    _thirty(site)
    page.clock.install()
    _inside(page)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    site.stop()
    page.clock.run_for(11_000)
    banner = page.get_by_text("The proxy cannot be reached. What you see is of")
    banner.wait_for()
    box = banner.bounding_box()
    assert 0 <= box["y"] < 200, "it is in view"
    assert page.evaluate("getComputedStyle(document.querySelector('.account')).borderStyle") == "dashed"
    browser.shoot(page, "gone", widths=(320, 1280), full=False)
    site.start()
    page.clock.run_for(11_000)
    banner.wait_for(state="hidden")
    assert page.evaluate("getComputedStyle(document.querySelector('.account')).borderStyle") == "solid"
    page.lines[:] = [line for line in page.lines if "ERR_" not in line]


def test_a_proxy_that_hangs_is_said_at_the_key_check_at_a_look_and_at_each_action(
    page: Any, site: Site
) -> None:
    site.sandbox.write_credentials(site.token_dir)
    page.clock.install()
    page.locator("#key:focus").wait_for()
    site.goes.clear()
    with page.expect_request("**/api/accounts"):
        _enter(page)
    page.clock.run_for(16_000)
    page.locator("#key-fault").get_by_text("The proxy has not answered within 15 s.").wait_for()
    site.goes.set()
    _inside(page)
    site.goes.clear()
    card = _account(page, "Default account")
    with page.expect_request("**/api/check"):
        card.get_by_role("button", name="Check").click()
    card.get_by_text("Asking the chat server").wait_for()
    browser.shoot(page, "asking", widths=LITTLE)
    page.clock.run_for(46_000)
    card.get_by_text("The proxy has not answered within 45 s.").wait_for()
    page.get_by_role("alert").get_by_text(
        "The proxy has not answered within 15 s. What you see is of"
    ).wait_for()
    browser.shoot(page, "hanging", widths=(320, 800))
    site.goes.set()


def test_a_proxy_that_hangs_at_the_first_load_is_said_and_tried_again(chromium: Any, site: Site) -> None:
    site.goes.clear()
    with browser.tab(chromium, "about:blank") as page:
        page.clock.install()
        with page.expect_request("**/api/door"):
            page.goto(site.url)
        page.clock.run_for(16_000)
        page.get_by_text("The proxy has not answered within 15 s. Trying again").wait_for()
        browser.shoot(page, "first-load", widths=LITTLE)
        site.goes.set()
        page.clock.run_for(11_000)
        page.get_by_label("Key", exact=True).wait_for()
