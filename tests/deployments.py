"""The deployments in examples/, as data: what Compose and Kubernetes would start, with which environment."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

EXAMPLES = Path(__file__).parents[1] / "examples"
K8S = EXAMPLES / "k8s" / "proxy.yaml"
_VARIABLE = re.compile(r"\$\{(\w+):\?([^}]*)\}")


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    """A Compose file."""
    found: dict[str, Any] = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))
    return found


def kubernetes() -> dict[str, dict[str, Any]]:
    """What there is for Kubernetes, by its kind."""
    return {one["kind"]: one for one in yaml.safe_load_all(K8S.read_text(encoding="utf-8"))}


def container() -> dict[str, Any]:
    """The one container of the pod."""
    (found,) = kubernetes()["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def filled_in(text: str, variables: Mapping[str, str]) -> str:
    """`${NAME:?message}`, as Compose does it; the examples use no other form."""

    def value(found: re.Match[str]) -> str:
        if not variables.get(found[1]):
            raise ValueError(f"required variable {found[1]} is missing a value: {found[2]}")
        return variables[found[1]]

    return _VARIABLE.sub(value, text)


def service_environment(service: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that Compose gives a service."""
    return {name: filled_in(value, variables) for name, value in service["environment"].items()}


def container_environment(secret: Mapping[str, str]) -> dict[str, str]:
    """The variables that Kubernetes gives the container, with what the Secret holds."""
    return {
        one["name"]: one["value"] if "value" in one else secret[one["valueFrom"]["secretKeyRef"]["key"]]
        for one in container()["env"]
    }


def dockerfile(instruction: str) -> Any:
    """What follows an instruction of the Dockerfile: its list, or words as the shell takes them."""
    text = (EXAMPLES / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = [one for one in text.splitlines() if one.startswith(f"{instruction} ")]
    said = line.removeprefix(f"{instruction} ").strip()
    return json.loads(said) if said.startswith("[") else shlex.split(said)


def image_environment() -> dict[str, str]:
    """The variables of the image."""
    return dict(one.split("=", 1) for one in dockerfile("ENV"))
