"""Processes that renew under a lock of LiteLLM's; run as a program by `locks.py`.

They are forked as a fleet's members are (`member.py`). A process waits for a line before it takes the lock,
and for another one before it sends; it says when it holds the lock, and which status the OAuth server gave.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import httpx
import member
from litellm.caching.redis_cache import RedisCache
from litellm.proxy._experimental.mcp_server.outbound_credentials import oauth_token_store as stores
from litellm.proxy._experimental.mcp_server.outbound_credentials.redis_distributed_lock import (
    RedisDistributedLock,
)
from litellm.proxy._experimental.mcp_server.outbound_credentials.redis_refresh_coordinator import (
    RedisRefreshCoordinator,
)
from litellm.proxy.db.db_transaction_queue.pod_lock_manager import PodLockManager

from litellm_qwen_ai.names import DEFAULT_CLIENT_ID
from litellm_qwen_ai.oauth.protocol import TOKEN_PATH

ANSWER = 1.0  # seconds that an answer of the store is waited for, as in the drills of ours


async def under_a_pod_lock(cache: RedisCache, lives: float, login: Login) -> None:
    """As a job does it: whoever gets the lock renews, if that is still needed."""
    lock = PodLockManager(cache)
    while not await lock.acquire_lock("renewal", ttl=int(lives)):  # noqa: ASYNC110  # it tells nobody when it is free
        await asyncio.sleep(0.05)
    if login.is_due():
        await login.renew()
    await lock.release_lock("renewal")


async def under_the_lock_for_mcp(cache: RedisCache, lives: float, login: Login) -> None:
    """As LiteLLM does it for the logins of MCP servers; who gets nothing asks again, as its callers do."""
    lock = RedisDistributedLock(cache.init_async_client(), namespace_key=cache.check_and_fix_namespace)
    coordinator = RedisRefreshCoordinator(lock, lock_ttl_seconds=lives)
    store = stores.RefreshingTokenStore(login, login, coordinator=coordinator)
    while login.status is None and await store.fetch("user", "server") is None:
        pass


WAYS = {"pod": under_a_pod_lock, "mcp": under_the_lock_for_mcp}


class Login:
    """The login, in a file that all processes see, as LiteLLM's is in a database; and its renewal."""

    def __init__(self, job: dict[str, Any], say: Callable[[Any], None], hear: Callable[[], str]) -> None:
        self._file, self._url = Path(job["file"]), job["oauth"]
        self._say, self._hear = say, hear
        self.status: int | None = None

    def _stored(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._file.read_text())
        return found

    def is_due(self) -> bool:
        return bool(self._stored()["expires_at"] < time.time())

    async def renew(self) -> None:
        token = self._stored()["refresh_token"]
        self._say("held")
        await asyncio.to_thread(self._hear)  # stopped here, or not
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": DEFAULT_CLIENT_ID}
        async with httpx.AsyncClient() as client:
            headers = {"accept": "application/json"}  # the sandbox wants it, as Qwen's client sends it
            answer = await client.post(self._url + TOKEN_PATH, data=form, headers=headers)
        self.status = answer.status_code
        if answer.is_success:
            told = answer.json()
            self._file.write_text(
                json.dumps({"refresh_token": told["refresh_token"], "expires_at": time.time() + 3600})
            )

    async def fetch(self, user_id: str, server_id: str) -> stores.OAuthToken:  # noqa: ARG002  # LiteLLM's shape
        return stores.OAuthToken("", self._stored()["expires_at"], self._stored()["refresh_token"])

    async def refresh(self, user_id: str, server_id: str, token: Any) -> Any:  # noqa: ARG002  # the same
        await self.renew()
        return await self.fetch(user_id, server_id) if self.status == 200 else None

    async def invalidate(self, user_id: str, server_id: str) -> None:
        """Nothing is kept here."""


def serve(connection: socket.socket) -> None:
    lines = connection.makefile("r")
    job = json.loads(lines.readline())

    def say(what: Any) -> None:
        connection.sendall(json.dumps(what).encode() + b"\n")

    login = Login(job, say, lines.readline)
    cache = RedisCache(host="127.0.0.1", port=job["port"], socket_timeout=ANSWER)
    say(os.getpid())
    lines.readline()
    asyncio.run(WAYS[job["way"]](cache, job["lives"], login))
    say(login.status)
    lines.readline()


if __name__ == "__main__":
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)  # faults are what is drilled
    member.main(serve)
