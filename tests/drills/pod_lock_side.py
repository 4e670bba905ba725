"""One process that renews under LiteLLM's lock; run by `pod_lock.py`: PORT OAUTH_URL KEY SECONDS."""

from __future__ import annotations

import asyncio
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import httpx
from litellm.caching.redis_cache import RedisCache
from litellm.proxy.db.db_transaction_queue.pod_lock_manager import PodLockManager

from litellm_qwen_ai.names import DEFAULT_CLIENT_ID
from litellm_qwen_ai.oauth.protocol import TOKEN_PATH

JOB = "renewal"


async def main(port: int, url: str, key: str, lives: int) -> None:
    cache = RedisCache(host="127.0.0.1", port=port)
    lock = PodLockManager(cache)
    print("ready", flush=True)
    sys.stdin.readline()
    while not await lock.acquire_lock(JOB, ttl=lives):  # noqa: ASYNC110  # it tells nobody when it is free
        await asyncio.sleep(0.05)
    token = cache.redis_client.get(key).decode()
    print("held", flush=True)
    sys.stdin.readline()  # stopped here, or not
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": DEFAULT_CLIENT_ID}
    async with httpx.AsyncClient() as client:
        answer = await client.post(url + TOKEN_PATH, data=form)
    if answer.is_success:
        cache.redis_client.set(key, answer.json()["refresh_token"])
    await lock.release_lock(JOB)
    print(answer.status_code, flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
