"""Reading a prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_qwen_ai.sandbox import words


@given(st.text())
def test_the_tokens_of_any_text_joined_are_the_text(text: str) -> None:
    assert "".join(words.tokens(text)) == text
    assert len(words.tokens(text)) == words.count_tokens(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is the weather in Paris?", ["Paris"]),
        ("What is the weather in Paris, Tokyo and New York?", ["Paris", "Tokyo", "New York"]),
        ("Paris and Tokyo, please", ["Paris", "Tokyo"]),
        ("Ask Bob. Then I wait.", ["Bob"]),
        ('Find "the red one" for Bob', ["the red one"]),
        ("Open `main.py`", ["main.py"]),
        ("it's Bob's dog", ["Bob"]),
        ("weather in paris", ["paris"]),
        ("weather in the city", []),
        ("hello", []),
        ("", []),
    ],
)
def test_names_are_what_a_text_quotes_or_capitalises(text: str, expected: list[str]) -> None:
    assert [name.text for name in words.names(text)] == expected
    assert all(
        text[name.start :].startswith(name.text)
        for name in words.names(text)
        if '"' not in text and "`" not in text
    )


def test_numbers_are_found_in_order() -> None:
    assert words.numbers("add 12 to -3.5, not to v2 or 2nd") == [12, -3.5]


def test_clauses_end_where_the_text_goes_on_to_another_thing() -> None:
    found = words.clauses("Weather in Rome and time in Oslo, then stop. Version 3.5 stays")
    assert [clause.text.strip() for clause in found] == [
        "Weather in Rome",
        "time in Oslo",
        "stop",
        "Version 3.5 stays",
    ]
