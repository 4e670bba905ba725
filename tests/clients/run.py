"""`make test-clients`: run real clients against the sandbox and make the table of docs/clients.md.

Each client is installed from PyPI into an environment in the checkout (`.venv-clients-<name>`), which is kept
for the next run; `make clean` removes them. `--write` writes the table; names of clients run only those.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kit_names import CAPABILITIES
from table import Row, page, plain

from litellm_qwen_ai.demo.proxy import proxy_config, running_proxy
from litellm_qwen_ai.sandbox import Sandbox

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TABLE = ROOT / "docs" / "clients.md"
PROXY_KEY = "sk-made-up-for-the-clients"
DEADLINE = 240.0  # seconds for one client
PACE = 0.02  # seconds between two chunks of a stream
THIS = "-e ."  # this checkout, instead of a package

# LiteLLM 1.106 cannot make a call with tools beside mcp 1, whichever the provider.
MCP_1 = "litellm<1.106"
MCP_1_REMARK = "Pins mcp 1, beside which LiteLLM 1.106 fails at every call with tools: needs `litellm<1.106`."

# What is installed together, each step one call of pip. Clients whose pins clash live apart.
ENVIRONMENTS: dict[str, list[list[str]]] = {
    "proxy": [["openai", "anthropic", "langchain-openai"]],
    "litellm": [
        [
            THIS,
            "dspy",
            "smolagents[litellm]",
            "openai-agents[litellm]",
            "instructor",
            "langchain-litellm",
            "llama-index-llms-litellm",
        ]
    ],
    "adk": [[THIS, "google-adk"]],
    "strands": [[THIS, "strands-agents[litellm]"]],
    "crewai": [[THIS, "crewai[litellm]", MCP_1]],
    "aider": [["aider-chat"]],
    # aider pins a LiteLLM that is too old for the plugin: the second step puts a newer one in its place.
    "aider-plugin": [["aider-chat"], [THIS]],
}


@dataclass(frozen=True)
class Client:
    """A client: its name on PyPI, its script, its environment, and how it reaches Qwen."""

    name: str
    script: str
    environment: str
    way: str = "in process"
    remark: str = ""


CLIENTS = [
    Client("openai", "with_openai.py", "proxy", "proxy"),
    Client("anthropic", "with_anthropic.py", "proxy", "proxy"),
    Client("langchain-openai", "with_langchain_openai.py", "proxy", "proxy"),
    Client("langchain-litellm", "with_langchain_litellm.py", "litellm"),
    Client("dspy", "with_dspy.py", "litellm"),
    Client("smolagents", "with_smolagents.py", "litellm"),
    Client("instructor", "with_instructor.py", "litellm"),
    Client("openai-agents", "with_openai_agents.py", "litellm"),
    Client("llama-index-llms-litellm", "with_llama_index.py", "litellm"),
    Client("google-adk", "with_google_adk.py", "adk"),
    Client("strands-agents", "with_strands.py", "strands"),
    Client("crewai", "with_crewai.py", "crewai", remark=MCP_1_REMARK),
    Client("aider-chat", "with_aider.py", "aider", "proxy"),
    Client("aider-chat", "with_aider.py", "aider-plugin"),
]

# Nothing here may talk to anybody but the sandbox.
QUIET = {
    "AIDER_ANALYTICS_DISABLE": "true",
    "AIDER_CHECK_UPDATE": "false",
    "ANONYMIZED_TELEMETRY": "False",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
}
FOREIGN = ("QWEN_", "LITELLM_", "OPENAI_", "ANTHROPIC_", "DATABASE_", "HTTP_PROXY", "HTTPS_PROXY")


@dataclass
class Ground:
    """Where a client runs: a sandbox with a login, and a proxy on it for those who need one."""

    sandbox: Sandbox
    folder: Path
    proxy_url: str = ""
    broken: dict[str, str] = field(default_factory=dict)  # environments that could not be made, and why

    def environment(self, home: Path, way: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(FOREIGN)}
        return {
            **kept,
            **QUIET,
            **self.sandbox.environment(self.folder / "tokens"),
            "HOME": str(home),
            "CLIENTS_SANDBOX_URL": self.sandbox.url,
            "CLIENTS_PROXY_URL": self.proxy_url if way == "proxy" else "",
            "CLIENTS_PROXY_KEY": PROXY_KEY,
            "CLIENTS_REPORT": str(home / "report.jsonl"),
        }


def main() -> int:
    """Run what the arguments ask for; 1 if something that should work does not."""
    parser = argparse.ArgumentParser(description="Run real clients against the sandbox.")
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help="only these")
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.relative_to(ROOT)}")
    parser.add_argument("--verbose", action="store_true", help="show what the clients print")
    said = parser.parse_args()
    unknown = set(said.clients) - {client.name for client in CLIENTS}
    if unknown or (said.write and said.clients):
        parser.error(
            f"no such client: {', '.join(sorted(unknown))}" if unknown else "--write needs all clients"
        )
    chosen = [client for client in CLIENTS if not said.clients or client.name in said.clients]
    rows = run(chosen, verbose=said.verbose)
    print(plain(rows))
    if said.write:
        TABLE.write_text(page(rows), encoding="utf-8")
    failed = sum(result.outcome == "fails" for row in rows for result in row.results.values())
    passed = sum(result.outcome == "works" for row in rows for result in row.results.values())
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed else 0


def run(clients: list[Client], *, verbose: bool) -> list[Row]:
    """Run clients one after the other."""
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        ground = Ground(stack.enter_context(Sandbox(interval=0)), folder)
        ground.sandbox.write_credentials(folder / "tokens")
        stack.enter_context(one_chunk_at_a_time(ground.sandbox))
        for name in dict.fromkeys(client.environment for client in clients):
            trouble = install(name)
            if trouble:
                ground.broken[name] = trouble
        if any(client.way == "proxy" for client in clients):
            os.environ.update(ground.sandbox.environment(folder / "tokens"))  # for the proxy
            ground.proxy_url = stack.enter_context(running_proxy(proxy_config(), key=PROXY_KEY, say=print))
        for client in clients:
            print(f"{client.name} ...", flush=True)
            rows.append(ask(client, ground, verbose=verbose))
    return rows


@contextmanager
def one_chunk_at_a_time(sandbox: Sandbox) -> Iterator[None]:
    """Have streams come at a model's pace: what comes at once may rightly reach the client in one piece."""
    ended = threading.Event()

    def pace() -> None:
        while not ended.is_set():
            with suppress(TimeoutError):
                sandbox.wait_for_held("chat", at="chunk", timeout=1)
                ended.wait(PACE)
                sandbox.let_through("chat", at="chunk")

    with sandbox.holding("chat", at="chunk"):
        pacing = threading.Thread(target=pace)
        pacing.start()
        try:
            yield
        finally:
            ended.set()
            pacing.join()


def install(name: str) -> str:
    """Make an environment unless it is there; return what went wrong, or nothing."""
    place = ROOT / f".venv-clients-{name}"
    stamp, wanted = place / ".installed", json.dumps(ENVIRONMENTS[name])
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return ""
    print(f"installing {place.name} ...", flush=True)
    venv.create(place, with_pip=True, clear=True)
    for step in [["--upgrade", "pip>=25.1"], *ENVIRONMENTS[name]]:
        command = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", "-q"]
        command += [word for one in step for word in (["-e", str(ROOT)] if one == THIS else [one])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            return f"cannot be installed here: {' '.join(lines)[:400] or 'pip gave no reason'}"
    stamp.write_text(wanted, encoding="utf-8")
    return ""


def ask(client: Client, ground: Ground, *, verbose: bool) -> Row:
    """Run the script of a client and read its report."""
    row = Row(client.name, client.way, client.remark)
    trouble = ground.broken.get(client.environment)
    if trouble is None:
        home = ground.folder / client.environment / client.name
        home.mkdir(parents=True)
        python = ROOT / f".venv-clients-{client.environment}" / "bin" / "python"
        with (home / "output.txt").open("w+", encoding="utf-8") as output:
            command = [str(python), str(HERE / client.script)]
            trouble = _finish(command, ground.environment(home, client.way), output)
            output.seek(0)
            text = output.read()
        report = home / "report.jsonl"
        row.read(report.read_text(encoding="utf-8") if report.is_file() else "")
        if verbose or trouble or row.failed:
            print(text[-6000:])
    for capability in CAPABILITIES:
        row.missing(capability, trouble or "the script did not report it")
    return row


def _finish(command: list[str], environment: dict[str, str], output: object) -> str | None:
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=environment["HOME"],
        stdin=subprocess.DEVNULL,
        stdout=output,  # type: ignore[arg-type]  # an open text file
        stderr=subprocess.STDOUT,
    )
    try:
        status = process.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"did not end within {DEADLINE:g} s"
    return f"ended with status {status}" if status else None


if __name__ == "__main__":
    sys.exit(main())
