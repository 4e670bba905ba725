"""What runs on the project's host: it is well formed, and does what everybody can do with `make`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOST = ROOT / ".github"
WORKFLOWS = sorted((HOST / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "custom.github-workflows-require-timeout": WORKFLOWS,
    "vendor.dependabot": [HOST / "dependabot.yml"],
    "vendor.github-issue-forms": [
        path for path in sorted((HOST / "ISSUE_TEMPLATE").glob("*.yml")) if path.stem != "config"
    ],
    "vendor.github-issue-config": [HOST / "ISSUE_TEMPLATE" / "config.yml"],
}


def _jobs(path: Path) -> dict[str, Any]:
    jobs: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    return jobs


def _steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in _jobs(path).values() for step in job["steps"]]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_each_file_is_what_its_schema_says(schema: str) -> None:
    pytest.importorskip("check_jsonschema", reason="in the group dev alone")
    files = [str(path) for path in SCHEMAS[schema]]
    assert files
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_make_target_exists(workflow: Path) -> None:
    named = re.findall(r"\bmake ([a-z-]+)", workflow.read_text("utf-8"))
    matrix = [
        target
        for job in _jobs(workflow).values()
        for target in job.get("strategy", {}).get("matrix", {}).get("target", [])
    ]
    assert {*named, *matrix} <= TARGETS
    assert named or matrix or "${{ matrix.target }}" in workflow.read_text("utf-8")


def test_the_matrix_has_the_pythons_of_the_classifiers_and_three_litellms() -> None:
    classifiers = re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text("utf-8")
    )
    matrix = _jobs(HOST / "workflows" / "ci.yml")["test"]["strategy"]["matrix"]
    assert matrix["python"] == classifiers
    assert matrix["target"] == ["test", "test-oldest", "test-oldest-proxy", "test-newest"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_but_what_a_job_needs_is_allowed_to_it(workflow: Path) -> None:
    whole = yaml.safe_load(workflow.read_text("utf-8"))
    assert whole["permissions"] == {"contents": "read"}
    checkouts = [step for step in _steps(workflow) if "actions/checkout" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_each_action_is_one_of_its_makers_own_at_a_named_version(workflow: Path) -> None:
    for uses in [step["uses"] for step in _steps(workflow) if "uses" in step]:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+|pypa/gh-action-pypi-publish@release/v1", uses), uses


def test_a_release_is_published_without_a_password_after_it_was_attested() -> None:
    jobs = _jobs(HOST / "workflows" / "release.yml")
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["needs"] == "attest"
    assert "secrets." not in (HOST / "workflows" / "release.yml").read_text("utf-8")


@pytest.mark.parametrize(
    ("tag", "fault"),
    [("v9.9.9", "they must agree"), ("", "they must agree")],
)
def test_a_tag_that_is_not_the_version_is_refused(tag: str, fault: str) -> None:
    done = subprocess.run(
        ["make", "--silent", "check-release", f"TAG={tag}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert fault in done.stderr
