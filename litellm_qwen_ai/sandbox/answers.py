"""A named answer: what it is, how it is found and how it becomes a reply. `answer_table.py` has the names."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.sandbox.wire import HTML_TYPE, JSON_TYPE, Reply, json_reply, new_request_id

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_MODEL = "sandbox/"  # a model of this name and an answer's name gets that answer
REQUEST_ID = "{request_id}"  # stands for a new request id in the text of a body


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that an endpoint can be told to give.

    There are three kinds. With `body` (or `cut`) the answer is fixed, and the request has no effect. With
    `patch` or `without` the request is served as ever and the JSON of its answer is changed. With `fault`
    (chat only) the call is answered as ever and then damaged; see `faults.py`.

    Attributes:
        meaning: What a client should take it for.
        status: The HTTP status of a fixed answer.
        body: The body of a fixed answer: a mapping is sent as JSON, text as HTML if it starts with `<`.
        headers: Header fields to add or replace.
        patch: Members to set in the JSON of the real answer.
        without: Members to take out of the JSON of the real answer.
        fault: The name of a damage to a chat answer.
        cut: Break the connection after the body; with no body, without any answer.
    """

    meaning: str = ""
    status: int = 200
    body: Mapping[str, Any] | str | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    patch: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    fault: str | None = None
    cut: bool = False

    @property
    def fixed(self) -> bool:
        """Whether the request is not served at all."""
        return self.body is not None or self.cut

    def reply(self, status: int | None = None) -> Reply:
        """Return the reply of a fixed answer, with another status if one is given."""
        request_id = new_request_id()
        content_type, data = _encode(self.body, request_id)
        headers = {"content-type": content_type, "x-request-id": request_id, **self.headers}
        return Reply(status or self.status, headers, (data,) if data or not self.cut else (), cut=self.cut)

    def change(self, real: Mapping[str, Any]) -> Reply:
        """Return the reply to a request that was served, with this answer's changes."""
        changed = {name: value for name, value in {**real, **self.patch}.items() if name not in self.without}
        return json_reply(changed, headers=self.headers)


def find_answer(table: Mapping[str, Mapping[str, Answer]], endpoint: str, name: str | Answer) -> Answer:
    """Return the answer with this name.

    Raises:
        ValueError: There is no such endpoint, or no such answer at it; the message lists what there is.
    """
    if endpoint not in table:
        raise ValueError(
            f"There is no endpoint {endpoint!r} in the sandbox. It has: {', '.join(sorted(table))}"
        )
    if isinstance(name, Answer):
        return name
    known = table[endpoint]
    if name not in known:
        raise ValueError(
            f"There is no answer {name!r} for the endpoint {endpoint!r}. It has: {', '.join(sorted(known))}"
        )
    return known[name]


def _encode(body: Mapping[str, Any] | str | bytes | None, request_id: str) -> tuple[str, bytes]:
    if body is None:
        return JSON_TYPE, b""
    if isinstance(body, bytes):
        return JSON_TYPE, body
    if isinstance(body, str):
        kind = HTML_TYPE if body.lstrip().startswith("<") else "text/plain; charset=utf-8"
        return kind, body.replace(REQUEST_ID, request_id).encode()
    text = json.dumps(body, ensure_ascii=False).replace(REQUEST_ID, request_id)
    return JSON_TYPE, text.encode()
