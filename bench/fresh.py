"""What needs a fresh process: the import, the first call, the first renewal, and the peak of memory."""

from __future__ import annotations

import compileall
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.lanes import BASE, FLOOR, OURS, environment
from bench.processes import Worker
from bench.run import Figures, rotated, say
from litellm_qwen_ai.sandbox import Sandbox

if TYPE_CHECKING:
    from bench.upstream import Upstream

COLD_LANES = (BASE, OURS, FLOOR)
MEMORY_LANES = (BASE, "github_copilot/", OURS, FLOOR)
_STREAMS, _CHUNKS = 16, 2000
#: Microseconds between two chunks: those of every paced stream here, and so many that every lane keeps up.
_PACES = {"memory": 1_000, "memory-slow": 12_000}

_IMPORT = """
import json, sys, time
import litellm
known = set(sys.modules)
began = time.process_time()
import litellm_qwen_ai
litellm_qwen_ai.handler
took = time.process_time() - began
ours = {"litellm_qwen_ai"} | set(sys.stdlib_module_names)
packages = lambda names: {name.split(".")[0] for name in names}
new = sorted(packages(set(sys.modules) - known) - packages(known) - ours)
print(json.dumps({"cpu": took, "new": new}))
"""

#: Arguments: the lane's name and the upstream's base URL.
_FIRST_CALL = """
import json, sys, time
import litellm
from bench import clients, measure
lane = clients.client(*sys.argv[1:])
began = time.process_time()
lane.call(measure.SHORT)
print(json.dumps({"cpu": time.process_time() - began}))
"""

#: As a program that asks for the token of a login that is due; LiteLLM is not needed for it.
_FIRST_RENEWAL = """
import json, time
import litellm_qwen_ai
token = litellm_qwen_ai.token_provider()
began = time.process_time()
token()
print(json.dumps({"cpu": time.process_time() - began}))
"""


def _compile() -> None:
    """Compile the package, as pip does when it installs it: some machines are set not to when it is run."""
    compileall.compile_dir(Path(__file__).parents[1] / "litellm_qwen_ai", quiet=1)


def imports(times: int, folder: Path) -> tuple[Figures, list[str]]:
    """CPU seconds that `import litellm_qwen_ai` adds to `import litellm`, route registered.

    Args:
        times: How many fresh processes.
        folder: Where the made-up logins are.

    Returns:
        The figures, and a remark that names third-party modules that came with it.
    """
    _compile()
    rounds = []
    new: set[str] = set()
    for _ in range(times):
        found = _measured(_IMPORT, environment(folder))
        rounds.append({OURS: found["cpu"]})
        new.update(found["new"])
    modules = ", ".join(sorted(new)) or "none"
    return {"import": rounds}, [f"Third-party modules that `import litellm_qwen_ai` adds: {modules}"]


def first_steps(times: int, server: Upstream, folder: Path) -> Figures:
    """CPU seconds of a fresh process's first call after its imports, and of its first renewal.

    Args:
        times: How many fresh processes of each kind.
        server: The upstream.
        folder: Where the made-up logins are.
    """
    _compile()
    say("first call and first renewal")
    server.mode(chunks=16, pace=0)
    figures: Figures = {"first-call": [], "first-renewal": []}
    for number in range(times):
        lanes = rotated(COLD_LANES, number)
        calls = {lane: _measured(_FIRST_CALL, environment(folder), lane, server.base_url) for lane in lanes}
        figures["first-call"].append({lane: found["cpu"] for lane, found in calls.items()})
    with Sandbox(interval=0) as sandbox:
        for number in range(times):
            due = folder / f"due-{number}"
            sandbox.write_credentials(due, expiry_date=1)
            variables = {**environment(folder), **sandbox.environment(), "QWEN_TOKEN_DIR": str(due)}
            figures["first-renewal"].append({OURS: _measured(_FIRST_RENEWAL, variables)["cpu"]})
    return figures


def _measured(program: str, variables: dict[str, str], *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=variables,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def memory(server: Upstream, folder: Path) -> tuple[Figures, list[str]]:
    """The peak of a fresh process's memory, over 16 streams of 2,000 chunks.

    Args:
        server: The upstream.
        folder: Where the made-up logins are.
    """
    figures: Figures = {}
    remarks: list[str] = []
    for row, pace in _PACES.items():
        say(row)
        answers = _peaks(server, folder, pace)
        figures[row] = [{lane: one["bytes"] for lane, one in answers.items()}]
        said = "; ".join(
            f"{lane} {one['before'] / 1e6:.0f} and {(one['bytes'] - one['before']) / 1e6:.0f}"
            for lane, one in answers.items()
        )
        remarks.append(f"{row}: MB before the streams, and added by them: {said}")
        remarks += [
            f"{row}: {lane} made {one['arrived']} chunks or fewer of {_CHUNKS}"
            for lane, one in answers.items()
            if one["arrived"] != _CHUNKS
        ]
    return figures, remarks


def _peaks(server: Upstream, folder: Path, pace: int) -> dict[str, dict[str, float]]:
    server.mode(chunks=_CHUNKS, pace=pace)
    with contextlib.ExitStack() as stack:
        # Together, each on any core: their time is not measured.
        workers = [Worker(lane, server.base_url, folder, pinned=False) for lane in MEMORY_LANES]
        for worker in workers:
            stack.callback(worker.close)
            worker.tell("memory_peak", width=_STREAMS, chunks=_CHUNKS, pace=pace / 1e6)
        return {worker.lane: worker.answer() for worker in workers}
