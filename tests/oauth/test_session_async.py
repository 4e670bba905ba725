from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.oauth.errors import LoginExpiredError, NotLoggedInError, RefreshError

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.session import Session
    from litellm_qwen_ai.stores.files.login import FileStore


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


@pytest.fixture
def gate(server: Any) -> threading.Event:
    """Holds back the server's answers until it is set."""
    gate = threading.Event()
    server.before_answer = lambda: gate.wait(60)
    return gate


async def until(condition: Any) -> None:
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("it never happened")


async def test_a_fresh_token_is_served_without_a_thread(
    session: Session, logins: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = logins.write()
    assert await session.aget() == login
    monkeypatch.setattr(threading.Thread, "start", lambda _thread: pytest.fail("a thread was started"))
    assert await session.aget() == login


async def test_many_tasks_on_a_dead_token_make_one_refresh(
    session: Session, logins: Any, server: Any
) -> None:
    logins.write(seconds_left=-1)
    served = await asyncio.gather(*(session.aget() for _ in range(200)))
    assert len({login.access_token for login in served}) == 1
    assert server.refreshes == 1


async def test_many_tasks_with_a_rejected_token_make_one_refresh(
    session: Session, logins: Any, server: Any
) -> None:
    login = logins.write()
    await session.aget()
    served = await asyncio.gather(*(session.aget(rejected=login.access_token) for _ in range(200)))
    assert {one.access_token for one in served} != {login.access_token}
    assert server.refreshes == 1


async def test_the_loop_runs_on_while_the_server_takes_its_time(
    session: Session, logins: Any, server: Any, gate: threading.Event
) -> None:
    logins.write(seconds_left=-1)
    waiting = asyncio.ensure_future(session.aget())
    await until(lambda: "qwen-ai-renew" in threads())
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    assert (await waiting).access_token in server.secrets


async def test_a_slow_store_does_not_hold_up_the_loop(
    new_session: Any, logins: Any, store: FileStore
) -> None:
    login = logins.write()
    entered, opened = threading.Event(), threading.Event()

    class SlowStore(type(store)):  # type: ignore[misc]  # the fixture's own class
        def look(self, known: Any = None) -> Any:
            entered.set()
            assert opened.wait(60)
            return super().look(known)

    waiting = asyncio.ensure_future(new_session(store=SlowStore(store.path.parent)).aget())
    await until(entered.is_set)
    assert not waiting.done()
    opened.set()
    assert await waiting == login


async def test_the_old_token_is_served_while_it_is_renewed(
    session: Session, logins: Any, server: Any, gate: threading.Event
) -> None:
    login = logins.write(seconds_left=100)
    assert [await session.aget() for _ in range(5)] == [login] * 5
    gate.set()
    await until(lambda: "qwen-ai-renew" not in threads())
    assert (await session.aget()).access_token != login.access_token
    assert server.refreshes == 1


async def test_cancelling_a_caller_keeps_the_new_token(
    session: Session, logins: Any, server: Any, gate: threading.Event
) -> None:
    login = logins.write(seconds_left=-1)
    waiting = [asyncio.ensure_future(session.aget()) for _ in range(3)]
    await until(lambda: "qwen-ai-renew" in threads())
    for one in waiting[:2]:
        one.cancel()
    gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in results[:2]] == [asyncio.CancelledError] * 2
    assert results[2] == await session.aget()
    assert (await session.aget()).refresh_token != login.refresh_token
    assert server.refreshes == 1


def test_several_loops_and_threads_share_one_refresh(session: Session, logins: Any, server: Any) -> None:
    logins.write(seconds_left=-1)
    start = threading.Barrier(6)
    served: list[str] = []

    def in_a_loop() -> None:
        async def many() -> None:
            served.extend(
                one.access_token for one in await asyncio.gather(*(session.aget() for _ in range(20)))
            )

        start.wait(60)
        asyncio.run(many())

    def in_a_thread() -> None:
        start.wait(60)
        served.append(session.get().access_token)

    workers = [threading.Thread(target=target) for target in (in_a_loop, in_a_thread) * 3]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (len(served), len(set(served))) == (63, 1)
    assert server.refreshes == 1


async def test_errors_reach_every_task(session: Session, logins: Any, server: Any) -> None:
    with pytest.raises(NotLoggedInError):
        await session.aget()
    logins.write(seconds_left=-1)
    for _ in range(3):
        server.answer_next(500)
    results = await asyncio.gather(*(session.aget() for _ in range(10)), return_exceptions=True)
    assert {type(one) for one in results} == {RefreshError}
    assert len(server.requests) == 3


async def test_a_dead_login_is_an_error_without_a_thread(
    session: Session, logins: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litellm_qwen_ai.oauth.session.REFUSAL_LOOKS", (0.0,))
    logins.write(seconds_left=-1)
    server.tokens()
    with pytest.raises(LoginExpiredError):
        await session.aget()
    monkeypatch.setattr(threading.Thread, "start", lambda _thread: pytest.fail("a thread was started"))
    with pytest.raises(LoginExpiredError):
        await session.aget()
