"""What is in an image or a video part of a message, read from its bytes; nothing is ever fetched."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TILE = 28  # pixels; one token for a square of this side
_FEWEST_TOKENS = 4
_MOST_TOKENS = {False: 1280, True: 16_384}  # by vl_high_resolution_images
_UNSEEN_TOKENS = 256  # for what is given by URL and not fetched
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start-of-frame markers
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


class UnreadableMediaError(ValueError):
    """A data URI that holds no image the sandbox knows; the message says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image's format and its size in pixels."""

    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A part of a message that is not text: how it is described and how many tokens it costs."""

    description: str
    tokens: int


def recognise(data: bytes) -> Picture | None:
    """Tell the format and size of an image from its first bytes; None if it is no PNG, JPEG, GIF or WebP."""
    try:
        if data.startswith(_PNG) and data[12:16] == b"IHDR":
            return Picture("PNG", *struct.unpack_from(">II", data, 16))
        if data[:6] in (b"GIF87a", b"GIF89a"):
            return Picture("GIF", *struct.unpack_from("<HH", data, 6))
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
    except (struct.error, IndexError):  # it ends before its size
        return None
    return None


def look_at(part: Mapping[str, Any], *, high_resolution: bool = False) -> Seen | None:
    """Describe an image or video part of a message; None for a part that is neither.

    Args:
        part: A content part, as `{"type": "image_url", "image_url": {"url": ...}}`.
        high_resolution: The request's `vl_high_resolution_images`, which lets an image cost more tokens.

    Raises:
        UnreadableMediaError: The part has no address, or its data URI holds no readable image.
    """
    kind = part.get("type")
    if kind == "image_url":
        return _look_at_image(_address(part, "image_url"), high_resolution)
    if kind == "video_url":
        url = _address(part, "video_url")
        if url.startswith("data:"):
            return Seen(f"a video of {len(_decode(url)[1])} bytes", _UNSEEN_TOKENS)
        return Seen(f"a video at {url}", _UNSEEN_TOKENS)
    if kind == "video":
        frames = part.get("video")
        if not isinstance(frames, list) or not frames:
            raise UnreadableMediaError("a video part needs a list of frames in its 'video' member")
        return Seen(f"a video of {len(frames)} frames", _UNSEEN_TOKENS * len(frames))
    return None


def _look_at_image(url: str, high_resolution: bool) -> Seen:  # noqa: FBT001  # internal
    if not url.startswith("data:"):
        return Seen(f"an image at {url}", _UNSEEN_TOKENS)
    declared, data = _decode(url)
    picture = recognise(data)
    if picture is None or not picture.width or not picture.height:
        raise UnreadableMediaError("The image format is illegal and cannot be opened")
    description = f"a {picture.format} image of {picture.width} x {picture.height} pixels"
    if declared != f"image/{picture.format.lower()}":
        description += f" (sent as {declared or 'no type'})"
    tiles = math.ceil(picture.width / _TILE) * math.ceil(picture.height / _TILE)
    return Seen(description, max(_FEWEST_TOKENS, min(tiles, _MOST_TOKENS[high_resolution])))


def _address(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    url = value.get("url") if isinstance(value, Mapping) else value
    if not isinstance(url, str) or not url.startswith(("data:", "http://", "https://", "oss://")):
        raise UnreadableMediaError(f"'{name}' needs a url that starts with http://, https:// or data:")
    return url


def _decode(url: str) -> tuple[str, bytes]:
    head, comma, body = url.removeprefix("data:").partition(",")
    declared, _, coding = head.partition(";")
    if not comma or not coding.endswith("base64"):
        raise UnreadableMediaError("The data URI is not of the form data:<type>;base64,<data>")
    try:
        return declared, base64.b64decode(body, validate=True)
    except ValueError as error:  # binascii's is one, and so is that of letters beyond ASCII
        raise UnreadableMediaError("The data URI's base64 cannot be decoded") from error


def _webp(data: bytes) -> Picture | None:
    form = data[12:16]
    if form == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Picture("WEBP", width & 0x3FFF, height & 0x3FFF)
    if form == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Picture("WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if form == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return Picture("WEBP", width, height) if len(data) >= 30 else None  # noqa: PLR2004  # the header's length
    return None


def _jpeg(data: bytes) -> Picture | None:
    at = 2
    while at < len(data):
        if data[at] != 0xFF:  # noqa: PLR2004  # every marker starts with this byte
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # noqa: PLR2004  # a fill byte before the marker
            at += 1
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Picture("JPEG", width, height)
        elif marker in _BARE_MARKERS:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None
