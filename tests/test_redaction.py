from __future__ import annotations

import io
import reprlib
import string

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback

import litellm_qwen_ai
from litellm_qwen_ai.redaction import PIECE, Secret, redacted
from litellm_qwen_ai.sandbox import Sandbox

pytest_plugins = ["litellm_qwen_ai.testing"]

LETTERS = st.text(string.ascii_lowercase[:4] + " ", max_size=60)


@given(LETTERS, st.lists(LETTERS, max_size=3), st.data())
def test_no_piece_of_a_secret_is_left(text: str, secrets: list[str], data: st.DataObject) -> None:
    for secret in secrets:
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + secret[data.draw(st.integers(0, len(secret))) :] + text[at:]
    shown = redacted(text, secrets)
    for secret in secrets:
        pieces = {secret[at : at + PIECE] for at in range(len(secret) - PIECE + 1)}
        assert not [piece for piece in pieces if piece in shown]


LONG = "sk-" + "0123456789abcdef" * 20


def _refused(host: str) -> str:
    """What rich shows of a login with a key that the server refuses."""
    shown = io.StringIO()
    try:
        litellm_qwen_ai.login(key=LONG, api_base=host)
    except litellm_qwen_ai.LoginError:
        console = Console(file=shown, width=200)
        console.print(Traceback(show_locals=True))
    return shown.getvalue()


def test_a_traceback_of_rich_with_locals_shows_no_piece_of_a_key(qwen_sandbox_logged_out: Sandbox) -> None:
    told = _refused(qwen_sandbox_logged_out.url)
    assert "locals" in told
    assert "sk-0123" not in told
    assert LONG[8:16] not in told


def test_a_piece_of_a_secret_is_one_too() -> None:
    secret = Secret(LONG)
    assert {repr(secret[:80]), repr(secret[3]), reprlib.repr(secret), pretty_repr(secret, max_string=9)} <= {
        "'***'",
        pretty_repr(secret, max_string=9),
    }
    assert LONG[:4] not in pretty_repr(secret, max_string=9)
    assert secret[:3] == "sk-"


def test_words_around_a_secret_stay() -> None:
    assert redacted("token refresh-0123456789abc is bad", ["refresh-0123456789abc"]) == "token *** is bad"
    assert redacted("half of it: 23456789ab, again", ["refresh-0123456789abc"]) == "half of it: ***, again"
    assert redacted("a sk-x b", ["sk-x"]) == "a *** b"
    assert redacted("nothing to hide", ["abc", ""]) == "nothing to hide"
