"""The record of one login, and its JSON form (the file format of Qwen Code's `oauth_creds.json`).

A key that is kept instead of a login is a record of the same form: `access_token` is the key, `resource_url`
its whole base URL, and `plan` says what it was issued for.
"""

from __future__ import annotations

import json
import math
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from litellm_qwen_ai.oauth.errors import CorruptCredentialsError
from litellm_qwen_ai.oauth.urls import api_base_of, own_url

if TYPE_CHECKING:
    from collections.abc import Iterable

# RFC 6749 appendix A.12: a token is visible ASCII. Anything else could split an HTTP header.
TOKEN = re.compile(r"[\x21-\x7e]+")
_PLAN = re.compile(r"[a-z0-9-]{1,32}")
_MAX_DEPTH = 50  # of unknown keys: far from the recursion limit, so that what was read can always be written
_MAX_EXPIRY_MS = 253_402_300_799_000  # the end of the year 9999, the last one that datetime can print


def _token(value: object) -> object:
    if isinstance(value, str) and not TOKEN.fullmatch(value):
        raise ValueError("is empty or holds characters that no token has")
    return value


def _optional_token(value: object) -> object:
    return _token(value) if value else None


def _milliseconds(value: object) -> object:
    """Whole milliseconds within what a date can hold; JavaScript writes floats, hands write nonsense."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("is no number of milliseconds")  # noqa: TRY004  # pydantic reports ValueError
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("is no finite number")
    return max(0, min(int(value), _MAX_EXPIRY_MS))


class Credentials(BaseModel):
    """One login. Its repr and str are masked; keys that we do not know are kept as they are.

    Attributes:
        access_token: The bearer for chat calls.
        token_type: Always `Bearer` in practice.
        refresh_token: Good for one refresh; the answer brings the next (RFC 6749 section 6). `None` when the
            server gave none: then the login ends with its access token.
        resource_url: The host that takes the token, as the server wrote it; see `api_base`.
        expiry_date: When the access token dies, in epoch milliseconds; 0 means unknown and counts as dead.
        scope: The scopes granted, if the server said so.
        id_token: An OpenID token, if the server gave one. Not used here.
        plan: Of a key: the name of its plan, or `custom`. What another program wrote there is kept as it is.
    """

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    access_token: Annotated[str, BeforeValidator(_token)]
    token_type: str = "Bearer"  # noqa: S105  # the name of a scheme, not a secret
    refresh_token: Annotated[str | None, BeforeValidator(_optional_token)] = None
    resource_url: str | None = None
    expiry_date: Annotated[int, BeforeValidator(_milliseconds)] = Field(default=0, strict=True)
    scope: str | None = None
    id_token: str | None = None
    plan: Any = None

    @property
    def is_key(self) -> bool:
        """Whether this is a key, not a login. It names a plan and an address; nothing ends or renews it."""
        named = isinstance(self.plan, str) and _PLAN.fullmatch(self.plan) is not None
        return named and bool(self.resource_url) and self.refresh_token is None and not self.expiry_date

    @property
    def api_base(self) -> str | None:
        """The chat base URL that belongs to this login, or None when the server named none.

        Of a key it is what its user chose, so it may lead into a private network, by plain http too.

        Raises:
            ConfigurationError: The login names a URL that no token may be sent to.
        """
        if not self.resource_url:
            return None
        return own_url(self.resource_url) if self.is_key else api_base_of(self.resource_url)

    @property
    def dies_at(self) -> float:
        """When the access token dies, in epoch seconds; infinite for a key."""
        return math.inf if self.is_key else self.expiry_date / 1000

    def seconds_left(self, now: float) -> float:
        """Seconds until the access token dies, from `now` (epoch seconds); negative once it is dead."""
        return self.dies_at - now

    @classmethod
    def from_json(cls, data: bytes) -> Credentials:
        """Read the JSON form: an object in UTF-8.

        Raises:
            CorruptCredentialsError: It is no such object. The message names the fault, never a value.
        """
        fault = "it is empty"
        try:
            if data.strip():
                value = json.loads(data)
                _check_depth(value, _MAX_DEPTH)
                found = cls.model_validate(value)
                found.to_json()  # what was read can be written
                return found
        except (ValueError, RecursionError) as error:
            fault = _fault(error)
        # Raised out here, with no `except` around it: json's and pydantic's errors carry the whole text,
        # and they would stay reachable as the new error's context.
        raise CorruptCredentialsError(f"not a credentials file: {fault}")

    def to_json(self) -> bytes:
        """The JSON form: ASCII, indented, absent optional fields left out, ends with a newline."""
        known = {name: getattr(self, name) for name in type(self).model_fields}
        present = {name: value for name, value in known.items() if value is not None}
        return json.dumps({**present, **(self.model_extra or {})}, indent=2, allow_nan=False).encode() + b"\n"

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Unpickle; what an earlier version did not have yet is as if the login did not say it."""
        fields = type(self).model_fields.items()
        unsaid = {name: field.default for name, field in fields if not field.is_required()}
        super().__setstate__({**state, "__dict__": {**unsaid, **state["__dict__"]}})

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """What repr, str and rich show: no secret and nothing that the server chose freely."""
        yield "access_token", "***"
        if self.is_key:
            yield "plan", self.plan
            return
        yield "refresh_token", "***" if self.refresh_token else None
        yield "expires", datetime.fromtimestamp(self.expiry_date / 1000, timezone.utc).isoformat()


def _fault(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, ValidationError):
        details = error.errors(include_input=False, include_context=False, include_url=False)
        if details[0]["type"] == "model_type":
            return "a JSON object is expected"
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in details)
    return "a number is too large, or is none"  # JSON has no NaN, and Python a limit on digits


def _check_depth(value: Any, levels: int) -> None:
    if isinstance(value, (dict, list)):
        if levels == 0:
            raise RecursionError
        for child in value.values() if isinstance(value, dict) else value:
            _check_depth(child, levels - 1)
