"""The page in a real Chromium, on a real proxy; each state leaves a screenshot in `.ci/out/`.

What can go wrong, and who may do what, is in test_states.py, which needs no LiteLLM.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.proxy.conftest import Proxy

browser = pytest.importorskip("tests.proxy.browser", reason="the group `browser` is not installed")

pytestmark = [pytest.mark.proxy, browser.needs_chromium]

CALL = {"model": "coder-model", "messages": [{"role": "user", "content": "ping"}]}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.launched() as running:
        yield running


@pytest.fixture
def page(chromium: Any, proxy: Proxy) -> Iterator[Any]:
    for file in proxy.token_dir.glob("*.json*"):
        file.unlink()
    proxy.sandbox.revoke()
    with browser.tab(chromium, proxy.url + "/qwen_ai") as opened:
        yield opened


@pytest.fixture
def inside(page: Any, proxy: Proxy) -> Any:
    page.get_by_label("Key", exact=True).fill(proxy.key)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="Default account").wait_for()
    return page


def _shoot(page: Any, name: str) -> None:
    """The two pictures of the documents."""
    browser.shoot(page, name, widths=browser.OF_THE_DOCUMENTS)


def _card(page: Any, account: str) -> Any:
    return page.get_by_role("region", name=account)


def _today(card: Any) -> int:
    """What is counted; without any request nothing is shown."""
    shown = card.locator(".today")
    return int(shown.inner_text().split()[0]) if shown.count() else 0


def test_the_door_asks_for_a_key_and_opens_to_an_admins_only(page: Any, proxy: Proxy) -> None:
    page.locator("#key:focus").wait_for()
    assert "oauth_creds" not in page.content()
    page.keyboard.type("sk-wrong")
    page.keyboard.press("Enter")
    page.get_by_text("This key is not accepted.").wait_for()
    page.lines.clear()  # the browser itself tells of each refusal
    page.locator("#key:focus").wait_for()
    _shoot(page, "door")
    page.keyboard.type(proxy.key)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Default account").wait_for()
    page.reload()
    page.get_by_role("heading", name="Default account").wait_for()
    page.get_by_role("button", name="Forget the key").click()
    page.get_by_role("heading", name="Proxy admins only").wait_for()
    page.reload()
    page.get_by_role("heading", name="Proxy admins only").wait_for()


def test_signing_in_turns_green_by_itself_and_calls_are_counted(inside: Any, proxy: Proxy) -> None:
    card = _card(inside, "Default account")
    card.get_by_text("Not signed in").wait_for()
    _shoot(inside, "signed-out")
    card.get_by_role("button", name="Sign in").focus()
    inside.keyboard.press("Enter")
    code = card.locator(".code")
    code.wait_for()
    card.locator(".code:focus").wait_for()
    shown = code.inner_text()
    assert shown in proxy.sandbox.pending_codes(), "other tests may have left some"
    link = card.get_by_role("link", name="Open the page")
    assert link.get_attribute("href") == card.locator(".address").inner_text()
    assert f"user_code={shown}" in str(link.get_attribute("href"))
    assert card.get_by_role("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert card.locator(".time").inner_text().endswith("left")
    _shoot(inside, "waiting")
    proxy.sandbox.approve(shown)
    proxy.let_poll()
    card.locator(".pill", has_text="Signed in").wait_for()
    assert inside.get_by_role("status").inner_text() == "Default account: Signed in."
    assert card.locator(".token").inner_text().startswith("valid for")
    before = _today(card)
    assert [proxy.ask("/v1/chat/completions", CALL).status_code for _ in range(2)] == [200, 200]
    inside.reload()
    card.locator(".pill", has_text="Signed in").wait_for()
    assert _today(card) == before + 2
    _shoot(inside, "signed-in")


def test_a_new_account_is_named_denied_and_removed(inside: Any, proxy: Proxy) -> None:
    name = inside.get_by_label("Add an account")
    name.fill("alice")
    inside.keyboard.press("Enter")
    card = _card(inside, "alice")
    card.locator(".code").wait_for()
    proxy.sandbox.deny()
    proxy.let_poll("alice")
    card.get_by_text("Denied:").wait_for()
    _shoot(inside, "error")
    card.get_by_role("button", name="Remove").click()
    inside.get_by_role("dialog").get_by_role("button", name="Remove").click()
    card.wait_for(state="detached")


def test_a_login_that_waits_can_be_cancelled_and_an_old_code_says_so(inside: Any, proxy: Proxy) -> None:
    card = _card(inside, "Default account")
    card.get_by_role("button", name="Sign in").click()
    card.get_by_role("button", name="Cancel").click()
    card.locator(".code").wait_for(state="hidden")
    card.get_by_role("button", name="Sign in").click()
    card.locator(".code").wait_for()
    proxy.sandbox.answer_next("token", "expired_token")
    proxy.let_poll()
    card.get_by_text("Expired:").wait_for()
    card.get_by_role("button", name="Try again").wait_for()
