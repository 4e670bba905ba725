"""The counts of an account in one hash of the store, with the last refusal and failure beside them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.oauth.errors import CorruptCredentialsError
from litellm_qwen_ai.quota.tally import FORMAT, Tally, check_format
from litellm_qwen_ai.stores.redis import scripts

if TYPE_CHECKING:
    from litellm_qwen_ai.stores.redis.link import Link

_KINDS = {"s": "seconds", "h": "hours", "r": "refused"}
_TEXTS = ("refusal", "failure")
_KEPT = 4 * 86_400  # seconds: longer than any answer needs them


class RedisCounters:
    """See `quota.meter.Counters`.

    Args:
        link: The way to the store.
        key: The hash.
    """

    def __init__(self, link: Link, key: str) -> None:
        self._link, self._key = link, key

    def read(self) -> Tally:
        """What all processes have counted; what is no count of ours is as good as none."""
        return self._read() or Tally()

    def _read(self) -> Tally | None:
        """None for what is no count of ours."""
        shape: dict[str, Any] = {name: {} for name in _KINDS.values()}
        try:
            found = self._link.send("HGETALL", self._key)
            check_format(int(found.get(b"format", FORMAT)), self._key)  # a later version would name its own
            for field, value in found.items():
                name = field.decode()
                if name in _TEXTS:
                    shape[name] = json.loads(value)
                else:
                    shape[_KINDS[name[0]]][name[1:]] = int(value)
            return Tally.from_json(json.dumps(shape).encode(), self._key)
        except (CorruptCredentialsError, ValueError, KeyError, RecursionError):
            return None

    def add(self, new: Tally, now: float) -> bool:
        """Add to the hash, and take out of it what is too old; what is no count of ours goes first."""
        total = self._read()
        if total is None:
            self._link.send("DEL", self._key)
            total = Tally()
        before = {field for field, _ in _fields(total)}
        total.merge(new)  # of two refusals the later one stands
        total.prune(now)
        counted = [part for pair in _fields(new) for part in pair]
        said = [
            part
            for name in _TEXTS
            if getattr(new, name) is not None
            for part in (name, json.dumps(asdict(getattr(total, name))))
        ]
        old = before - {field for field, _ in _fields(total)}
        lists = (len(counted) // 2, *counted, len(said) // 2, *said, len(old), *old)
        self._link.run(scripts.COUNT, [self._key], _KEPT, *lists)
        return True


def _fields(tally: Tally) -> list[tuple[str, int]]:
    return [
        (f"{kind}{key}", count)
        for kind, name in _KINDS.items()
        for key, count in getattr(tally, name).items()
    ]
