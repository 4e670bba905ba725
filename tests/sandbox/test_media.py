"""Images told by their bytes."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_qwen_ai.sandbox import media

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 300, 200) + b"\x08\x02\x00\x00\x00"
GIF = b"GIF89a" + struct.pack("<HH", 17, 5) + b"\x00\x00\x00"
JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
    + b"\x01" * 9
    + b"\xff\xdb\x00\x05\x00\xff\xc0"  # a marker inside a segment
    b"\xff\xff\xc2\x00\x11\x08" + struct.pack(">HH", 480, 640) + b"\x03" * 10
)
WEBP_LOSSY = b"RIFF\x00\x00\x00\x00WEBPVP8 " + b"\x00" * 10 + struct.pack("<HH", 176, 144)
WEBP_LOSSLESS = b"RIFF\x00\x00\x00\x00WEBPVP8L\x00\x00\x00\x00\x2f" + struct.pack("<I", 385 | 394 << 14)
WEBP_EXTENDED = b"RIFF\x00\x00\x00\x00WEBPVP8X" + b"\x00" * 8 + b"\x1f\x03\x00" + b"\x57\x02\x00"

IMAGES = [
    (PNG, "PNG", 300, 200),
    (GIF, "GIF", 17, 5),
    (JPEG, "JPEG", 640, 480),
    (WEBP_LOSSY, "WEBP", 176, 144),
    (WEBP_LOSSLESS, "WEBP", 386, 395),
    (WEBP_EXTENDED, "WEBP", 800, 600),
]


def _part(data: bytes, kind: str = "image/png") -> dict[str, Any]:
    url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def test_format_and_size_are_read_from_the_bytes() -> None:
    for data, kind, width, height in IMAGES:
        assert media.recognise(data) == media.Picture(kind, width, height)
        seen = media.look_at(_part(data, f"image/{kind.lower()}"))
        assert seen is not None
        assert seen.description == f"a {kind} image of {width} x {height} pixels"


def test_an_image_that_ends_before_its_size_is_not_recognised() -> None:
    for data in [image[0] for image in IMAGES]:
        assert media.recognise(data[: len(data) // 2]) is None


@given(st.binary() | st.binary().map(b"\xff\xd8\xff".__add__) | st.binary().map(b"RIFF1234WEBP".__add__))
def test_no_bytes_break_it(data: bytes) -> None:
    found = media.recognise(data)
    assert found is None or found.width >= 0


def test_a_wrong_type_in_the_data_uri_is_named() -> None:
    seen = media.look_at(_part(GIF, "image/jpeg"))
    assert seen is not None
    assert seen.description == "a GIF image of 17 x 5 pixels (sent as image/jpeg)"


def test_an_image_by_address_is_described_by_it_and_not_fetched() -> None:
    seen = media.look_at({"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/a.png"}})
    assert seen is not None
    assert seen.description == "an image at http://127.0.0.1:9/a.png"


def test_videos_are_recognised() -> None:
    for part, description in [
        (
            {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
            "a video at https://example.com/a.mp4",
        ),
        ({"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}, "a video of 3 bytes"),
        ({"type": "video", "video": ["https://example.com/1.jpg"] * 4}, "a video of 4 frames"),
    ]:
        seen = media.look_at(part)
        assert seen is not None
        assert seen.description == description


def test_a_text_part_is_neither() -> None:
    assert media.look_at({"type": "text", "text": "x"}) is None


def test_what_cannot_be_read_is_refused() -> None:
    for part, said in [
        (_part(b"no image at all"), "format is illegal"),
        (_part(PNG[:16] + b"\x00" * 8), "format is illegal"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,%%%"}}, "cannot be decoded"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,abc"}}, "not of the form"),
        ({"type": "image_url", "image_url": {"url": "file:///etc/hosts"}}, "needs a url"),
        ({"type": "image_url"}, "needs a url"),
        ({"type": "video", "video": []}, "list of frames"),
    ]:
        with pytest.raises(media.UnreadableMediaError, match=said):
            media.look_at(part)


def test_tokens_grow_with_the_size_up_to_a_limit_that_high_resolution_lifts() -> None:
    def cost(width: int, height: int, *, high_resolution: bool = False) -> int:
        data = PNG[:16] + struct.pack(">II", width, height) + PNG[24:]
        seen = media.look_at(_part(data), high_resolution=high_resolution)
        assert seen is not None
        return seen.tokens

    assert cost(10, 10) == 4
    assert cost(280, 280) == 100
    assert cost(4000, 4000) == 1280
    assert cost(4000, 4000, high_resolution=True) == 16_384
