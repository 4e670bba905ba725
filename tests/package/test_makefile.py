"""The Makefile, as somebody meets it who waits."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.requirements import Requirement

from tests.proxy_needs import needs

TEXT = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
RULES = re.findall(r"^(\S[^:=\n]*):(?!=)[^\n]*\n((?:\t[^\n]*\n)+)", TEXT, re.MULTILINE)


def test_what_installs_in_silence_says_first_what_it_does() -> None:
    silent = {name: recipe for name, recipe in RULES if " install --quiet" in recipe}
    assert {"$(READY)", "wheel", "test-newest"} <= set(silent)
    assert not [name for name, recipe in silent.items() if not recipe.startswith("\t@echo ")]


def test_no_environment_of_the_tests_keeps_what_it_had_while_pip_resolves_newer_releases() -> None:
    tested = {name: recipe for name, recipe in RULES if "--group" in recipe and "bin/pytest" in recipe}
    assert set(tested) == {"test-python-%", "test-oldest", "test-oldest-proxy", "test-newest"}
    installs = [line for recipe in tested.values() for line in recipe.splitlines() if "--editable" in line]
    assert not [line for line in installs if "$(EAGER)" not in line]
    everything = dict(RULES)["test-all"]
    assert everything.index("rm -f $(READY)") < everything.index("$(MAKE) test ")
    for other in ("$(READY)", "wheel", "wheel-proxy"):
        assert "$(EAGER)" in dict(RULES)[other]


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


def test_the_fast_loop_and_what_contributing_says_of_tests_name_what_there_is() -> None:
    root = Path(__file__).parents[2]
    quick = re.search(r"^QUICK := (.*)$", TEXT, re.MULTILINE)
    assert quick
    guide = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {*quick[1].split(), *re.findall(r"tests/[\w/.]+", guide)}
    assert not [path for path in named if not (root / path).exists()]
    for path, test in re.findall(r"(tests/[\w/.]+)::(\w+)", guide):
        assert f"def {test}(" in (root / path).read_text(encoding="utf-8")
    assert not set(re.findall(r"`make ([\w-]+)", guide)) - set(re.findall(r"^([\w-]+):", TEXT, re.MULTILINE))
