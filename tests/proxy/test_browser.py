"""The page in a real Chromium, on a real proxy; each state leaves a screenshot in `.ci/out/`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.proxy.conftest import Proxy

playwright = pytest.importorskip("playwright.sync_api", reason="the group `browser` is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.proxy,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium"),
]

SHOTS = Path(__file__).parents[2] / ".ci" / "out"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = {"width": 1000, "height": 720}, {"width": 390, "height": 780}
WAIT = 60_000  # milliseconds; a deadline, not a pause
CALL = {"model": "coder-model", "messages": [{"role": "user", "content": "ping"}]}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def faults() -> list[str]:
    """What the browser complained of: scripts that failed, and what the CSP has blocked."""
    return []


@pytest.fixture
def page(chromium: Any, proxy: Proxy, faults: list[str]) -> Iterator[Any]:
    for file in proxy.token_dir.glob("*.json*"):
        file.unlink()
    proxy.sandbox.revoke()
    context = chromium.new_context(viewport=DESKTOP, locale="en-GB")
    context.set_default_timeout(WAIT)
    made = context.new_page()
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("console", lambda line: faults.append(line.text) if "Content Security" in line.text else None)
    made.goto(proxy.url + "/qwen_ai")
    yield made
    context.close()
    assert faults == []


@pytest.fixture
def inside(page: Any, proxy: Proxy) -> Any:
    page.get_by_label("Key", exact=True).fill(proxy.key)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="Default account").wait_for()
    return page


def _shoot(page: Any, name: str) -> None:
    """The page on a desktop and on a phone, in the light and in the dark."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for kind, size in (("desktop", DESKTOP), ("phone", PHONE)):
            page.set_viewport_size(size)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= size["width"], f"{name}: a {kind} has to scroll sideways"
            page.screenshot(path=SHOTS / f"page-{name}-{kind}-{scheme}.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESKTOP)


def _card(page: Any, account: str) -> Any:
    return page.get_by_role("region", name=account)


def _today(card: Any) -> int:
    return int(card.locator(".today").inner_text().split()[0])


def test_the_door_asks_for_a_key_and_opens_to_an_admins_only(page: Any, proxy: Proxy) -> None:
    assert page.evaluate("document.activeElement.id") == "key"
    assert "oauth_creds" not in page.content()
    page.keyboard.type("sk-wrong")
    page.keyboard.press("Enter")
    page.get_by_text("This key is not accepted.").wait_for()
    assert page.evaluate("document.activeElement.id") == "key"
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
    inside.wait_for_function("document.activeElement.className === 'code'")
    (shown,) = proxy.sandbox.pending_codes()
    assert code.inner_text() == shown
    link = card.get_by_role("link", name="Open the page")
    assert link.get_attribute("href") == card.locator(".address").inner_text()
    assert f"user_code={shown}" in str(link.get_attribute("href"))
    assert card.get_by_role("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert card.locator(".time").inner_text().endswith("left")
    _shoot(inside, "waiting")
    proxy.sandbox.approve(shown)
    proxy.let_poll()
    card.get_by_text("Signed in", exact=True).wait_for()
    assert inside.get_by_role("status").inner_text() == "Default account: Signed in."
    assert card.locator(".token").inner_text().startswith("valid for")
    before = _today(card)
    assert [proxy.ask("/v1/chat/completions", CALL).status_code for _ in range(2)] == [200, 200]
    inside.reload()
    card.get_by_text("Signed in", exact=True).wait_for()
    assert _today(card) == before + 2
    _shoot(inside, "signed-in")


def test_a_new_account_is_named_denied_and_dismissed(inside: Any, proxy: Proxy) -> None:
    name = inside.get_by_label("Name")
    name.fill("no/path")
    inside.keyboard.press("Enter")
    inside.get_by_text("is no account name").wait_for()
    name.fill("alice")
    inside.keyboard.press("Enter")
    card = _card(inside, "alice")
    card.locator(".code").wait_for()
    proxy.sandbox.deny()
    proxy.let_poll("alice")
    card.get_by_text("Denied:").wait_for()
    _shoot(inside, "error")
    card.get_by_role("button", name="Dismiss").click()
    card.get_by_text("Denied:").wait_for(state="hidden")


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


def test_every_field_and_button_has_a_name_and_text_can_be_read(inside: Any) -> None:
    card = _card(inside, "Default account")
    card.get_by_role("button", name="Sign in").click()
    card.locator(".code").wait_for()
    for scheme in ("light", "dark"):
        inside.emulate_media(color_scheme=scheme)
        faint = inside.evaluate(CONTRAST)
        assert faint == [], f"{scheme}: {faint}"
    nameless = inside.evaluate(
        "[...document.querySelectorAll('button, a, input, img')].filter(e => e.checkVisibility() && "
        "!(e.innerText || e.alt || (e.labels && e.labels.length))).map(e => e.outerHTML)"
    )
    assert nameless == []


#: Every visible text with less than 4.5:1 between it and what is behind it (WCAG 2.2, 1.4.3).
CONTRAST = """
() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => {
      const c = v / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  for (const e of document.body.querySelectorAll("*")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !e.checkVisibility() || e.closest(".unseen, .skip")) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${e.className || e.tagName}: ${ratio.toFixed(2)}`);
  }
  return faint;
}
"""
