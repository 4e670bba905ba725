"""`make conformance`: run suites that others wrote, at `qwen_ai/` and at a built-in route, on one sandbox.

Each suite comes from PyPI at a pinned version, into an environment in the checkout
(`.venv-conformance-<name>`), which is kept for the next run; `make clean` removes them. What passes at the
built-in route must pass here. `--write` writes docs/conformance.md; names of packages run only those.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from suites import HERE, SUITES, Suite
from table import OTHER, OURS, Row, page, plain

from litellm_qwen_ai.demo.proxy import running_proxy
from litellm_qwen_ai.sandbox import Sandbox

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
PAGE = ROOT / "docs" / "conformance.md"
KEY = "sk-made-up-for-conformance"
DEADLINE = 400.0  # seconds for one suite at one route
MODEL, OTHER_MODEL = "coder-model", "qwen3-coder-plus"
FOREIGN = (
    "QWEN_",
    "LITELLM_",
    "OPENAI_",
    "ANTHROPIC_",
    "DASHSCOPE_",
    "DATABASE_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
)

_ITS_LITELLM = "import importlib.metadata as m; print(m.version('litellm'))"
# Written here, not taken from a suite: an ini of the suite's own would bring its xdist and its warnings.
PYTEST = (
    *("-o", "addopts=", "-o", "filterwarnings=default", "-o", "asyncio_mode=auto"),
    *("-o", "asyncio_default_fixture_loop_scope=session", "-o", "asyncio_default_test_loop_scope=session"),
    *("-p", "plugin", "-p", "no:cacheprovider", "-q", "--tb=short"),
)


@dataclass(frozen=True)
class Route:
    """One of the two ways to the sandbox, in process and by a proxy."""

    name: str
    proxy_url: str
    api_base: str = ""
    api_key: str = ""


def main() -> int:
    """Run what the arguments ask for; 1 if something fails here alone that is not known to."""
    parser = argparse.ArgumentParser(description="Run suites of others against the sandbox.")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="only these")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--verbose", action="store_true", help="show what the suites print")
    said = parser.parse_args()
    unknown = set(said.packages) - {suite.package for suite in SUITES}
    if unknown or (said.write and said.packages):
        parser.error(
            f"no such suite: {', '.join(sorted(unknown))}" if unknown else "--write needs all suites"
        )
    rows = run(
        [one for one in SUITES if not said.packages or one.package in said.packages], verbose=said.verbose
    )
    print(plain(rows))
    if said.write:
        PAGE.write_text(page(rows), encoding="utf-8")
    return 1 if any(row.trouble or row.unexpected for row in rows) else 0


def run(suites: list[Suite], *, verbose: bool) -> list[Row]:
    """Run suites one after the other, each at both routes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        sandbox = stack.enter_context(Sandbox(interval=0, obedient=True))
        sandbox.write_credentials(folder / "tokens")
        os.environ.update(sandbox.environment(folder / "tokens"))  # for the proxies
        routes = []
        for name, base, key in ((OURS, "", ""), (OTHER, sandbox.api_base, sandbox.api_keys[0])):
            config = folder / f"{name}.yaml"
            config.write_text(proxy_config(name, base, key), encoding="utf-8")
            url = stack.enter_context(running_proxy(config, key=KEY, say=print))
            routes.append(Route(name, url, base, key))
        rows = []
        for suite in suites:
            print(f"{suite.package}, {suite.title} ...", flush=True)
            row = Row(suite)
            rows.append(row)
            try:
                source = prepare(suite, folder)
                row.litellm = litellm_of(suite)
                for route in routes:
                    row.results[route.name] = ask(suite, source, route, sandbox, folder, verbose=verbose)
            except SuiteError as error:
                row.trouble = str(error)
        return rows


class SuiteError(Exception):
    """A suite cannot be had or did not end; the text says why."""


def proxy_config(route: str, api_base: str, api_key: str) -> str:
    """A proxy that answers every name, since each suite asks for models of its own vendor."""
    where = {"api_base": api_base, "api_key": api_key} if api_base else {}

    def served(name: str, model: str) -> dict[str, object]:
        return {"model_name": name, "litellm_params": {"model": f"{route}/{model}", **where}}

    handler = {"provider": OURS, "custom_handler": "litellm_qwen_ai.handler"}
    return json.dumps(  # JSON is YAML
        {
            "model_list": [served(OTHER_MODEL, OTHER_MODEL), served("*", MODEL)],
            "litellm_settings": {"custom_provider_map": [handler], "drop_params": True},
            "router_settings": {"disable_cooldowns": True, "num_retries": 0},
            "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
        }
    )


def prepare(suite: Suite, folder: Path) -> Path:
    """Install a suite's packages, and unpack its source if it has tests of its own; return where they are.

    Raises:
        SuiteError: pip could not.
    """
    place = ROOT / suite.environment
    python = place / "bin" / "python"
    wanted = ["pytest", "pytest-asyncio", *suite.installed, f"{suite.package}=={suite.version}"]
    stamp = place / ".installed"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != json.dumps(wanted):
        print(f"installing {place.name} ...", flush=True)
        venv.create(place, with_pip=True, clear=True)
        words = [word for one in wanted for word in (["-e", str(ROOT)] if one == HERE else [one])]
        _pip(python, "install", "--upgrade", "pip>=25.1")
        _pip(python, "install", *words)
        stamp.write_text(json.dumps(wanted), encoding="utf-8")
    if suite.own_models:
        return FOLDER
    sources = place / "source"
    unpacked = sources / f"{suite.package}-{suite.version}"
    if not unpacked.is_dir():
        download = ("--no-deps", "--no-binary", suite.package, "--dest", str(folder))
        _pip(python, "download", *download, f"{suite.package}=={suite.version}")
        with tarfile.open(folder / f"{unpacked.name}.tar.gz") as archive:
            archive.extractall(sources, filter="data")
    return unpacked


def litellm_of(suite: Suite) -> str:
    """Return the version of the LiteLLM that answers a suite: its own, or that of the proxies."""
    if suite.way == "proxy":  # they run on what runs this
        return version("litellm")
    asked = [str(ROOT / suite.environment / "bin" / "python"), "-c", _ITS_LITELLM]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def _pip(python: Path, *words: str) -> None:
    command = [str(python), "-m", "pip", words[0], "-q", "-q", *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line or "error" in line]
        raise SuiteError(f"pip {words[0]} failed: {' '.join(lines)[:300] or 'it gave no reason'}")


def ask(  # noqa: PLR0913  # where it runs is five things
    suite: Suite, source: Path, route: Route, sandbox: Sandbox, folder: Path, *, verbose: bool
) -> dict[str, tuple[str, str]]:
    """Run a suite at one route; return the outcome of each test and the reason.

    Raises:
        SuiteError: It did not end, or found no test.
    """
    home = folder / f"{suite.package}-{suite.tests[0].replace('/', '-')}-{route.name}"
    home.mkdir()
    report = home / "results.json"
    tests: list[str] = list(suite.tests)
    if suite.own_models:
        (home / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        tests = ["-c", str(home / "pytest.ini"), "--noconftest"]
        tests += [f"{source / 'langchain_chat.py'}::{one}" for one in suite.tests]
    command = [str(ROOT / suite.environment / "bin" / "python"), "-m", "pytest", *PYTEST, *tests]
    command += ["-k", suite.chosen] if suite.chosen else []
    with suppress(subprocess.TimeoutExpired):
        done = subprocess.run(
            command,
            cwd=source,
            env=environment(route, sandbox, folder, home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        if verbose:
            print(done.stdout[-8000:])
        found = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
        if not found:
            raise SuiteError(f"no test ran at {route.name}/: {done.stdout.strip()[-300:]}")
        return {name: (outcome, reason) for name, (outcome, reason) in found.items()}
    raise SuiteError(f"did not end at {route.name}/ within {DEADLINE:g} s")


def environment(route: Route, sandbox: Sandbox, folder: Path, home: Path) -> dict[str, str]:
    """What a suite finds: nobody but the sandbox to talk to, by the names that the suites read."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(FOREIGN)}
    return {
        **kept,
        **sandbox.environment(folder / "tokens"),
        "HOME": str(home),
        "PYTHONPATH": str(FOLDER),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LANGSMITH_TRACING": "false",
        "CONFORMANCE_RESULTS": str(home / "results.json"),
        "CONFORMANCE_MODEL": f"{route.name}/{MODEL}",
        "CONFORMANCE_API_BASE": route.api_base,
        "CONFORMANCE_API_KEY": route.api_key,
        "CONFORMANCE_PROXY_URL": route.proxy_url,
        "CONFORMANCE_PROXY_KEY": KEY,
        "TEST_API_BASE_URL": route.proxy_url,
        "OPENAI_BASE_URL": f"{route.proxy_url}/v1",
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": route.proxy_url,
        "ANTHROPIC_API_KEY": KEY,
    }


if __name__ == "__main__":
    sys.exit(main())
