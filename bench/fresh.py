"""What needs a fresh process: the import, and the peak of memory."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

from bench.lanes import BASE, FLOOR, OURS, environment
from bench.processes import Worker
from bench.run import Figures, say

if TYPE_CHECKING:
    from pathlib import Path

    from bench.upstream import Upstream

MEMORY_LANES = (BASE, "github_copilot/", OURS, FLOOR)
_STREAMS, _CHUNKS, _PACE = 16, 2000, 12_000

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


def imports(times: int, folder: Path) -> tuple[Figures, list[str]]:
    """CPU seconds that `import litellm_qwen_ai` adds to `import litellm`, route registered.

    Args:
        times: How many fresh processes.
        folder: Where the made-up logins are.

    Returns:
        The figures, and a remark that names third-party modules that came with it.
    """
    rounds = []
    new: set[str] = set()
    for _ in range(times):
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT],
            env=environment(folder),
            check=True,
            capture_output=True,
            text=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
        rounds.append({OURS: found["cpu"]})
        new.update(found["new"])
    modules = ", ".join(sorted(new)) or "none"
    return {"import": rounds}, [f"Third-party modules that `import litellm_qwen_ai` adds: {modules}"]


def memory(server: Upstream, folder: Path) -> tuple[Figures, list[str]]:
    """The peak of a fresh process's memory, over 16 streams of 2,000 chunks that do not merge.

    Args:
        server: The upstream.
        folder: Where the made-up logins are.
    """
    say("memory")
    server.mode(chunks=_CHUNKS, pace=_PACE)
    with contextlib.ExitStack() as stack:
        # Together, each on any core: their time is not measured.
        workers = [Worker(lane, server.base_url, folder, pinned=False) for lane in MEMORY_LANES]
        for worker in workers:
            stack.callback(worker.close)
            worker.tell("memory_peak", width=_STREAMS, chunks=_CHUNKS, pace=_PACE / 1e6)
        answers = {worker.lane: worker.answer() for worker in workers}
    remarks = [
        f"memory: {lane} merged some of the chunks"
        for lane, one in answers.items()
        if one["arrived"] != _CHUNKS
    ]
    before = ", ".join(f"{lane} {one['before'] / 1e6:.0f} MB" for lane, one in answers.items())
    added = ", ".join(
        f"{lane} {(one['bytes'] - one['before']) / 1e6:.0f} MB" for lane, one in answers.items()
    )
    return (
        {"memory": [{lane: one["bytes"] for lane, one in answers.items()}]},
        [*remarks, f"Memory before the streams: {before}; added by them: {added}"],
    )
