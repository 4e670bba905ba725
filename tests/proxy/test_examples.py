"""The configurations in examples/ are ones that LiteLLM, Compose and Kubernetes take."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from litellm_qwen_ai.sandbox import Sandbox
from tests.proxy.conftest import running_proxy

if TYPE_CHECKING:
    from tests.proxy.conftest import Proxy

EXAMPLES = Path(__file__).parents[2] / "examples"
COMPOSE = yaml.safe_load((EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))
KUBERNETES = {
    document["kind"]: document
    for path in sorted((EXAMPLES / "k8s").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
}
POD = KUBERNETES["Deployment"]["spec"]["template"]["spec"]
CALL = {"model": "coder-model", "messages": [{"role": "user", "content": "ping"}]}


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy of two accounts on router.yaml, both logged in."""
    token_dir = tmp_path_factory.mktemp("accounts") / "tokens"
    config = EXAMPLES / "router.yaml"
    with running_proxy(token_dir, config=config, accounts=["alice", "bob"]) as running:
        yield running


@pytest.mark.proxy
def test_the_accounts_of_router_yaml_share_the_calls_and_one_with_a_dead_login_rests(accounts: Proxy) -> None:
    sandbox = accounts.sandbox
    assert [accounts.ask("/v1/chat/completions", CALL).status_code for _ in range(12)] == [200] * 12
    assert len({request.headers["authorization"] for request in sandbox.requests_to("chat")}) == 2
    assert "Not logged in" not in accounts.log
    sandbox.revoke()
    sandbox.write_credentials(accounts.token_dir, "alice.json", lifetime=-60, refresh_token="revoked")
    sandbox.write_credentials(accounts.token_dir, "bob.json")
    sandbox.clear()
    assert [accounts.ask("/v1/chat/completions", CALL).status_code for _ in range(12)] == [200] * 12
    assert len(sandbox.requests_to("refresh")) <= 1  # none if alice was never chosen


@pytest.mark.proxy
def test_no_client_of_router_yaml_can_choose_an_account(accounts: Proxy) -> None:
    accounts.sandbox.write_credentials(accounts.token_dir, "carol.json")
    accounts.sandbox.clear()
    for more in ({"qwen_account": "carol"}, {"model_info": {"qwen_account": "carol"}}):
        accounts.ask("/v1/chat/completions", {**CALL, **more})
    carols = yaml.safe_load((accounts.token_dir / "carol.json").read_text())["access_token"]
    asked = accounts.sandbox.requests_to("chat")
    assert asked
    assert not [request for request in asked if carols in request.headers["authorization"]]


def test_compose_has_one_login_for_both_services() -> None:
    proxy, login = COMPOSE["services"]["proxy"], COMPOSE["services"]["login"]
    assert set(COMPOSE["volumes"]) == {"login"}
    assert "login:/login" in proxy["volumes"]
    assert login["volumes"] == ["login:/login"]
    assert login["profiles"] == ["login"]
    mounted = [volume.split(":")[0] for volume in proxy["volumes"] if volume.startswith("./")]
    assert all((EXAMPLES / name).is_file() for name in mounted)


def _has_compose() -> bool:
    docker = shutil.which("docker")
    return (
        docker is not None
        and not subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode
    )


@pytest.mark.skipif(not _has_compose(), reason="docker compose is not installed")
def test_compose_takes_the_file() -> None:
    command = ["docker", "compose", "--file", str(EXAMPLES / "compose.yaml"), "config", "--quiet"]
    subprocess.run(command, check=True)


def test_the_pods_volumes_and_names_fit_together() -> None:
    deployment, service = KUBERNETES["Deployment"], KUBERNETES["Service"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == labels
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in POD["volumes"][:1]]
    assert claims == [KUBERNETES["PersistentVolumeClaim"]["metadata"]["name"]]
    volumes = {volume["name"] for volume in POD["volumes"]}
    containers = POD["initContainers"] + POD["containers"]
    assert {mount["name"] for container in containers for mount in container["volumeMounts"]} == volumes
    folders = [_variables(container)["QWEN_TOKEN_DIR"] for container in containers]
    assert folders == ["/login/qwen"] * 2
    assert service["spec"]["ports"][0]["port"] == POD["containers"][0]["ports"][0]["containerPort"]


def _variables(container: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in container["env"]}


@pytest.mark.parametrize(
    "command",
    [shlex.split(COMPOSE["services"]["login"]["command"]), POD["initContainers"][0]["command"]],
    ids=["compose", "k8s"],
)
def test_the_login_step_logs_in_and_the_next_time_has_nothing_to_do(
    command: list[str], tmp_path: Path
) -> None:
    program = Path(sys.executable).parent / command[0]
    with Sandbox(auto_approve=True, interval=0.01) as sandbox:
        environment = {**os.environ, **sandbox.environment(tmp_path / "login" / "qwen"), "CI": "1"}
        for _ in range(2):
            subprocess.run(
                [program, *command[1:]],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
            )
        assert len(sandbox.requests_to("device")) == 1
    assert (tmp_path / "login" / "qwen" / "oauth_creds.json").is_file()


def test_the_image_runs_the_proxy_on_the_configuration_that_is_mounted() -> None:
    lines = (EXAMPLES / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (command,) = [line.removeprefix("CMD ") for line in lines if line.startswith("CMD ")]
    started = yaml.safe_load(command)
    config = Path(started[started.index("--config") + 1])
    assert f"./config.yaml:{config}:ro" in COMPOSE["services"]["proxy"]["volumes"]
    assert str(config.parent) in [mount["mountPath"] for mount in POD["containers"][0]["volumeMounts"]]
    assert started[started.index("--port") + 1] == "4000"
