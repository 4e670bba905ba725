from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai._version import __version__
from litellm_qwen_ai.models import CATALOGUE
from litellm_qwen_ai.plans import AS_OF, PLANS
from tests.cli.conftest import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from litellm_qwen_ai.oauth import FileStore
    from litellm_qwen_ai.sandbox import Sandbox


COMMANDS = ["login", "status", "logout", "accounts", "doctor", "models", "demo", "sandbox"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# --- the group ---


def test_the_version_is_printed(run: Any) -> None:
    done = run("--version")
    assert (done.code, done.out) == (0, f"litellm-qwen-ai {__version__}\n")


@pytest.mark.parametrize("way", [("-V",), ("version",)])
def test_the_version_has_other_names(run: Any, way: tuple[str, ...]) -> None:
    done = run(*way)
    assert (done.code, done.out) == (0, f"litellm-qwen-ai {__version__}\n")


@pytest.mark.parametrize("command", [(), ("login",), ("sandbox",)])
def test_help_is_a_command_too(run: Any, command: tuple[str, ...]) -> None:
    assert run("help", *command) == run(*command, "--help")


@pytest.mark.parametrize("arguments", [("status", "--help"), ("nonsense",)])
def test_the_package_runs_as_the_command(environ: dict[str, str], arguments: tuple[str, ...]) -> None:
    module, script = (
        subprocess.run([*way, *arguments], env=environ, capture_output=True, text=True, check=False)
        for way in ([sys.executable, "-m", "litellm_qwen_ai"], [PROGRAM])
    )
    assert (module.returncode, module.stdout, module.stderr) == (
        script.returncode,
        script.stdout,
        script.stderr,
    )
    assert "Usage: litellm-qwen-ai " in module.stdout + module.stderr


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_help_keeps_to_the_terminals_width(run: Any, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for asked in (("--help",), ("help",), ("login", "--help"), ("logout", "--help"), ("help", "sandbox")):
        assert max(map(len, run(*asked).out.splitlines())) <= columns


def test_help_of_no_command_is_wrong_usage(run: Any) -> None:
    done = run("help", "logn")
    assert done.code == 2
    assert "No such command 'logn'" in done.err


def test_the_shell_completes_commands(environ: dict[str, str]) -> None:
    asked = {
        "_LITELLM_QWEN_AI_COMPLETE": "bash_complete",
        "COMP_WORDS": "litellm-qwen-ai lo",
        "COMP_CWORD": "1",
    }
    done = subprocess.run([PROGRAM], env={**environ, **asked}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["plain,login", "plain,logout"]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
@pytest.mark.parametrize(
    ("module", "command"),
    [
        *(("click", command) for command in COMMANDS),
        ("litellm", "demo"),
        ("aiohttp", "sandbox"),
        ("httpx", "login"),
    ],
)
def test_ctrl_c_while_modules_load_is_a_cancelled_command(
    environ: dict[str, str], tmp_path: Path, module: str, command: str
) -> None:
    (tmp_path / f"{module}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", "from litellm_qwen_ai.cli import main; main()", command],
        env={**environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "\nCancelled; nothing was changed.\n")


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_sandbox_that_cannot_listen_names_the_host(run: Any, host: str) -> None:
    done = run("sandbox", "--host", host)
    assert done.code == 1
    assert f"Cannot listen on {host}:0" in done.err
    assert "--host takes an address of this machine" in done.err


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_the_commands_in_the_order_of_need_and_the_exit_codes(run: Any, flag: str) -> None:
    done = run(flag)
    assert done.code == 0
    listed = [line.split()[0] for line in done.out.split("Commands:\n")[1].splitlines() if line.strip()]
    assert listed[:8] == COMMANDS
    codes = "0 done, 1 error, 2 cancelled or wrong usage, 3 not approved yet, 4 not logged in."
    assert f"Exit codes: {codes}" in " ".join(done.out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(run: Any, command: str) -> None:
    done = run(command, "--help")
    assert done.code == 0
    assert "..." not in done.out.splitlines()[2]


@pytest.mark.parametrize(
    "wrong", [["nonsense"], ["login", "--nonsense"], ["status", "extra"], ["sandbox", "--port", "x"]]
)
def test_wrong_usage_exits_with_2(run: Any, wrong: list[str]) -> None:
    done = run(*wrong)
    assert (done.code, done.out) == (2, "")
    assert "Usage:" in done.err


@pytest.mark.parametrize("module", ["cli", "cli.login", "cli.status", "settings"])
def test_the_command_line_imports_neither_litellm_nor_an_http_client(module: str) -> None:
    code = (
        f"import sys, litellm_qwen_ai.{module}\n"
        "print([name for name in ('litellm', 'httpx', 'aiohttp') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- logout ---


def test_logout_asks_on_stderr_and_removes_the_file(
    run: Any, sandbox: Sandbox, token_dir: Path, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.write_credentials(token_dir)
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    done = run("logout")
    assert (done.code, done.out) == (0, f"Removed {store.path}.\n")
    assert f"Remove {store.path}? [y/N]" in done.err
    assert not store.path.exists()


def test_logout_that_is_not_confirmed_changes_nothing(
    run: Any, sandbox: Sandbox, token_dir: Path, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.write_credentials(token_dir)
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    done = run("logout")
    assert (done.code, done.out) == (2, "")
    assert store.path.exists()


def test_logout_without_a_terminal_needs_yes(
    run: Any, sandbox: Sandbox, token_dir: Path, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.write_credentials(token_dir)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    refused = run("logout")
    assert refused.code == 2
    assert "add --yes" in refused.err
    assert store.path.exists()
    assert run("logout", "--yes").code == 0
    assert not store.path.exists()


def test_logout_without_a_login_exits_with_4(run: Any, token_dir: Path) -> None:
    done = run("logout", "--yes")
    assert (done.code, done.out) == (4, "")
    assert not token_dir.exists()


def test_logout_says_that_a_key_is_still_set(
    run: Any, sandbox: Sandbox, token_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.write_credentials(token_dir)
    monkeypatch.setenv("QWEN_API_KEY", "sk-key-secret")
    assert "QWEN_API_KEY is still set" in run("logout", "--yes").err


# --- models ---


def test_models_are_listed_within_80_columns(run: Any) -> None:
    done = run("models")
    assert (done.code, done.err) == (0, "")
    rows = done.out.splitlines()
    table = rows[: rows.index("")]
    assert [row.split()[0] for row in table] == ["MODEL", *(model.route for model in CATALOGUE)]
    assert max(len(row) for row in rows) <= 80
    for plan in PLANS:
        at = rows.index(f"{plan.name}: {plan.title}; keys {' '.join(plan.keys)}")
        assert plan.base_url in rows[at + 1]
        assert plan.allows in rows[at + 2]


def test_models_as_json(run: Any) -> None:
    told = json.loads(run("models", "--json").out)
    assert [one["model"] for one in told["models"]] == [model.route for model in CATALOGUE]
    assert told["models"][0]["max_input_tokens"] == 1_000_000
    assert [(one["name"], one["base_url"]) for one in told["plans"]] == [
        (plan.name, plan.base_url) for plan in PLANS
    ]
    assert told["plans"][0]["keys"] == ["sk-", "sk-ws-"]
    assert told["plans_as_of"] == AS_OF


# --- demo and sandbox ---


@pytest.mark.parametrize("code", [0, 1])
def test_the_demos_outcome_is_the_exit_code(run: Any, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr("litellm_qwen_ai.demo.tour.main", lambda: code)
    assert run("demo").code == code


def test_the_sandbox_gets_its_options(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(
        "litellm_qwen_ai.sandbox.serve.serve",
        lambda host, port, **flags: calls.append((host, port, flags)),
    )
    assert run("sandbox", "--host", "::1", "--port", "8123", "--auto-approve", "--obedient").code == 0
    assert run("sandbox").code == 0
    assert calls == [
        ("::1", 8123, {"auto_approve": True, "obedient": True}),
        ("127.0.0.1", 0, {"auto_approve": False, "obedient": False}),
    ]
