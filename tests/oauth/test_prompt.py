from __future__ import annotations

import io
import sys
import threading
import webbrowser
from dataclasses import replace
from typing import Any

import pytest

from litellm_qwen_ai.oauth import prompt as prompt_module
from litellm_qwen_ai.oauth.prompt import TerminalPrompt, countdown, joining, may_open_browser, open_browser
from litellm_qwen_ai.oauth.protocol import DeviceCode

CODE = DeviceCode(
    user_code="AB-CD_12",
    verification_uri="https://chat.qwen.ai/authorize",
    verification_uri_complete="https://chat.qwen.ai/authorize?user_code=AB-CD_12&client=qwen-code",
    expires_in=900,
    interval=5,
    device_code="device-secret",
    code_verifier="verifier-secret",
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_link_the_code_the_time_and_the_warning_are_shown() -> None:
    stream = io.StringIO()
    TerminalPrompt(stream).show(CODE)
    text = stream.getvalue()
    assert text.startswith(f"\n{prompt_module.INVITATION[:20]}")  # no room for a picture that there is not
    assert f"    {CODE.link}\n" in text
    assert "    AB-CD_12\n" in text
    assert "valid for 15 min" in text
    assert "Only approve a code that you asked for yourself." in text
    assert "secret" not in text


def test_a_terminal_shows_the_time_left_in_one_line_and_clears_it() -> None:
    stream = Terminal()
    shown = TerminalPrompt(stream)
    shown.waiting(899.6)
    shown.waiting(59)
    shown.done(approved=True)
    _, first, second, cleared, end = stream.getvalue().split("\r")
    assert "15:00 left" in first
    assert "0:59 left" in second
    assert cleared == " " * len(second.rstrip())
    assert end == "Approved.\n"


@pytest.mark.parametrize(("fewer", "broken"), [(0, False), (1, True)])
def test_a_countdown_is_taken_for_broken_only_where_it_was_wider_than_the_terminal_is_now(
    fewer: int, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal()
    shown = TerminalPrompt(stream)
    shown.waiting(899)
    monkeypatch.setattr(shown, "_columns", lambda: len(countdown(899, 80)) - fewer)
    shown.waiting(898)
    assert (prompt_module.NARROWED in stream.getvalue()) is broken


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (80, "Waiting for your approval ... 14:59 left (Ctrl-C cancels)"),
        (57, "Waiting ... 14:59 left (Ctrl-C cancels)"),
        (40, "Waiting ... 14:59 left (Ctrl-C cancels)"),
        (30, "Waiting ... 14:59 left"),
        (12, "14:59 left"),
        (5, "14:5"),
        (0, ""),
    ],
)
def test_the_countdown_never_wraps(columns: int, line: str) -> None:
    assert countdown(899, columns) == line
    assert len(line) < max(1, columns)


def test_a_server_out_of_order_is_told_above_the_countdown() -> None:
    stream = Terminal()
    shown = TerminalPrompt(stream)
    shown.waiting(30)
    shown.trouble("HTTP 504 with a web page.")
    shown.waiting(29)
    *_, cleared, told = stream.getvalue().split("\r")[:-1]
    assert not cleared.strip()
    assert "HTTP 504" in told
    assert "2026-04-15" in told


def test_without_a_terminal_there_is_no_countdown() -> None:
    stream = io.StringIO()
    shown = TerminalPrompt(stream)
    shown.waiting(10)
    shown.done(approved=False)
    assert stream.getvalue() == ""


def test_a_terminal_that_can_redraw_nothing_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, live in (("dumb", False), ("xterm", True)):
        monkeypatch.setenv("TERM", kind)
        stream = Terminal()
        shown = TerminalPrompt(stream)
        shown.show(CODE)
        assert ("Waiting for your approval ... (Ctrl-C cancels)\n\n" in stream.getvalue()) is not live
        shown.waiting(10)
        assert ("\r" in stream.getvalue()) is live


@pytest.mark.parametrize(
    ("waited", "said"),
    [
        (None, ""),
        (0.0, "started 0 s"),
        (59.4, "started 59 s"),
        (60.0, "started 1 min"),
        (149.0, "started 2 min"),
    ],
)
def test_a_login_that_joins_another_says_since_when_that_waits(waited: float | None, said: str) -> None:
    joined = replace(CODE, waited=waited)
    whole = f"A login of this account waits already, {said} ago: this is its code."
    assert joining(joined) == (whole if said else "")
    stream = io.StringIO()
    TerminalPrompt(stream, hint="A hint.").show(joined)
    assert stream.getvalue().startswith(f"{whole}\n\n" if said else "\n")
    assert "A hint.\n\n" in stream.getvalue()


@pytest.mark.parametrize(
    ("picture", "begins"),
    [
        ("", f"\n{prompt_module.INVITATION}"),
        ("no picture here", f"no picture here\n\n{prompt_module.INVITATION}"),
        ("a\nb\n", f"a\nb\n\n\n{prompt_module.INVITATION}"),
        (
            "a\nb\nc\n",
            f"a\nb\nc\n{CODE.link}\nCheck that the page shows this code: AB-CD_12 . The code is valid for",
        ),
    ],
)
def test_a_tall_picture_leaves_few_rows_to_the_words(picture: str, begins: str) -> None:
    asked: list[str] = []
    stream = io.StringIO()
    TerminalPrompt(stream, picture=lambda link: asked.append(link) or picture).show(CODE)
    assert asked == [CODE.link]
    assert stream.getvalue().startswith(begins)


@pytest.mark.parametrize(("lives", "minutes"), [(1, 1), (89, 1), (91, 2), (900, 15)])
def test_the_code_is_valid_for_whole_minutes(lives: float, minutes: int) -> None:
    assert prompt_module.warning(replace(CODE, expires_in=lives)) == (
        f"The code is valid for {minutes} min. {prompt_module.PHISHING}"
    )


@pytest.mark.parametrize(
    ("environ", "may"),
    [
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({}, False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "a b"}, False),
        ({"DISPLAY": ":0", "SSH_TTY": "/dev/pts/1"}, False),
        ({"DISPLAY": ":0", "CI": "true"}, False),
        ({"DISPLAY": ":0", "CI": ""}, True),
    ],
)
def test_a_browser_opens_only_before_a_person(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], may: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "platform", "linux")
    assert may_open_browser(environ) is may


def test_no_browser_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert may_open_browser({"DISPLAY": ":0"}) is False


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_a_desktop_system_needs_no_display_variable(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "platform", system)
    assert may_open_browser({}) is True


class Browser:
    def __init__(self, basename: str) -> None:
        self.basename = basename
        self.opened: list[str] = []

    def open(self, url: str) -> bool:
        self.opened.append(url)
        return True


def wait_for_browser() -> None:
    for thread in threading.enumerate():
        if thread.name == "qwen-ai-browser":
            thread.join(60)


@pytest.mark.parametrize(("name", "opened"), [("firefox", ["https://h/p?a=b"]), ("w3m", []), ("lynx", [])])
def test_a_text_browser_does_not_take_over_the_terminal(
    monkeypatch: pytest.MonkeyPatch, name: str, opened: list[str]
) -> None:
    browser = Browser(name)
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    open_browser("https://h/p?a=b")
    wait_for_browser()
    assert browser.opened == opened


def test_no_browser_at_all_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def none() -> None:
        asked.append(1)
        raise webbrowser.Error("no browser")

    monkeypatch.setattr(webbrowser, "get", none)
    open_browser("https://h")
    wait_for_browser()
    assert asked == [1]
    assert prompt_module.may_open_browser({}) is False
