"""What `litellm-qwen-ai doctor` says about the store. All that it writes ends by itself within a minute."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.errors import CorruptCredentialsError, QwenAuthError
from litellm_qwen_ai.stores.finding import FAIL, OK, WARN, Finding
from litellm_qwen_ai.stores.redis import scripts
from litellm_qwen_ai.stores.redis.link import NEEDED, NO_RIGHT
from litellm_qwen_ai.stores.redis.shared import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from litellm_qwen_ai.stores.redis.shared import Shared

_OLDEST = (6, 2)  # Redis; all of Valkey's are later
_SLOW = 0.05  # seconds for an answer
_APART = 60  # seconds between two clocks
_KEPT = 30  # seconds
_FIRST, _OLDER, _NONE = "first", "older", "none"  # which key opens what is sealed
_NOBODY = "_doctor"  # no account can be named so
_COMMANDS = (
    "eval evalsha time info get set del exists expire hget hset hdel hmget hgetall hexists hincrby publish "
    "subscribe sadd srem smembers ping select"
)
_COMMANDS_OF_CLUSTER = " cluster|slots command"
#: The last is what redis-py says where a cluster's commands are forbidden.
_NO_RIGHT = (*NO_RIGHT, "Cluster mode is not enabled")


def check(shared: Shared, keys: list[str], accounts: Callable[[], list[str]]) -> Iterator[Finding]:
    """The server, our rights there, and whether the key fits the logins of all accounts.

    Args:
        shared: The store.
        keys: Of one account's login and turn.
        accounts: Gives the names of the others.
    """
    began = shared.clocks.monotonic()
    try:
        answer = shared.link.run(scripts.LOOK, keys)
    except QwenAuthError as error:
        yield _lack_of_rights(shared, error) or Finding(
            "Store", FAIL, str(error), "Make it reachable, or mend QWEN_STORE"
        )
        return
    took = shared.clocks.monotonic() - began
    text = f"{shared.describe()} answers in {took * 1000:.1f} ms"
    yield (
        Finding("Store", WARN, text, "Keep it near the proxies")
        if took > _SLOW
        else Finding("Store", OK, text)
    )
    apart = abs(answer[1] / 1000 - shared.clocks.now())
    if apart > _APART:
        text = f"this machine and the store are {apart:.0f} s apart; logins do not mind"
        yield Finding("Clock", WARN, text, "Let NTP set both clocks")
    if not shared.link.address.is_private:
        text = "the way to the store is not encrypted; logins are sealed, the password is not"
        yield Finding("TLS", WARN, text, "Use rediss:// where others can listen")
    yield _rights(shared)
    yield from _server(shared)
    yield from _keys(shared, accounts)


def _rights(shared: Shared) -> Finding:
    """Send each command that a login's life takes, about an account that is nobody's."""
    link, keys = shared.link, [shared.key(_NOBODY, what) for what in ("login", "turn", "use", "note")]
    try:
        for key in keys[:3]:  # first of all they get an end, in case that a right is missing later
            link.run(scripts.COUNT, [key], _KEPT, 1, "x", 1, 0, 0)
        link.run(scripts.COUNT, keys[2:], _KEPT, 1, "x", 1, 1, "y", 1, 1, "y")
        link.run(scripts.PUT, keys[:2], 1, 0, "x", "x", 0, 1000, 0, shared.channel, f"{_NOBODY} 1 0")
        link.run(scripts.SWAP, keys[3:], "", "x", _KEPT)
        link.send("PUBLISH", shared.channel, f"{_NOBODY} 1 0")  # the scripts do without
        link.send("HGETALL", keys[2])
        link.send("HEXISTS", keys[0], "record")
        link.send("EXISTS", keys[3])
        with contextlib.suppress(CorruptCredentialsError):  # told when they are listed
            link.send("SMEMBERS", shared.names_key)
            link.send("SREM", shared.names_key, _NOBODY)
        with contextlib.suppress(CorruptCredentialsError):  # that is no set: nothing is written
            link.send("SADD", keys[0], _NOBODY)
        for key in keys:
            link.send("DEL", key)
        link.listen(shared.channel, lambda told: told.get_message(timeout=shared.limits.answer))
    except QwenAuthError as error:
        with contextlib.suppress(QwenAuthError):
            for key in keys:
                link.send("DEL", key)
        return _lack_of_rights(shared, error) or Finding(
            "Writes", FAIL, str(error), "Mend that at the store: nothing can be renewed until then"
        )
    return Finding("Rights", OK, "all that is needed")


def _lack_of_rights(shared: Shared, error: QwenAuthError) -> Finding | None:
    """What to do if a user's rights are at fault; None if they are not."""
    if not any(words in str(error) for words in _NO_RIGHT):
        return None
    commands = _COMMANDS + (_COMMANDS_OF_CLUSTER if shared.link.is_cluster else "")
    allowed = " ".join(f"+{command}" for command in commands.split())
    line = (
        f"At the store: ACL SETUSER <user> on ><password> ~{{{shared.prefix}:* ~{shared.names_key} "
        f"resetchannels &{shared.channel} {allowed}"
    )
    return Finding("Rights", FAIL, str(error), line)


def _server(shared: Shared) -> Iterator[Finding]:
    try:
        info = _info(shared)
    except QwenAuthError:
        text = "INFO is forbidden: a restart or failover that loses writes is not noticed"
        yield Finding("Server", WARN, text, "Allow it: ACL SETUSER <user> +info")
        return
    name = "Valkey" if "valkey_version" in info else "Redis"
    text = f"{name} {info.get('valkey_version') or info.get('redis_version', '0')}"
    numbers = tuple(map(int, re.findall(r"\d+", info.get("redis_version", "0"))[:2]))  # some say "7.x-cloud"
    if numbers and numbers < _OLDEST:
        yield Finding("Server", FAIL, text, f"Use {NEEDED}")
    else:
        yield Finding("Server", OK, text)
    if info.get("role") == "slave":
        yield Finding(
            "Replicas", FAIL, "this is a replica", "Name the primary in QWEN_STORE, or its sentinels"
        )
    elif info.get("connected_slaves") not in (None, "0"):
        text = f"{info['connected_slaves']} connected; a failover may lose the last writes"
        yield Finding("Replicas", OK, f"{text} unless min-replicas-to-write is 1")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy.startswith("allkeys") and info.get("maxmemory") != "0":
        text = f"the policy {policy} may evict a login; whoever knows it puts it back"
        yield Finding("Eviction", WARN, text, "CONFIG SET maxmemory-policy volatile-lru")
    if info.get("aof_enabled") == "0":
        text = "no append-only file: a restart loses writes, until whoever knows the login puts it back"
        yield Finding("Persistence", WARN, text, "CONFIG SET appendonly yes")


def _info(shared: Shared) -> dict[str, str]:
    """What INFO says, each value as text; of a cluster, what one node says."""
    found = shared.link.send("INFO")
    if found and all(isinstance(value, dict) for value in found.values()):
        found = next(iter(found.values()))
    return {str(name): str(value) for name, value in found.items()}


def _keys(shared: Shared, accounts: Callable[[], list[str]]) -> Iterator[Finding]:
    """What the logins of all accounts, and those that wait, are sealed with: when can an older key go?"""
    fit, older, others, damaged = list[str](), list[str](), list[str](), list[str]()
    lists = {_FIRST: fit, _OLDER: older, _NONE: others}
    try:
        for name in [DEFAULT, *accounts()]:
            shown = "the default account" if name == DEFAULT else name
            keys = [shared.key(name, what) for what in ("login", "turn")]
            word, _, number, n, record, *more = shared.link.run(scripts.LOOK, keys)
            if word == b"damaged":
                damaged.append(f"{shown} ({more[-1].decode()})")
                record = None
            note = None
            try:
                note = shared.link.send("GET", shared.key(name, "note"))
            except CorruptCredentialsError:
                damaged.append(f"{shown} ({shared.key(name, 'note')})")
            waiting = f"{shown} (one that waits for approval)"
            version = int(number or 0), int(n or 0)
            for sealed, what, where in ((record, shown, version), (note, waiting, ("note",))):
                if sealed is not None:
                    lists[_key_of(shared, sealed, name, *where)].append(what)
    except QwenAuthError as error:
        yield Finding("Key", FAIL, str(error))
        return
    if damaged:
        text = f"what is stored is none of ours, or was damaged: {', '.join(damaged)}"
        yield Finding("Damage", FAIL, text, "Log in to them anew with login --force, or log out of them")
    if others:
        text = f"QWEN_STORE_KEY does not fit the logins of {', '.join(others)}: sealed with another key"
        yield Finding("Key", FAIL, text, "Give every machine the same QWEN_STORE_KEY, or log in to them anew")
    elif older:
        text = f"still sealed with an older key: the logins of {', '.join(older)}"
        fix = "Run litellm-qwen-ai accounts, which seals them anew; keep the older key till then"
        yield Finding("Key", WARN, text, fix)
    else:
        text = f"all logins are sealed with the first key: {len(fit)}" if fit else "nothing is sealed yet"
        yield Finding("Key", OK, text)


def _key_of(shared: Shared, sealed: bytes, *where: object) -> str:
    """Which key opens it."""
    try:
        return _FIRST if shared.sealer.sealed_anew(sealed, shared.prefix, *where) is None else _OLDER
    except CorruptCredentialsError:
        return _NONE
