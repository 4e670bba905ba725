"""The one reading of `Retry-After`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_qwen_ai.retry_after import retry_after

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1e12"}, 1e12),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
        ({"retry-after-ms": "-1", "retry-after": "3"}, 3.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:10 GMT"}, 10.0),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:30 GMT", "date": "Fri, 15 Jan 2027 07:00:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:10 GMT", "date": "now"}, 10.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Fri, 15 Jan 99999 08:00:10 GMT"}, None),
    ],
)
def test_each_form_is_read_and_nonsense_is_none(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


def test_a_date_needs_the_answers_own_or_a_clock() -> None:
    date = "Fri, 15 Jan 2027 08:00:10 GMT"
    assert retry_after({"retry-after": date}) is None
    assert retry_after({"retry-after": date, "date": "Fri, 15 Jan 2027 08:00:00 GMT"}) == 10.0


@given(named=st.text(max_size=30), ms=st.text(max_size=10), sent=st.text(max_size=30))
def test_whatever_is_sent_gives_seconds_or_none(named: str, ms: str, sent: str) -> None:
    found = retry_after({"retry-after": named, "retry-after-ms": ms, "date": sent}, NOW)
    assert found is None or 0 <= found < float("inf")
