"""What the client scripts share: prompts, a tool, a picture, and how they report.

A script defines one function for each capability and ends with `report(...)`. It runs in the client's own
environment, so nothing here may import more than the standard library. What the sandbox received is looked at
as well as what the client returned.
"""

from __future__ import annotations

import base64
import json
import os
import re
import struct
import traceback
import urllib.request
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit_names import CAPABILITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


MODEL = "qwen_ai/coder-model"
VISION_MODEL = "qwen_ai/vision-model"
PROXY_MODEL = "coder-model"  # as examples/config.yaml calls them
PROXY_VISION_MODEL = "vision-model"
PROXY_URL = os.environ.get("CLIENTS_PROXY_URL", "")
PROXY_KEY = os.environ.get("CLIENTS_PROXY_KEY", "")

PROMPT = "Where do quokkas live?"
ECHO = "quokkas"  # the sandbox repeats what it was asked
TOOL_PROMPT = 'What is the weather in "Paris"?'
CITY = "Paris"
WEATHER = "sleet at 17 knots"  # only the tool knows
SCHEMA_PROMPT = 'The city "Lima" has 43 districts.'
IMAGE_PROMPT = "What is in this picture?"
IMAGE_SIZE = (57, 31)
IMAGE_SEEN = "57 x 31 pixels"  # how the sandbox tells that it read the picture

_SANDBOX = os.environ["CLIENTS_SANDBOX_URL"]
_REPORT = Path(os.environ["CLIENTS_REPORT"])
_called: list[str] = []


class NotOfferedError(Exception):
    """The client has nothing of this kind; the text says what was looked for."""


class KnownError(Exception):
    """It does not work, and this is why; the fault is not in the plugin."""


def get_weather(city: str) -> str:
    """Get the weather in a city.

    Args:
        city: The name of the city.
    """
    _called.append(city)
    return f"{WEATHER} in {city}"


WEATHER_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "The name of the city."}},
    "required": ["city"],
}


def png(width: int = IMAGE_SIZE[0], height: int = IMAGE_SIZE[1]) -> bytes:
    """Return a blank picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + b"\xff" * 3 * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def png_base64() -> str:
    return base64.b64encode(png()).decode()


def png_url() -> str:
    return f"data:image/png;base64,{png_base64()}"


def holds(text: Any, *wanted: str) -> None:
    """Check an answer for what only an answer to this very request holds."""
    missing = [one for one in wanted if one not in str(text)]
    assert not missing, f"{missing} is not in the answer: {str(text)[:300]!r}"


def pieces(found: list[str], *wanted: str) -> None:
    """Check a streamed answer: it came in several pieces, and they are the answer."""
    full = [one for one in found if one]
    assert len(full) > 1, f"the answer came in {len(full)} piece: {full}"
    holds("".join(full), *wanted)


def tool_was_called(*, alone: bool = True) -> None:
    """Check that the client ran the tool, with the argument that the model chose.

    Args:
        alone: And ran it only once.
    """
    assert (_called if alone else _called[:1]) == [CITY], f"the tool was called with {_called}"


def report(packages: list[str], **functions: Callable[[], str | None]) -> None:
    """Run each capability and write down what came of it, a line of JSON each.

    Args:
        packages: The distributions whose versions are to be named, the client first.
        functions: A function for each capability; it returns a remark for the table, or None.
    """
    assert set(functions) == set(CAPABILITIES), sorted(functions)
    _write({"versions": {name: version(name) for name in packages}})
    for name, function in functions.items():
        _write({"capability": name, **_outcome(name, function)})
    os._exit(0)  # some clients leave threads behind that would keep the process alive


def received() -> list[dict[str, Any]]:
    """Return the bodies of the chat requests that the sandbox received for this capability."""
    return [json.loads(one["body"]) for one in _requests()]


def _outcome(name: str, function: Callable[[], str | None]) -> dict[str, str]:
    _called.clear()
    _ask("clear", {})
    try:
        remark = function()
        sent = _arrived(name)
    except NotOfferedError as reason:
        return {"outcome": "not offered", "remark": str(reason)}
    except KnownError as reason:
        return {"outcome": "known", "remark": str(reason)}
    except BaseException as error:  # noqa: BLE001  # whatever a client throws is a row of the table
        traceback.print_exc()
        return {"outcome": "fails", "remark": f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"}
    return {"outcome": "works", "remark": "; ".join(filter(None, [remark, sent]))}


def _arrived(name: str) -> str:
    """Check what the sandbox received, and say what is worth saying of it."""
    requests = _requests()
    bodies = [json.loads(one["body"]) for one in requests]
    assert bodies, "nothing arrived at the sandbox"
    refused = [one["status"] for one in requests if one["status"] != 200]
    assert not refused, f"the sandbox refused a request with {refused}"
    unknown = sorted({key for one in requests for key in one["unknown_keys"]})
    assert not unknown, f"parameters that Qwen does not know arrived: {unknown}"
    if name == "stream":
        assert any(body.get("stream") for body in bodies), "no stream was asked for"
    if name == "tools":
        assert bodies[0].get("tools"), "no tool was offered to the model"
        assert len(bodies) > 1, "the tool's result was not sent"
        assert WEATHER in json.dumps(bodies[-1]["messages"]), "the tool's result did not reach the model"
        return ""
    if name == "image":
        assert IMAGE_SIZE in _pictures(json.dumps(bodies)), "the picture did not reach the model"
    return _schema_sent(bodies[-1]) if name == "structured" else ""


def _pictures(text: str) -> list[tuple[int, int]]:
    """Return the sizes of the pictures in a request; clients may have encoded them anew, as PNG."""
    found = [base64.b64decode(one) for one in re.findall(r"data:image/png;base64,([\w+/=]+)", text)]
    return [struct.unpack_from(">II", one, 16) for one in found]


def _schema_sent(body: Mapping[str, Any]) -> str:
    kind = (body.get("response_format") or {}).get("type")
    return f"sends `{kind}`" if kind else "sends a tool" if body.get("tools") else "asks in the prompt"


def _requests() -> list[dict[str, Any]]:
    found = json.loads(_ask("requests", None))
    return [one for one in found if one["endpoint"] == "chat"]


def _ask(name: str, body: dict[str, Any] | None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{_SANDBOX}/sandbox/{name}", data=data)  # noqa: S310  # a loopback address
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # a loopback address
        found: bytes = answer.read()
    return found


def _write(line: Mapping[str, Any]) -> None:
    with _REPORT.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
