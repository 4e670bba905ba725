"""The command: `python -m bench` (under ten minutes), `python -m bench --quick` (under one).

Without `--quick` it also measures memory, imports, proxies and growth, and draws the plots.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench import fresh, growth, proxies, report, scenarios, upstream
from bench.lanes import LANES, write_logins
from bench.processes import workers
from bench.run import run_jobs, run_probes, say


def main() -> int:
    """Measure, print the table, write `bench/results/`."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="qwen_ai/ beside LiteLLM's own routes"
    )
    parser.add_argument("--quick", action="store_true", help="under a minute: fewer lanes, rounds and rows")
    parser.add_argument("--rounds", type=int, help="instead of 5, or 2 with --quick")
    parser.add_argument("--only", default="", help="only jobs with this in a row's name; nothing is written")
    asked = parser.parse_args()
    upstream.pin(0, upstream.cores()[1])
    lanes = scenarios.QUICK_LANES if asked.quick else tuple(lane.name for lane in LANES)
    jobs = [
        job
        for job in (scenarios.quick() if asked.quick else scenarios.FULL)
        if any(asked.only in row for row in job.rows.values())
    ]
    with upstream.running() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_logins(folder, server.base_url)
        limit = server.limit()
        say(f"upstream: {limit}")
        server.mode(chunks=16, pace=0)
        with workers(lanes, server.base_url, folder) as started:
            say(f"{len(started)} lanes ready")
            rounds = asked.rounds or (2 if asked.quick else 5)
            figures, remarks = run_jobs(jobs, rounds, started, server)
            if not asked.only:
                figures |= run_probes(started, server, pairs=20 if asked.quick else 60)
            grown = None if asked.quick or asked.only not in "growth" else growth.run(started, server, folder)
        if not asked.quick and not asked.only:
            for more, said in (fresh.imports(5, folder), fresh.memory(server, folder)):
                figures |= more
                remarks += said
        if not asked.quick and asked.only in "proxy":
            figures |= proxies.run(server, folder, asked.rounds or 3)
    results = {
        "machine": report.machine(),
        "upstream": limit.as_json(),
        "rounds": rounds,
        "remarks": remarks,
        "rows": report.summary(figures),
    }
    if grown is not None:
        results["growth"] = grown
    sys.stdout.write(report.as_text(results))
    if not asked.only:
        kind = "quick" if asked.quick else "latest"
        path = report.RESULTS / f"{kind}.json"
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        if not asked.quick:
            from bench import plots  # noqa: PLC0415  # matplotlib takes its time

            plots.draw(results, report.RESULTS)
    say("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
