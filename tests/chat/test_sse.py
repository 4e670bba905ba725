"""Event streams, however their bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_qwen_ai.chat import sse
from litellm_qwen_ai.chat.sse import EventTooLongError, SSEParser, SSEvent


def parse(*pieces: bytes) -> list[SSEvent]:
    parser = SSEParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.close()


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", [(b"message", b"a", None)]),
        (b"data:a\r\n\r\n", [(b"message", b"a", None)]),
        (b"data: a\r\rdata:b\r\r", [(b"message", b"a", None), (b"message", b"b", None)]),
        (b"\xef\xbb\xbfdata: a\n\n", [(b"message", b"a", None)]),
        (b"data:  a \n\n", [(b"message", b" a ", None)]),
        (b"data: a\ndata: b\n\n", [(b"message", b"a\nb", None)]),
        (b"data\n\n", [(b"message", b"", None)]),
        (b": ping\n\ndata: a\n\n:\n\n", [(b"message", b"a", None)]),
        (b"id: 1\nretry: 5\ndata: a\n\n", [(b"message", b"a", None)]),
        (b"event: error\ndata: a\n\ndata: b\n\n", [(b"error", b"a", None), (b"message", b"b", None)]),
        (b"event:error\n:HTTP_STATUS/429\ndata: a\n\n", [(b"error", b"a", 429)]),
        (b":HTTP_STATUS/429\n\nevent:error\ndata: a\n\n", [(b"error", b"a", 429)]),
        (b":HTTP_STATUS/429\ndata: a\n\ndata: b\n\n", [(b"message", b"a", 429), (b"message", b"b", None)]),
        (b"data: a", [(b"message", b"a", None)]),
        (b"data: a\n", [(b"message", b"a", None)]),
        (b"event: x\n\ndata: a\n\n", [(b"message", b"a", None)]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_the_standards_rules_hold_for_every_split(stream: bytes, expected: list[SSEvent]) -> None:
    for cut in range(len(stream) + 1):
        assert parse(stream[:cut], stream[cut:]) == expected
    assert parse(*(bytes([byte]) for byte in stream)) == expected


def test_what_is_no_event_stream_is_kept_up_to_a_limit() -> None:
    parser = SSEParser()
    assert parser.feed(b'{"error":\n "no"}\n') == []
    assert parser.stray == b'{"error":\n "no"}\n'
    for _ in range(3000):
        parser.feed(b"x" * 100 + b"\n")
    assert len(parser.stray) <= sse.MAX_STRAY_BYTES + 1


_LINE = st.sampled_from(
    [
        b"data: ",
        b"data:\xe4\xbd\xa0",
        b"data",
        b"event: error",
        b": c",
        b":HTTP_STATUS/500",
        b"id: 1",
        b"x: y",
        b"",
    ]
)
_STREAM = st.lists(st.tuples(_LINE, st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=12).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


@given(stream=_STREAM | st.binary(max_size=60), data=st.data())
def test_any_split_gives_the_same_events(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert parse(*pieces) == parse(stream)


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 700, b"y" * 700, b"data: x\n" * 12])
def test_an_event_or_line_without_end_is_refused(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 600)
    for pieces in ([piece + b"\n"], [piece[i : i + 1] for i in range(len(piece))]):
        with pytest.raises(EventTooLongError):
            parse(*pieces)


def test_a_long_line_in_many_pieces_costs_no_more_than_its_length() -> None:
    parser = SSEParser()
    for _ in range(200_000):
        assert parser.feed(b"xxxx") == []
    parser.feed(b"\n\n")
    assert len(parser.stray) <= sse.MAX_STRAY_BYTES + 1


def test_the_bounds_are_for_one_event_and_not_for_all_that_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 600)
    assert len(parse(*[b"data: " + b"x" * 100 + b"\n\n"] * 50)) == 50
    assert len(parse((b"data: " + b"x" * 100 + b"\n\n") * 5)) == 5


def test_a_line_without_end_is_refused_while_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 600)
    for rest in (b"", b"data: x\n\n"):
        parser = SSEParser()
        parser.feed(rest + b"x" * 600)
        with pytest.raises(EventTooLongError):
            parser.feed(b"x")


def test_each_event_may_fill_its_bound_and_none_passes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 600)
    most = b"x" * (600 - sse._LINE_COST)
    assert [event.data for event in parse((b"data: " + most + b"\n\n") * 2)] == [most, most]
    with pytest.raises(EventTooLongError):
        parse(b"data: " + most + b"x\n\n")
