"""Proxies that share nothing but a store: as the examples run them, and as docs/fleet.md does."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.sandbox import Sandbox
from tests import deployments
from tests.proxy.conftest import CONFIG, MASTER_KEY, running_proxy
from tests.valkey import KEY, Valkey
from tests.waiting import until

if TYPE_CHECKING:
    from tests.proxy.conftest import Proxy

pytestmark = pytest.mark.proxy
PATIENCE = 60.0  # seconds
CALL = {"model": "coder-model", "messages": [{"role": "user", "content": "ping"}]}
SAID = {"LITELLM_MASTER_KEY": MASTER_KEY, "STORE_PASSWORD": "made-up", "QWEN_STORE_KEY": KEY}
WALK = Path(__file__).parents[2] / "docs" / "fleet.md"


def machine(folder: Path, environment: Mapping[str, str]) -> dict[str, str | None]:
    """A machine of its own: nothing but the variables that it is given, and its home."""
    folder.mkdir()
    return {"QWEN_TOKEN_DIR": None, "XDG_CONFIG_HOME": None, **environment, "HOME": str(folder)}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Proxy]]:
    """A proxy of compose.yaml, one of k8s/, and one whose configuration names LiteLLM's own Redis."""
    folder = tmp_path_factory.mktemp("fleet")
    services = deployments.compose()["services"]
    password = SAID["STORE_PASSWORD"]
    options = shlex.split(deployments.filled_in(services["valkey"]["command"], SAID))[1:]
    valkey = Valkey(folder / "valkey", *options, password=password)
    composed = deployments.service_environment(services["proxy"], SAID)
    composed["QWEN_STORE"] = composed["QWEN_STORE"].replace("valkey:6379", f"127.0.0.1:{valkey.port}")
    secret = {"master-key": MASTER_KEY, "store": composed["QWEN_STORE"], "store-key": KEY}
    pod = deployments.container_environment(secret)
    pod["QWEN_TOKEN_DIR"] = str(folder / "pod" / "scratch")
    named = folder / "config.yaml"
    router = f"redis_host: 127.0.0.1\n  redis_port: {valkey.port}\n  redis_password: {password}"
    named.write_text(CONFIG.read_text().replace("router_settings:\n", f"router_settings:\n  {router}\n"))
    words = {"QWEN_STORE": "litellm", "QWEN_STORE_KEY": KEY}
    command = deployments.dockerfile("CMD")
    with contextlib.ExitStack() as ends:
        ends.callback(valkey.stop)
        sandbox = ends.enter_context(Sandbox(interval=0, reuse_detection=True))
        yield [
            ends.enter_context(
                running_proxy(
                    folder / name,
                    config=config,
                    upstream=sandbox,
                    more=machine(folder / name, more),
                    command=command,
                )
            )
            for name, config, more in (
                ("compose", CONFIG, composed),
                ("pod", CONFIG, pod),
                ("words", named, words),
            )
        ]


def post(proxy: Proxy, path: str) -> dict[str, Any]:
    answer = proxy.ask(f"/qwen_ai/api/{path}", {"account": None})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def statuses(proxies: list[Proxy], calls: int) -> list[int]:
    """Of so many calls at once, one proxy after another."""
    with ThreadPoolExecutor(calls) as pool:
        answers = pool.map(
            lambda number: proxies[number % len(proxies)].ask("/v1/chat/completions", CALL), range(calls)
        )
        return [answer.status_code for answer in answers]


def test_proxies_share_a_login_from_its_start_to_its_renewal(fleet: list[Proxy]) -> None:
    told = "Not logged in to Qwen: there is no login in redis://127.0.0.1:"
    until(
        lambda: all(told in proxy.log for proxy in fleet), "each was told of it"
    )  # a thread asks the store that each was told of
    sandbox = fleet[0].sandbox
    assert statuses(fleet, 3) == [401] * 3

    started = [post(proxy, "login")["login"]["user_code"] for proxy in fleet]
    assert len(set(started)) == 1
    sandbox.approve(started[0])
    until(
        lambda: post(fleet[1], "poll")["state"] == "signed_in", "signed in"
    )  # asked at the pace of the OAuth server
    assert statuses(fleet, 3) == [200] * 3

    sandbox.expire_access_tokens()
    assert statuses(fleet, 18) == [200] * 18
    assert (sandbox.counts.refreshes, sandbox.counts.refresh_requests) == (1, 1)

    homes = fleet[0].token_dir.parent
    assert not list(homes.rglob("oauth_creds.json"))


def test_all_pages_show_one_sum_of_the_requests(fleet: list[Proxy]) -> None:
    def used(proxy: Proxy) -> int:
        (account,) = proxy.ask("/qwen_ai/api/accounts").json()["accounts"]
        found: int = account["usage"]["requests_today_utc"]
        return found

    sent = fleet[0].sandbox.counts.chat_requests
    until(
        lambda: {used(proxy) for proxy in fleet} == {sent}, "all are counted"
    )  # the meter is written every few seconds


def walk() -> list[str]:
    """The commands of "Try it on one machine", as they stand there."""
    _, _, section = WALK.read_text(encoding="utf-8").partition("### Try it on one machine")
    found = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1].replace("\\\n", " ").splitlines()


def test_the_walk_through_the_page_works_as_it_is_written(tmp_path: Path) -> None:
    """Each line is run by bash; a proxy in the background is run by us, at a port that is free."""
    shutil.copy(CONFIG, tmp_path / "config.yaml")
    with contextlib.ExitStack() as ends:
        valkey = Valkey(tmp_path / "valkey")
        ends.callback(valkey.stop)
        sandbox = ends.enter_context(Sandbox(interval=0, auto_approve=True, reuse_detection=True))
        places = {"redis://127.0.0.1:6379/0": valkey.url}
        given = {"QWEN_API_BASE": None, **sandbox.environment(tmp_path), "QWEN_TOKEN_DIR": None, "CI": "1"}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("QWEN_")}
        environment |= {name: value for name, value in given.items() if value is not None}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        environment["PWD"] = str(tmp_path)
        said, proxies = "", []
        for line in walk():
            if line.rstrip().endswith("&"):
                home, *command = shlex.split(line.partition(">")[0])
                port = command[command.index("--port") + 1]
                folder = tmp_path / home.rpartition("/")[2]
                more = {"QWEN_TOKEN_DIR": None, "XDG_CONFIG_HOME": None, **environment, "HOME": str(folder)}
                proxy = ends.enter_context(
                    running_proxy(folder, upstream=sandbox, more=more, command=command)
                )
                proxy.key = environment["LITELLM_MASTER_KEY"]
                proxies.append(proxy)
                places[f"127.0.0.1:{port}"] = proxy.url.rpartition("/")[2]
                continue
            for written, meant in places.items():
                line = line.replace(written, meant)  # noqa: PLW2901  # where it runs here
            program = f"set -e\n{line}\nenv -0 > {tmp_path}/environment"
            done = subprocess.run(
                ["bash", "-c", program],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
            said += done.stdout
            left = (tmp_path / "environment").read_text().split("\0")
            environment = dict(one.split("=", 1) for one in left if "=" in one)
        assert len(proxies) == 2
        assert '"content"' in said  # of the answer
        sandbox.expire_access_tokens()
        assert statuses(proxies, 8) == [200] * 8
        assert sandbox.counts.refreshes == 1
        assert not list(tmp_path.rglob("oauth_creds.json"))
