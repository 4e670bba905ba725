"""The sandbox's own endpoints under `/sandbox/`, for whoever steers it from another process."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Protocol

from litellm_qwen_ai.sandbox.answer_table import ANSWERS
from litellm_qwen_ai.sandbox.wire import RecordedRequest, Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from litellm_qwen_ai.sandbox.ledger import Counts, Ledger


_MOST_SECONDS = 100 * 365 * 24 * 3600  # a century; beyond it the time is soon no number any more


class Steered(Protocol):
    """What the control endpoints need of a sandbox."""

    @property
    def counts(self) -> Counts:
        """The counts so far."""

    def approve(self, user_code: str | None = None) -> str:
        """Approve a device code."""

    def deny(self, user_code: str | None = None) -> str:
        """Deny a device code."""

    def hold(self, endpoint: str, *, at: Any = "arrival") -> None:
        """Hold an endpoint."""

    def release(self, endpoint: str, *, at: Any = "arrival") -> None:
        """Release an endpoint."""

    def let_through(self, endpoint: str, count: int = 1, *, at: Any = "arrival") -> None:
        """Let some requests through a held endpoint."""

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock."""

    def expire_access_tokens(self) -> int:
        """Let the access tokens expire."""

    def revoke(self) -> None:
        """Kill every token."""

    def issue_tokens(self, *, lifetime: float | None = None) -> dict[str, Any]:
        """Issue tokens."""

    def pending_codes(self) -> list[str]:
        """The user codes that wait."""


class Control:
    """Serves `GET /sandbox/answers | state | requests` and the `POST` commands."""

    def __init__(self, sandbox: Steered, ledger: Ledger) -> None:
        self._sandbox = sandbox
        self._ledger = ledger
        self._reads: Mapping[str, Callable[[], Any]] = {
            "answers": _answers,
            "state": self._state,
            "requests": lambda: [describe(one) for one in ledger.requests()],
        }
        self._commands: Mapping[str, Callable[[dict[str, Any]], Any]] = {
            "next": self._next,
            "approve": lambda said: {"user_code": sandbox.approve(_user_code(said))},
            "deny": lambda said: {"user_code": sandbox.deny(_user_code(said))},
            "hold": lambda said: sandbox.hold(_text(said, "endpoint"), at=_moment(said)),
            "release": lambda said: sandbox.release(_text(said, "endpoint"), at=_moment(said)),
            "let_through": lambda said: sandbox.let_through(
                _text(said, "endpoint"), _count(said, "count"), at=_moment(said)
            ),
            "advance": lambda said: sandbox.advance(_seconds(said, "seconds")),
            "expire": lambda _: {"expired": sandbox.expire_access_tokens()},
            "revoke": lambda _: sandbox.revoke(),
            "tokens": lambda said: sandbox.issue_tokens(
                lifetime=_seconds(said, "lifetime") if "lifetime" in said else None
            ),
            "clear": lambda _: ledger.clear(),
        }

    def serve(self, request: RecordedRequest) -> Reply:
        """Answer a request under `/sandbox/`."""
        name = request.path.removeprefix("/sandbox/")
        reading = request.method in ("GET", "HEAD")
        if reading and name in self._reads:
            return json_reply(self._reads[name]())
        if request.method == "POST" and name in self._commands:
            return self._command(name, request.body)
        there = f"GET: {', '.join(self._reads)}; POST: {', '.join(self._commands)}"
        return _refuse(404, f"There is no {request.method} {request.path}. There is {there}")

    def _command(self, name: str, body: bytes) -> Reply:
        try:
            said = json.loads(body) if body.strip() else {}
            if not isinstance(said, dict):
                return _refuse(400, "The body must be a JSON object")
            done = self._commands[name](said)
        except LookupError as error:
            return _refuse(404, str(error))
        except (TypeError, ValueError, RecursionError) as error:
            return _refuse(400, str(error))
        return json_reply(done if done is not None else {"done": name})

    def _next(self, said: dict[str, Any]) -> dict[str, Any]:
        self._ledger.answer_next(_text(said, "endpoint"), _text(said, "name"), _count(said, "times"))
        return {"queued": self._ledger.queued()}

    def _state(self) -> dict[str, Any]:
        return {
            "counts": dataclasses.asdict(self._sandbox.counts),
            "pending_user_codes": self._sandbox.pending_codes(),
            "queued": self._ledger.queued(),
        }


def describe(request: RecordedRequest) -> dict[str, Any]:
    """Return a recorded request as JSON without what authenticates it."""
    return {
        "endpoint": request.endpoint,
        "method": request.method,
        "path": request.path,
        "at": request.at,
        "status": request.status,
        "disconnected": request.disconnected,
        "unknown_keys": list(request.unknown_keys),
        "body": request.body.decode("utf-8", "replace") if request.endpoint == "chat" else None,
    }


def _answers() -> dict[str, Any]:
    return {
        endpoint: {name: one.meaning for name, one in table.items()} for endpoint, table in ANSWERS.items()
    }


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str):
        raise TypeError(f"The body's member {name!r} must be a text, not {value!r}")
    return value


def _user_code(said: Mapping[str, Any]) -> str | None:
    return _text(said, "user_code") if "user_code" in said else None


def _moment(said: Mapping[str, Any]) -> Any:
    return said.get("at", "arrival")


def _count(said: Mapping[str, Any], name: str) -> int:
    value = said.get(name, 1)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"The body's member {name!r} must be a whole number, not {value!r}")
    return value


def _seconds(said: Mapping[str, Any], name: str) -> float:
    value = said.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) <= _MOST_SECONDS:
        raise TypeError(f"The body's member {name!r} must be a number of seconds, not {value!r}")
    return value


def _refuse(status: int, message: str) -> Reply:
    return json_reply({"error": {"message": message}}, status)
