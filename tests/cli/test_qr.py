from __future__ import annotations

import io
import os
import sys
from typing import Any

import pytest
from rich.console import Console

from litellm_qwen_ai.cli.qr import drawn
from litellm_qwen_ai.cli.rich_prompt import RichPrompt
from litellm_qwen_ai.oauth import DeviceCode, TerminalPrompt
from litellm_qwen_ai.oauth.prompt import qr_code

LINK = "https://chat.qwen.ai/authorize?user_code=K7QX2MPB&client=qwen-code"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def fileno(self) -> int:
        return 2


class Ascii(io.StringIO):
    encoding = "ascii"


def _modules(text: str) -> list[list[bool]]:
    """The picture's half blocks as rows of dark modules; segno draws light ones."""
    light = {" ": (False, False), "\u2580": (True, False), "\u2584": (False, True), "\u2588": (True, True)}
    rows: list[list[bool]] = []
    for line in text.splitlines():
        rows.append([not light[char][0] for char in line])
        rows.append([not light[char][1] for char in line])
    return rows


def test_the_picture_is_the_links_qr_code() -> None:
    segno = pytest.importorskip("segno")
    expected = [
        [bool(module) for module in row]
        for row in segno.make(LINK, error="l", micro=False).matrix_iter(border=2)
    ]
    shown = _modules(drawn(LINK))
    assert [row[: len(expected[0])] for row in shown[: len(expected)]] == expected


@pytest.mark.parametrize("query", ["é漢", "a b", "[bold]", "漢" * 700, "\U0001f600" * 700])
def test_no_link_of_a_server_breaks_a_login_or_the_page(query: str) -> None:
    pytest.importorskip("segno")
    link = f"https://chat.qwen.ai/authorize?{query}"
    code = DeviceCode("K7QX2MPB", "https://chat.qwen.ai/authorize", link, 900, 5, "secret", "secret")
    for width in (60, 5000):
        shown = io.StringIO()
        console = Console(file=shown, force_terminal=True, width=width)
        RichPrompt(drawn, browser=False, console=console).show(code)
        assert "K7QX2MPB" in shown.getvalue()
    TerminalPrompt(io.StringIO(), picture=drawn).show(code)
    assert (qr_code(link) or "data:").startswith("data:")


def test_a_link_that_fits_into_no_picture_is_said_to() -> None:
    pytest.importorskip("segno")
    assert drawn(LINK + "\U0001f600" * 800) == "(No QR code: this address does not fit into one.)"
    assert qr_code(LINK + "\U0001f600" * 800) is None


def test_a_terminal_without_block_characters_says_why_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("segno")
    monkeypatch.setattr(sys, "stderr", Ascii())
    assert drawn(LINK).startswith("(No QR code: the encoding of this terminal, ascii, ")


@pytest.mark.parametrize(
    ("size", "fits"), [((80, 24), True), ((80, 22), False), ((36, 60), False), ((40, 30), True)]
)
def test_a_picture_that_leaves_no_room_for_the_code_is_left_out(
    size: tuple[int, int], fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("segno")
    monkeypatch.setattr("litellm_qwen_ai.cli.qr.os.get_terminal_size", lambda _stream: os.terminal_size(size))
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert drawn(LINK).startswith("(No QR code: this terminal has ") is not fits


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_the_address_and_the_code_stand_below_the_picture(columns: int) -> None:
    code = DeviceCode("K7QX2MPB", "https://chat.qwen.ai/authorize", LINK, 900, 5, "secret", "secret")
    picture = "#####\n" * 19
    waits = 2  # the plain one says here that it waits, if it is for no terminal
    for (prompt, shown), more in ((_rich(picture, columns), 0), (_plain(picture), waits)):
        prompt.show(code)
        told = shown.getvalue()
        assert told.startswith(picture)
        below = told.removeprefix(picture)
        assert below.startswith(LINK)
        assert "K7QX2MPB" in below.removeprefix(LINK)
        assert sum(-(-len(line) // columns) for line in below.splitlines()) <= more + (
            3 if columns == 80 else 7
        )


def _rich(picture: str, columns: int) -> tuple[RichPrompt, io.StringIO]:
    shown = io.StringIO()
    console = Console(file=shown, width=columns, highlight=False)
    return RichPrompt(lambda _link: picture, browser=False, console=console), shown


def _plain(picture: str) -> tuple[TerminalPrompt, io.StringIO]:
    shown = io.StringIO()
    return TerminalPrompt(shown, picture=lambda _link: picture), shown


def test_login_shows_it_on_stderr(run: Any) -> None:
    pytest.importorskip("segno")
    done = run("login", "--qr")
    assert done.code == 0
    assert "\u2588" in done.err
    assert "\u2588" not in done.out


def test_without_the_package_nothing_starts_and_the_install_command_is_named(
    run: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)
    done = run("login", "--qr")
    assert done.code == 2
    assert "pip install 'litellm-qwen-ai[qr]'" in done.err
    assert sandbox.requests == []
