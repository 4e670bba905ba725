"""Two proxies with folders of their own and one login in a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.sandbox import Sandbox
from tests.proxy.conftest import CONFIG, running_proxy
from tests.valkey import KEY, Valkey

if TYPE_CHECKING:
    from tests.proxy.conftest import Proxy

pytestmark = pytest.mark.proxy
PATIENCE = 60.0  # seconds
CALL = {"model": "coder-model", "messages": [{"role": "user", "content": "ping"}]}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Proxy]]:
    folder = tmp_path_factory.mktemp("fleet")
    valkey = Valkey(folder / "valkey")
    store = {"QWEN_STORE": "litellm", "QWEN_STORE_KEY": KEY}
    named = folder / "config.yaml"  # for one; the other is told by a variable
    router = f"router_settings:\n  redis_host: 127.0.0.1\n  redis_port: {valkey.port}\n"
    named.write_text(CONFIG.read_text().replace("router_settings:\n", router))
    by_variable = {**store, "REDIS_URL": valkey.url}
    try:
        with (
            Sandbox(interval=0, reuse_detection=True) as sandbox,
            running_proxy(folder / "one", upstream=sandbox, config=named, more=store) as one,
            running_proxy(folder / "two", upstream=sandbox, more={**by_variable, "HOME": str(folder)}) as two,
        ):
            yield [one, two]
    finally:
        valkey.stop()


def post(proxy: Proxy, path: str) -> dict[str, Any]:
    answer = proxy.ask(f"/qwen_ai/api/{path}", {"account": None})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"it did not come to hold within {PATIENCE:g} s"
        time.sleep(0.1)


def test_two_proxies_share_a_login_from_its_start_to_its_renewal(fleet: list[Proxy]) -> None:
    one, two = fleet
    told = "Not logged in to Qwen: there is no login in redis://127.0.0.1:"
    until(lambda: told in one.log and told in two.log)  # a thread asks the store that each was told of
    sandbox = one.sandbox
    assert [proxy.ask("/v1/chat/completions", CALL).status_code for proxy in fleet] == [401, 401]

    started = post(one, "login")["login"]["user_code"]
    assert post(two, "login")["login"]["user_code"] == started
    sandbox.approve(started)
    until(lambda: post(two, "poll")["state"] == "signed_in")  # asked at the pace of the OAuth server
    assert [proxy.ask("/v1/chat/completions", CALL).status_code for proxy in fleet] == [200, 200]

    sandbox.expire_access_tokens()
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda number: fleet[number % 2].ask("/v1/chat/completions", CALL), range(16))
        )
    assert [answer.status_code for answer in answers] == [200] * 16
    assert (sandbox.counts.refreshes, sandbox.counts.refresh_requests) == (1, 1)

    assert not list(one.token_dir.glob("*.json"))


def test_both_pages_show_one_sum_of_the_requests(fleet: list[Proxy]) -> None:
    def used(proxy: Proxy) -> int:
        (account,) = proxy.ask("/qwen_ai/api/accounts").json()["accounts"]
        found: int = account["usage"]["requests_today_utc"]
        return found

    sent = fleet[0].sandbox.counts.chat_requests
    until(lambda: {used(proxy) for proxy in fleet} == {sent})  # the meter is written every few seconds
