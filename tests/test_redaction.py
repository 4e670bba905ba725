from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from litellm_qwen_ai.redaction import PIECE, redacted

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


def test_words_around_a_secret_stay() -> None:
    assert redacted("token refresh-0123456789abc is bad", ["refresh-0123456789abc"]) == "token *** is bad"
    assert redacted("half of it: 23456789ab, again", ["refresh-0123456789abc"]) == "half of it: ***, again"
    assert redacted("a sk-x b", ["sk-x"]) == "a *** b"
    assert redacted("nothing to hide", ["abc", ""]) == "nothing to hide"
