"""Tool calls that arrive in shards, put in order.

Qwen sends a call's id and name once; later shards carry "" or null. It may reuse an `index` for a call with
another id, and may replay a call's complete arguments. OpenAI clients expect: one index per call, id and
name in its first shard only, and arguments that concatenate to one JSON object.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_SIGN = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)  # an escape, or what opens and closes
_VALUE_FOLLOWS = (":", ",", "[")


@dataclass
class _Call:
    index: int
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    size: int = 0
    complete: bool = False
    _depth: int = 0
    _in_string: bool = False
    _half: str = ""  # the backslash of an escape that was cut in two

    def add(self, text: str) -> None:
        """Append to the arguments, following the nesting: so their end is known without parsing."""
        self.arguments.append(text)
        self.size += len(text)
        half, self._half = self._half, ""
        for sign in _SIGN.findall(half + text):
            if sign == "\\":
                self._half = sign
            elif sign == '"':
                self._in_string = not self._in_string
            elif self._in_string or sign[0] == "\\":
                continue
            elif sign in "{[":
                self._depth += 1
            else:
                self._depth -= 1
                self.complete = self._depth <= 0


class ToolCallAssembler:
    """Follows the tool calls of one choice; `id_prefix` begins the ids of those that come without."""

    def __init__(self, id_prefix: str) -> None:
        self._id_prefix = id_prefix
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_wire_index: dict[int, _Call] = {}

    def __bool__(self) -> bool:
        """Whether any call was seen."""
        return bool(self._calls)

    def add(self, shard: dict[str, Any]) -> dict[str, Any] | None:
        """Take one shard and return it as OpenAI would have sent it; None if it tells nothing new."""
        function = shard.get("function")
        function = function if isinstance(function, dict) else {}
        name = _text(function.get("name"))
        arguments = _text(function.get("arguments"))
        wire_index = shard.get("index")
        wire_index = wire_index if type(wire_index) is int else None
        given_id = _text(shard.get("id"))
        call = self._find(given_id, wire_index, name)
        if call is None:
            call = self._open(given_id, wire_index)
            call.name = name
            call.add(arguments)
            return _shard(call.index, call.id, name or None, arguments)
        fresh = _unseen(call, arguments, replayable=bool(given_id))
        late_name = name if name and not call.name else None
        if late_name:
            call.name = late_name
        if not fresh and not late_name:
            return None
        call.add(fresh)
        return _shard(call.index, None, late_name, fresh)

    def _find(self, given_id: str, wire_index: int | None, name: str) -> _Call | None:
        if given_id:
            call = self._by_id.get(given_id)
            if call and wire_index is not None:
                self._by_wire_index[wire_index] = call
            return call
        if wire_index is not None:
            call = self._by_wire_index.get(wire_index)
        else:
            call = self._calls[-1] if self._calls else None
        # Without any id, a name after complete arguments starts the next call.
        return None if call and name and call.name and call.complete else call

    def _open(self, given_id: str, wire_index: int | None) -> _Call:
        index = len(self._calls)  # the server's own may be reused, or leave gaps
        call = _Call(index=index, id=given_id or f"{self._id_prefix}{index}")
        self._calls.append(call)
        self._by_id[call.id] = call
        if wire_index is not None:
            self._by_wire_index[wire_index] = call
        return call


def _shard(index: int, call_id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": call_id, "type": "function", "function": function}


def _unseen(call: _Call, arguments: str, *, replayable: bool) -> str:
    """The part of `arguments` that was not sent yet."""
    if call.complete:
        return ""  # the object is closed: whatever follows is a replay
    if not replayable or len(arguments) <= call.size or arguments[:1] != "{":
        return arguments
    before = "".join(call.arguments)
    # `{"a":` + `{"a":1}` could also be a nested object, so where a value may follow it is taken as one.
    if arguments.startswith(before) and not before.rstrip().endswith(_VALUE_FOLLOWS) and before != "{":
        return arguments[len(before) :]
    return arguments


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
