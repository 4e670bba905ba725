from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from litellm_qwen_ai.oauth.clocks import Clocks
from litellm_qwen_ai.stores.redis.limits import Limits
from litellm_qwen_ai.stores.redis.login import RedisStore
from tests.logins import Clock
from tests.valkey import REDIS, Machine, Valkey, shared_valkey

#: Rules by the server's clock as they are; what this process waits for is short.
QUICK = Limits(wait=0.02, alone=0.2, answer=5.0, ping=0.1)


@pytest.fixture(params=["", REDIS], ids=["valkey", "redis"])
def program(request: pytest.FixtureRequest) -> str:
    """The server to run: Valkey's wheel, or what `STORE_SERVER` names; then Debian's Redis, where it is."""
    named: str = request.param
    if named and not Path(named).exists():
        pytest.skip(f"there is no {named}")
    return named


@pytest.fixture
def common(program: str) -> Valkey:
    return shared_valkey(program)


@pytest.fixture
def own(tmp_path: Path, program: str) -> Iterator[Valkey]:
    """For tests that break it."""
    running = Valkey(tmp_path / "valkey", program=program)
    yield running
    running.stop()


@pytest.fixture
def prefix() -> str:
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
def new_machine(tmp_path: Path, prefix: str, clock: Clock, program: str) -> Iterator[Callable[..., Machine]]:
    made: list[Machine] = []

    def make(server: Valkey | None = None, **changes: Any) -> Machine:
        server = server or shared_valkey(program)
        folder = tmp_path / f"machine{len(made)}"
        clocks = Clocks(clock.time, clock.monotonic, clock.sleep)
        machine = replace(Machine(server.url, folder, prefix, clocks, QUICK), **changes)
        made.append(machine)
        return machine

    yield make
    for machine in made:
        machine.close()


@pytest.fixture
def machine(new_machine: Callable[..., Machine]) -> Machine:
    return new_machine()


@pytest.fixture
def store(machine: Machine) -> RedisStore:
    return machine.store()
