"""examples/fleet fits together: names, ports, variables, and the image that runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.redis.place import RedisPlace
from tests.valkey import KEY

EXAMPLES = Path(__file__).parents[2] / "examples"
COMPOSE = yaml.safe_load((EXAMPLES / "fleet" / "compose.yaml").read_text(encoding="utf-8"))
KUBERNETES = {
    one["kind"]: one
    for one in yaml.safe_load_all((EXAMPLES / "fleet" / "kubernetes.yaml").read_text(encoding="utf-8"))
}


def test_the_services_of_compose_fit_together() -> None:
    services = COMPOSE["services"]
    assert services["proxy"]["deploy"]["replicas"] == 2
    assert services["login"]["environment"] == services["proxy"]["environment"]
    for name in ("proxy", "login"):
        assert services[name]["depends_on"]["valkey"]["condition"] == "service_healthy"
    (mounted,) = services["proxy"]["volumes"]
    assert (EXAMPLES / "fleet" / mounted.split(":")[0]).resolve().is_file()
    assert "server proxy:4000;" in COMPOSE["configs"]["balancer"]["content"]
    assert services["balancer"]["configs"][0]["source"] == "balancer"
    assert services["valkey"]["volumes"] == ["store:/data"]
    assert set(COMPOSE["volumes"]) == {"store"}


def test_the_proxies_of_compose_name_the_store_and_its_key() -> None:
    given = COMPOSE["services"]["proxy"]["environment"]
    values = {"${STORE_PASSWORD-}": "password", "${QWEN_STORE_KEY-}": KEY}
    environ = {}
    for name, value in given.items():
        for variable, meant in values.items():
            value = value.replace(variable, meant)  # noqa: PLW2901  # as Compose does it
        environ[name] = value
    place = RedisPlace(Settings.from_environment(environ))
    assert place.describe() == "redis://valkey:6379/0"
    assert "--requirepass ${STORE_PASSWORD-}" in COMPOSE["services"]["valkey"]["command"]


def test_the_parts_for_kubernetes_fit_together() -> None:
    deployment, service, budget = (
        KUBERNETES[kind]["spec"] for kind in ("Deployment", "Service", "PodDisruptionBudget")
    )
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == service["selector"] == labels
    assert budget["selector"]["matchLabels"] == labels
    assert budget["minAvailable"] < deployment["replicas"] == 3
    pod = deployment["template"]["spec"]
    assert "initContainers" not in pod
    (container,) = pod["containers"]
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    assert not [one for one in pod["volumes"] if "persistentVolumeClaim" in one]
    port = container["ports"][0]["containerPort"]
    probes: list[dict[str, Any]] = [
        container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")
    ]
    assert {probe["httpGet"]["port"] for probe in probes} == {port}
    assert service["ports"][0]["port"] == port
    variables = {one["name"] for one in container["env"]}
    assert {"QWEN_STORE", "QWEN_STORE_KEY", "LITELLM_MASTER_KEY"} <= variables


def test_the_image_has_what_a_fleet_needs() -> None:
    assert "litellm-qwen-ai[proxy,redis]" in (EXAMPLES / "Dockerfile").read_text(encoding="utf-8")
