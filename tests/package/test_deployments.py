"""The deployments in examples/ are ones that Compose, Kubernetes and Docker take, and fit together.

That they serve is shown by tests/proxy/test_fleet.py, which runs proxies with their commands and variables.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from litellm_qwen_ai import __version__
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.redis.place import RedisPlace
from tests import deployments
from tests.valkey import KEY

HOOK = "litellm_qwen_ai.proxy:startup"
SAID = {"LITELLM_MASTER_KEY": "sk-made-up", "STORE_PASSWORD": "made-up", "QWEN_STORE_KEY": KEY}
FILES = ("compose.yaml", "compose-one-machine.yaml")


@pytest.mark.parametrize("name", FILES)
def test_a_compose_file_has_the_form_of_the_specification(name: str) -> None:
    checks = pytest.importorskip("check_jsonschema", reason="in the group dev alone")
    file = str(deployments.EXAMPLES / name)
    done = CliRunner().invoke(checks.main, ["--builtin-schema", "vendor.compose-spec", file])
    assert done.exit_code == 0, done.output


def _has_compose() -> bool:
    docker = shutil.which("docker")
    asked = [docker or "", "compose", "version"]
    return docker is not None and not subprocess.run(asked, capture_output=True, check=False).returncode


@pytest.mark.skipif(not _has_compose(), reason="docker compose is not installed")
@pytest.mark.parametrize("name", FILES)
def test_compose_itself_takes_the_file(name: str) -> None:
    command = ["docker", "compose", "--file", str(deployments.EXAMPLES / name), "config", "--quiet"]
    subprocess.run(command, env={**os.environ, **SAID}, check=True)


@pytest.mark.parametrize("version", ["1.30", ""], ids=["oldest", "newest"])
def test_what_is_for_kubernetes_has_the_form_of_its_api(version: str) -> None:
    validator: Any = pytest.importorskip("kubernetes_validate", reason="in the group dev alone")
    for one in deployments.kubernetes().values():
        validator.validate(one, version or validator.latest_version(), strict=True)


@pytest.mark.parametrize("name", FILES)
def test_a_proxy_of_compose_does_not_start_without_its_secrets(name: str) -> None:
    proxy = deployments.compose(name)["services"]["proxy"]
    assert deployments.service_environment(proxy, SAID)["LITELLM_MASTER_KEY"] == "sk-made-up"
    needed = SAID if name == "compose.yaml" else ["LITELLM_MASTER_KEY"]
    for missing in needed:
        with pytest.raises(ValueError, match=f"{missing} is missing a value"):
            deployments.service_environment(proxy, {**SAID, missing: ""})


def test_no_secret_of_a_compose_file_may_be_empty() -> None:
    for name in FILES:
        text = (deployments.EXAMPLES / name).read_text(encoding="utf-8")
        assert set(re.findall(r"\$\{\w+(:\?|.)", text)) == {":?"}


def test_the_services_of_compose_fit_together() -> None:
    services = deployments.compose()["services"]
    proxy, balancer, valkey = (services[name] for name in ("proxy", "balancer", "valkey"))
    assert set(services) == {"proxy", "balancer", "valkey"}
    assert proxy["deploy"]["replicas"] == 2
    assert proxy["depends_on"]["valkey"]["condition"] == "service_healthy"
    assert balancer["depends_on"]["proxy"]["condition"] == "service_healthy"
    assert not [one for one in proxy["volumes"] if not one.startswith("./config.yaml:")]
    assert set(deployments.compose()["configs"]) == {balancer["configs"][0]["source"]}
    assert set(deployments.compose()["volumes"]) == {valkey["volumes"][0].split(":")[0]}
    given = deployments.service_environment(proxy, SAID)
    assert RedisPlace(Settings.from_environment(given)).describe() == "redis://valkey:6379/0"
    assert "--requirepass made-up" in deployments.filled_in(valkey["command"], SAID)


def test_one_machine_keeps_its_login_in_a_volume() -> None:
    found = deployments.compose("compose-one-machine.yaml")
    (proxy,) = found["services"].values()
    assert set(found["volumes"]) == {"login"}
    assert f"login:{deployments.image_environment()['QWEN_TOKEN_DIR']}" in proxy["volumes"]


def test_the_parts_for_kubernetes_fit_together() -> None:
    parts = deployments.kubernetes()
    deployment, service, budget = (
        parts[kind]["spec"] for kind in ("Deployment", "Service", "PodDisruptionBudget")
    )
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == service["selector"] == labels
    assert budget["selector"]["matchLabels"] == labels
    assert budget["minAvailable"] < deployment["replicas"] == 3
    assert deployment["strategy"]["type"] == "RollingUpdate"
    pod, container = deployment["template"]["spec"], deployments.container()
    assert "initContainers" not in pod
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    assert not [one for one in pod["volumes"] if "persistentVolumeClaim" in one]
    assert set(container["resources"]) == {"requests", "limits"}
    port = container["ports"][0]["containerPort"]
    probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]
    assert {probe["port"] for probe in probes} == {port} == {service["ports"][0]["port"]}


def test_the_secret_that_is_made_is_the_one_that_is_read() -> None:
    said = deployments.K8S.read_text(encoding="utf-8")
    made = set(re.findall(r"--from-literal=([\w-]+)=", said))
    read = [one["valueFrom"]["secretKeyRef"] for one in deployments.container()["env"] if "valueFrom" in one]
    assert {one["key"] for one in read} == made
    assert {one["name"] for one in read} == set(re.findall(r"create secret generic ([\w-]+)", said))
    assert not [one for one in read if one.get("optional")]  # without it no container starts


def test_the_page_is_switched_on_everywhere() -> None:
    proxies = [deployments.compose(name)["services"]["proxy"]["environment"] for name in FILES]
    secret = dict.fromkeys(("master-key", "store", "store-key"), "")
    ways = [*proxies, deployments.container_environment(secret)]
    for environment in (*ways, deployments.image_environment()):
        assert environment["LITELLM_WORKER_STARTUP_HOOKS"] == HOOK


def test_one_version_is_pinned_everywhere() -> None:
    (installed,) = [one for one in deployments.dockerfile("RUN") if one.startswith("litellm-qwen-ai[")]
    assert installed == f"litellm-qwen-ai[proxy,redis,qr]=={__version__}"
    images = [deployments.compose(name)["services"]["proxy"]["image"] for name in FILES]
    images.append(deployments.container()["image"])
    assert set(images) == {f"litellm-qwen-ai:{__version__}"}
    others = [one["image"] for one in deployments.compose()["services"].values()]
    assert all(re.search(r":\d", one) for one in (*others, *deployments.dockerfile("FROM")))
    text = (deployments.EXAMPLES / "Dockerfile").read_text(encoding="utf-8")
    assert f"docker build --tag litellm-qwen-ai:{__version__} ." in text


def test_the_image_reads_the_configuration_that_is_mounted_on_the_port_that_is_served() -> None:
    command = deployments.dockerfile("CMD")
    config = Path(command[command.index("--config") + 1])
    for name in FILES:
        assert f"./config.yaml:{config}:ro" in deployments.compose(name)["services"]["proxy"]["volumes"]
    assert str(config.parent) in [one["mountPath"] for one in deployments.container()["volumeMounts"]]
    port = command[command.index("--port") + 1]
    assert port == str(deployments.container()["ports"][0]["containerPort"])
    assert f"http://127.0.0.1:{port}/health/liveliness" in deployments.dockerfile("HEALTHCHECK")[-1]


def test_the_image_starts_nothing_without_a_master_key() -> None:
    entry = deployments.dockerfile("ENTRYPOINT")

    def started(key: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": "/usr/bin:/bin", "LITELLM_MASTER_KEY": key}
        return subprocess.run(
            [*entry, "echo", "a b", "c"], env=environment, capture_output=True, text=True, check=False
        )

    assert started("sk-made-up").stdout == "a b c\n"
    refused = started("")
    assert refused.returncode != 0
    assert "LITELLM_MASTER_KEY: is not set" in refused.stderr
    assert refused.stdout == ""
