"""The Makefile, as somebody meets it who waits."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from litellm_qwen_ai import __version__
from tests.proxy_needs import needs

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Makefile").read_text(encoding="utf-8")
RULES = re.findall(r"^(\S[^:=\n]*):(?!=)[^\n]*\n((?:\t[^\n]*\n)+)", TEXT, re.MULTILINE)


def test_what_installs_in_silence_says_first_what_it_does() -> None:
    silent = {name: recipe for name, recipe in RULES if " install --quiet" in recipe}
    assert {"$(READY)", "wheel", "newest"} <= set(silent)
    assert not [name for name, recipe in silent.items() if not recipe.startswith("\t@echo ")]


def test_how_an_environment_is_made_stands_once_but_for_the_one_without_pip() -> None:
    made = [line for line in TEXT.splitlines() if "-m venv" in line]
    assert len(made) == 2
    assert sum("--without-pip .venv-wheel" in line for line in made) == 1
    assert TEXT.count("--upgrade 'pip") == 1


def test_no_environment_of_the_tests_keeps_what_it_had_while_pip_resolves_newer_releases() -> None:
    tested = {name: recipe for name, recipe in RULES if "--group test" in recipe}
    assert set(tested) == {"test-python-%", "test-oldest", "test-oldest-proxy", "newest"}
    installs = [line for recipe in tested.values() for line in recipe.splitlines() if "--editable" in line]
    assert not [line for line in installs if "$(EAGER)" not in line]
    everything = dict(RULES)["test-all"]
    assert everything.index("rm -f $(READY)") < everything.index("$(MAKE) test ")
    for other in ("$(READY)", "wheel", "wheel-proxy"):
        assert "$(EAGER)" in dict(RULES)[other]


@pytest.mark.parametrize("there", [True, False], ids=["had", "not had"])
def test_a_python_that_is_not_to_be_had_everywhere_is_tested_where_it_is(tmp_path: Path, there: bool) -> None:
    for name in ["sh", *(["python3.14"] if there else [])]:
        (tmp_path / name).symlink_to("/bin/sh")
    rules = tmp_path / "rules"
    rules.write_text("pythons:\n\t@: $(info $(OTHER_PYTHONS))\n")
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run(
        [make, "--silent", "-f", str(ROOT / "Makefile"), "-f", str(rules), "pythons"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["3.10", "3.12", "3.13", *(["3.14"] if there else [])]


def test_what_the_newest_litellm_needs_for_its_proxy_is_installed_without_its_own_packages() -> None:
    listed = [
        "click>=8.0,<9",
        "semver>=3; extra == 'proxy'",
        "mcp>=2; extra == 'mcp'",
        "litellm-proxy==1.110.2; extra == 'proxy'",
        "resend>=2; extra == 'extra-proxy'",
        "nothing; python_full_version < '3' and extra == 'proxy'",
    ]
    assert [Requirement(line).name for line in needs(listed)] == ["click", "semver", "mcp"]
    assert needs(listed)[0] == "click<9,>=8.0"


def test_a_releases_list_is_of_the_wheels_environment_and_names_the_package_and_its_version(
    tmp_path: Path,
) -> None:
    pytest.importorskip("cyclonedx_py", reason="in the group dev alone")
    for name in ("Makefile", "pyproject.toml", "litellm_qwen_ai/_version.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    # Of all that the wheel brings along only three: to list hundreds takes half a minute.
    wheels = tmp_path / ".venv-wheel"
    venv.create(wheels)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(wheels)}))
    for name in ("litellm-qwen-ai", "litellm", "httpx"):
        found = importlib.metadata.distribution(name)
        (packages / f"{name}.dist-info").mkdir()
        (packages / f"{name}.dist-info" / "METADATA").write_text(str(found.read_text("METADATA")), "utf-8")
    tools = f"BIN={Path(sys.executable).parent}"
    subprocess.run(["make", "--silent", "-o", "wheel", "sbom", tools], cwd=tmp_path, check=True)
    listed = json.loads((tmp_path / "build" / "sbom.cdx.json").read_text("utf-8"))
    assert listed["bomFormat"] == "CycloneDX"
    about = listed["metadata"]["component"]
    assert (about["name"], about["version"], about["type"]) == ("litellm-qwen-ai", __version__, "library")
    assert {(one["name"], one["version"]) for one in listed["components"]} == {
        (name, importlib.metadata.version(name)) for name in ("litellm", "httpx")
    }


def test_the_fast_loop_and_what_contributing_says_of_tests_name_what_there_is() -> None:
    quick = re.search(r"^QUICK := (.*)$", TEXT, re.MULTILINE)
    assert quick
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {*quick[1].split(), *re.findall(r"tests/[\w/.]+", guide)}
    assert not [path for path in named if not (ROOT / path).exists()]
    for path, test in re.findall(r"(tests/[\w/.]+)::(\w+)", guide):
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8")
    assert not set(re.findall(r"`make ([\w-]+)", guide)) - set(re.findall(r"^([\w-]+):", TEXT, re.MULTILINE))
