"""What runs on the project's host: it is well formed, and does what everybody can do with `make`."""

from __future__ import annotations

import re
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from litellm_qwen_ai import __version__

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
    checks = pytest.importorskip("check_jsonschema", reason="in the group dev alone")
    files = [str(path) for path in SCHEMAS[schema]]
    assert files
    done = CliRunner().invoke(checks.main, ["--builtin-schema", schema, *files])
    assert done.exit_code == 0, done.output


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
    assert matrix["target"] == ["test", "test-oldest", "test-oldest-proxy", "test-newest"]
    assert [*matrix["python"], "3.14"] == classifiers
    assert matrix["include"] == [{"python": "3.14", "target": target} for target in ("test", "test-newest")]


def test_a_newer_push_ends_a_run_of_its_pull_request_and_none_of_main() -> None:
    together = yaml.safe_load((HOST / "workflows" / "ci.yml").read_text("utf-8"))["concurrency"]
    assert together["cancel-in-progress"] is True
    assert "github.event.pull_request.number || github.run_id" in together["group"]


ALLOWED_TO_RELEASE = {
    "attest": {"id-token": "write", "attestations": "write"},
    "publish": {"id-token": "write"},
    "announce": {"contents": "write"},
}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_but_what_a_job_needs_is_allowed_to_it(workflow: Path) -> None:
    whole = yaml.safe_load(workflow.read_text("utf-8"))
    assert whole["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in _jobs(workflow).items() if "permissions" in job}
    assert more == (ALLOWED_TO_RELEASE if workflow.stem == "release" else {})
    checkouts = [step for step in _steps(workflow) if "actions/checkout" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_each_action_is_one_of_its_makers_own_pinned_to_one_commit_with_its_version() -> None:
    text = "".join(path.read_text("utf-8") for path in WORKFLOWS)
    used = set(re.findall(r"uses: (.*)", text)) - {"pypa/gh-action-pypi-publish@release/v1"}
    pinned = [re.fullmatch(r"(actions/[a-z-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+", one) for one in used]
    assert all(pinned), used
    assert len({one[1] for one in pinned if one}) == len(used)  # each at one version


def test_a_release_is_published_without_a_password_after_it_was_attested() -> None:
    jobs = _jobs(HOST / "workflows" / "release.yml")
    assert jobs["publish"]["needs"] == "attest"
    assert "secrets." not in (HOST / "workflows" / "release.yml").read_text("utf-8")


@pytest.mark.parametrize(
    ("tag", "changelog", "fault"),
    [
        ("v1.2.3", "## [Unreleased]\n\n## [1.2.3] - 2026-11-26\n\n- One.\n", ""),
        ("v9.9.9", "## [Unreleased]\n\n## [1.2.3] - 2026-11-26\n", "they must agree"),
        ("", "## [Unreleased]\n\n## [1.2.3] - 2026-11-26\n", "they must agree"),
        ("v1.2.3", "## [Unreleased]\n\n## [1.2.3]\n", "no dated section for 1.2.3"),
        ("v1.2.3", "## [Unreleased]\n\n- Two.\n\n## [1.2.3] - 2026-11-26\n", "still has lines"),
    ],
    ids=["all is well", "another tag", "no tag", "no date", "unreleased"],
)
def test_a_tag_is_released_only_if_version_and_changelog_say_so(
    tmp_path: Path, tag: str, changelog: str, fault: str
) -> None:
    (tmp_path / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    package = tmp_path / "litellm_qwen_ai"
    package.mkdir()
    (package / "_version.py").write_text('__version__ = "1.2.3"\n', encoding="utf-8")
    command = ["make", "--silent", "--file", str(ROOT / "Makefile"), "check-release", f"TAG={tag}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (not fault)
    assert fault in done.stderr


def test_the_changelog_has_dated_versions_and_the_newest_is_the_one_that_the_code_says() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    first, *sections = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert first == "[Unreleased]"
    dated = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})", one) for one in sections]
    found = [([*map(int, one[1].split("."))], date.fromisoformat(one[2])) for one in dated if one]
    assert len(found) == len(sections)
    assert found == sorted(found, reverse=True)
    assert sections[0].startswith(f"[{__version__}] ")
