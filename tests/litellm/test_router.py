"""Router over several accounts: which one is asked, and which one rests for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import litellm
import pytest
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
from litellm.types.router import RouterRateLimitError

from litellm_qwen_ai.sandbox import Sandbox

MESSAGES = [{"role": "user", "content": "ping"}]
HOUR = 3600
PATIENCE = 60.0  # seconds; only a log worker that hangs takes them

MakeRouter = Callable[..., litellm.Router]


def deployment(account: str, *, group: str = "qwen", model: str = "coder-model", **params: Any) -> Any:
    """A deployment whose id is its account's name."""
    return {
        "model_name": group,
        "litellm_params": {"model": f"qwen_ai/{model}", "rpm": 60, **params},
        "model_info": {"id": account, "qwen_account": account},
    }


ALICE_THEN_BOB = (deployment("alice", order=1), deployment("bob", order=2))


def resting(router: litellm.Router) -> dict[str, float]:
    """The accounts that are cooled down, each with its seconds."""
    # Since 1.110 the second name warns that it will go.
    cooldowns = router.health().cooldowns if hasattr(router, "health") else router.cooldown_cache
    found = cooldowns.get_active_cooldowns(["alice", "bob"], None)
    return {account: entry["cooldown_time"] for account, entry in found}


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        pytest.param("throttled", 3, id="the server's Retry-After"),
        pytest.param("throttled_ms", 2, id="the server's retry-after-ms, rounded up"),
        pytest.param("rate_limit", 5, id="Router's own where the server names none"),
        pytest.param("quota_spent", HOUR, id="an hour for a spent quota"),
        pytest.param("quota_spent_403", HOUR, id="an hour for a spent quota with status 403"),
    ],
)
def test_a_refused_account_rests_and_the_next_one_answers(
    sandbox: Sandbox, accounts: Any, make_router: MakeRouter, answer: str, seconds: float
) -> None:
    router = make_router(*ALICE_THEN_BOB, num_retries=1)
    sandbox.answer_next("chat", answer)
    assert router.completion("qwen", messages=MESSAGES).choices[0].message.content
    assert accounts.asked() == ["alice", "bob"]
    assert resting(router) == {"alice": seconds}
    router.completion("qwen", messages=MESSAGES)
    assert accounts.asked() == ["alice", "bob", "bob"]


@pytest.mark.usefixtures("own_loop")
@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
async def test_it_is_the_same_in_async_code(
    sandbox: Sandbox, accounts: Any, make_router: MakeRouter, stream: bool
) -> None:
    router = make_router(*ALICE_THEN_BOB, num_retries=1)
    sandbox.answer_next("chat", "quota_spent")
    for _ in range(2):
        answer = await router.acompletion("qwen", messages=MESSAGES, stream=stream)
        if stream:
            assert [chunk async for chunk in answer]
    assert accounts.asked() == ["alice", "bob", "bob"]
    assert resting(router) == {"alice": HOUR}


def test_a_deployments_own_cooldown_time_wins(
    sandbox: Sandbox, accounts: Any, make_router: MakeRouter
) -> None:
    alice, bob = deployment("alice", order=1, cooldown_time=90), deployment("bob", order=2)
    router = make_router(alice, bob, num_retries=1)
    sandbox.answer_next("chat", "quota_spent")
    router.completion("qwen", messages=MESSAGES)
    assert resting(router) == {"alice": 90}
    assert "cooldown_time" not in sandbox.requests_to("chat")[0].json
    assert accounts.asked() == ["alice", "bob"]


def test_with_every_account_spent_the_caller_is_told_when_to_come_back(
    sandbox: Sandbox, accounts: Any, make_router: MakeRouter
) -> None:
    router = make_router(*ALICE_THEN_BOB, num_retries=1)
    sandbox.answer_next("chat", "quota_spent", times=9)
    for _ in range(2):
        with pytest.raises(RouterRateLimitError, match=r"Try again in \d{4} seconds"):
            router.completion("qwen", messages=MESSAGES)
    assert accounts.asked() == ["alice", "bob"]


def test_a_dead_login_rests_and_the_next_account_answers(
    sandbox: Sandbox, accounts: Any, make_router: MakeRouter
) -> None:
    accounts.log_in("alice", lifetime=-60)
    sandbox.answer_next("refresh", "bad_refresh_token", times=9)
    router = make_router(*ALICE_THEN_BOB, num_retries=1)
    for _ in range(3):
        assert router.completion("qwen", messages=MESSAGES).choices[0].message.content
    assert accounts.asked() == ["bob", "bob", "bob"]
    assert len(sandbox.requests_to("refresh")) == 1
    assert "alice" in resting(router)


def test_a_failing_server_is_asked_again_through_the_other_account(
    sandbox: Sandbox, accounts: Any, make_router: MakeRouter
) -> None:
    router = make_router(deployment("alice"), deployment("bob"), num_retries=3)
    sandbox.answer_next("chat", "html_503", times=3)
    assert router.completion("qwen", messages=MESSAGES).choices[0].message.content
    assert len(accounts.asked()) == 4


def test_router_counts_the_retries_and_we_add_none(
    sandbox: Sandbox, accounts: Any, make_router: MakeRouter, waits: list[float]
) -> None:
    router = make_router(deployment("alice"), deployment("bob"), num_retries=0)
    sandbox.answer_next("chat", "html_503", times=9)
    with pytest.raises(litellm.ServiceUnavailableError):
        router.completion("qwen", messages=MESSAGES)
    assert len(accounts.asked()) == 1
    assert waits == []


def test_weights_choose_the_account(accounts: Any, make_router: MakeRouter) -> None:
    router = make_router(deployment("alice", weight=0), deployment("bob", weight=1))
    for _ in range(5):
        router.completion("qwen", messages=MESSAGES)
    assert accounts.asked() == ["bob"] * 5


@pytest.mark.usefixtures("own_loop")
@pytest.mark.parametrize(
    "refusal",
    [
        ("quota_spent", "fallbacks"),
        ("model_not_in_plan", "fallbacks"),
        ("too_long", "context_window_fallbacks"),
        ("inspection_failed", "content_policy_fallbacks"),
    ],
)
async def test_each_refusal_has_its_fallback(
    sandbox: Sandbox, accounts: Any, make_router: MakeRouter, refusal: tuple[str, str]
) -> None:
    answer, kind = refusal
    names = {"fallbacks", "context_window_fallbacks", "content_policy_fallbacks"}
    router = make_router(
        deployment("alice"),
        deployment("bob", group="other", model="qwen3-coder-plus"),
        **{name: [{"qwen": ["other" if name == kind else "nowhere"]}] for name in names},
    )
    sandbox.answer_next("chat", answer)
    assert await router.acompletion("qwen", messages=MESSAGES)
    assert accounts.asked() == ["alice", "bob"]
    models = [request.json["model"] for request in sandbox.requests_to("chat")]
    assert models == ["coder-model", "qwen3-coder-plus"]


def test_routers_own_settings_do_not_reach_the_server(
    sandbox: Sandbox, accounts: Any, make_router: MakeRouter
) -> None:
    router = make_router(
        deployment("alice", tpm=1000, weight=2, order=1, max_parallel_requests=3, tags=["a"], cooldown_time=9)
    )
    router.completion("qwen", messages=MESSAGES, metadata={"trace": "t"})
    assert set(sandbox.requests_to("chat")[0].json) == {"model", "messages"}
    assert accounts.asked() == ["alice"]


async def _counted(router: Any, group: str) -> dict[str, Any]:
    """What Router has noted of a group's one deployment: a task hands it to LiteLLM's log worker."""
    cache = router.health().store if hasattr(router, "health") else router.cache

    async def noted() -> dict[str, Any]:
        while (found := cache.get_cache(f"{group}_map")) is None:
            await asyncio.sleep(0)  # from Python 3.12 on `wait_for` runs no other task first
            await GLOBAL_LOGGING_WORKER.flush()
        counted: dict[str, Any] = found[group]
        return counted

    return await asyncio.wait_for(noted(), PATIENCE)


@pytest.mark.usefixtures("own_loop", "login")
async def test_routers_counters_are_those_of_litellms_own_route_in_kind(
    sandbox: Sandbox, make_router: Any
) -> None:
    usage: dict[str, Any] = {"stream_options": {"include_usage": True}}
    ways = {
        "qwen_ai": {"model": "qwen_ai/coder-model"},
        "openai": {"model": "openai/coder-model", "api_key": "sk-sandbox", "api_base": sandbox.api_base},
    }
    # The last does not ask for usage: there openai/ is told to (docs/litellm.md says when it must be).
    calls: dict[str, dict[str, Any]] = {
        "whole": {},
        "asked": {"stream": True, **usage},
        "plain": {"stream": True},
    }
    groups = [(way, kind) for way in ways for kind in calls]
    deployments = [
        {
            "model_name": f"{way} {kind}",
            "litellm_params": {**ways[way], **(usage if (way, kind) == ("openai", "plain") else {})},
            "model_info": {"id": f"{way} {kind}"},
        }
        for way, kind in groups
    ]
    router = make_router(*deployments, routing_strategy="latency-based-routing")
    counted = {}
    for way, kind in groups:
        answer = await router.acompletion(f"{way} {kind}", messages=MESSAGES, **calls[kind])
        if kind != "whole":
            assert [chunk async for chunk in answer]
        counted[way, kind] = await _counted(router, f"{way} {kind}")
    for kind in calls:
        ours, theirs = counted["qwen_ai", kind], counted["openai", kind]
        assert {name for name in ours if name[:2] != "20"} == {name for name in theirs if name[:2] != "20"}
        assert any(name.startswith("time_to_first_token") for name in ours) is (kind != "whole")
        assert all(0 < seconds < 60 for seconds in ours.get("latency", ()))
        (minute,) = (value for name, value in ours.items() if name.startswith("20"))
        (their_minute,) = (value for name, value in theirs.items() if name.startswith("20"))
        assert minute["rpm"] == their_minute["rpm"] == 1
        assert minute["tpm"] >= their_minute["tpm"] > 0  # a login adds a system message
