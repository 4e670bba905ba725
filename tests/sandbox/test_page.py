"""The approval page, as a browser without scripts sees it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from litellm_qwen_ai.sandbox import Sandbox


class _Balance(HTMLParser):
    """Notices tags that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _attrs: Any) -> None:
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _press(client: Any, page: httpx.Response, button: str) -> httpx.Response:
    """Send the page's form as a browser would."""
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text))
    decision = re.search(rf'name="decision" value="(\w+)">{button}<', page.text)
    assert decision
    return client.http.post("/authorize", data={**fields, "decision": decision[1]})


@pytest.mark.parametrize(("button", "title"), [("Approve", "Approved"), ("Deny", "Denied")])
def test_a_person_can_decide_with_a_button(client: Any, sandbox: Sandbox, button: str, title: str) -> None:
    code = client.device().json()
    page = client.http.get(code["verification_uri_complete"])
    assert page.status_code == 200
    assert code["user_code"] in page.text
    assert "Only approve a code that you asked for yourself." in page.text
    done = _press(client, page, button)
    assert done.status_code == 200
    assert f">{title}</h1>" in done.text
    assert sandbox.pending_codes() == []
    again = client.http.get(code["verification_uri_complete"])
    assert f"Already {title.lower()}" in again.text
    assert "<button" not in again.text


def test_a_link_without_its_client_part_is_refused(client: Any) -> None:
    code = client.device().json()
    page = client.http.get("/authorize", params={"user_code": code["user_code"]})
    assert page.status_code == 400
    assert "not complete" in page.text
    assert "<button" not in page.text


def test_without_a_code_the_page_asks_for_it(client: Any) -> None:
    page = client.http.get("/authorize", params={"client": "qwen-code"})
    assert page.status_code == 200
    assert '<label for="user_code">' in page.text


def test_an_unknown_code_is_said_to_be_unknown(client: Any) -> None:
    page = client.http.get("/authorize", params={"client": "c", "user_code": "nonsense"})
    assert page.status_code == 404
    assert "Unknown code" in page.text


def test_an_expired_code_cannot_be_approved(client: Any, clock: Any) -> None:
    code = client.device().json()
    page = client.http.get(code["verification_uri_complete"])
    clock.now += 901
    done = _press(client, page, "Approve")
    assert done.status_code == 410
    assert "expired" in done.text


def test_an_incomplete_form_is_refused(client: Any) -> None:
    for form in [
        {},
        {"user_code": "x", "client": "c"},
        {"user_code": "x", "client": "c", "decision": "perhaps"},
    ]:
        done = client.http.post("/authorize", data=form)
        assert done.status_code == 400
        assert "not complete" in done.text


def test_what_comes_from_the_link_is_escaped(client: Any) -> None:
    page = client.http.get("/authorize", params={"client": "<b>c", "user_code": "<script>alert(1)</script>"})
    assert "<script" not in page.text
    page = client.http.get("/authorize", params={"client": '"><script>'})
    assert "<script" not in page.text


def test_every_page_is_whole_runs_no_script_and_loads_nothing(client: Any) -> None:
    for query in ["", "?client=c", "?client=c&user_code=x"]:
        page = client.http.get(f"/authorize{query}")
        balance = _Balance()
        balance.feed(page.text)
        assert balance.open == []
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert '<html lang="en">' in page.text


def test_the_first_page_says_what_this_is(client: Any, sandbox: Sandbox) -> None:
    page = client.http.get("/")
    assert page.status_code == 200
    assert sandbox.api_base in page.text
