"""A question about an image: a file of yours, or a small one drawn here.

Usage: python vision.py [IMAGE.png]
"""

import base64
import struct
import sys
import zlib
from pathlib import Path

import litellm

import litellm_qwen_ai  # noqa: F401  # registers the route qwen_ai/


def red_square(size: int = 64) -> bytes:
    """A red PNG, `size` pixels wide and high."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    pixels = (b"\x00" + b"\xff\x00\x00" * size) * size
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", header)
        + part(b"IDAT", zlib.compress(pixels))
        + part(b"IEND", b"")
    )


image = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else red_square()
response = litellm.completion(
    model="qwen_ai/vision-model",
    messages=[
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is in this image?"},
                {
                    "type": "image_url",
                    "image_url": {"url": "data:image/png;base64," + base64.b64encode(image).decode()},
                },
            ],
        }
    ],
)
print(response.choices[0].message.content)
