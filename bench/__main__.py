"""The command: `python -m bench` (some twelve minutes), `python -m bench --quick` (under one).

Without `--quick` it also measures memory, imports, proxies and growth, and draws the plots. `--newest` keeps
what `--quick` finds beside the whole run, since that is on another LiteLLM. `--options` measures what a user
can still switch, `--where` where the time goes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import fresh, growth, options, proxies, report, scenarios, store, upstream, where
from bench.lanes import LANES, write_logins
from bench.processes import workers
from bench.run import Figures, run_jobs, run_probes, say

if TYPE_CHECKING:
    from bench.upstream import Upstream


def main() -> int:
    """Measure, print the table, write `bench/results/`."""
    asked = _arguments()
    upstream.pin(0, upstream.cores()[1])
    with upstream.running() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_logins(folder, server.base_url)
        limit = server.limit()
        say(f"upstream: {limit}")
        if asked.options:
            found = options.run(server, folder, asked.rounds or 3)
            sys.stdout.write(options.as_markdown(found))
            _write("options", {"machine": report.machine(), **found})
            return 0
        if asked.where:
            places = where.run(server, folder)
            sys.stdout.write(where.as_markdown(places))
            _write("where", {"machine": report.machine(), "places": places})
            return 0
        results = _compare(asked, server, folder)
    results |= {"machine": report.machine(), "upstream": limit.as_json()}
    sys.stdout.write(report.as_text(results))
    if not asked.only:
        _write("newest" if asked.newest else "quick" if asked.quick else "latest", results)
        if not asked.quick:
            from bench import plots  # noqa: PLC0415  # matplotlib takes its time

            sys.stdout.write(f"\n{report.growth(results)}")
            plots.draw(results, report.RESULTS)
    say("done")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="qwen_ai/ beside LiteLLM's own routes"
    )
    parser.add_argument("--quick", action="store_true", help="under a minute: fewer lanes, rounds and rows")
    parser.add_argument("--newest", action="store_true", help="as --quick, with three rounds, and kept")
    parser.add_argument("--options", action="store_true", help="only what a user can still switch")
    parser.add_argument("--where", action="store_true", help="only where the time goes, by package")
    parser.add_argument("--rounds", type=int, help="instead of 5 (proxies 3), or 2 with --quick")
    parser.add_argument("--only", default="", help="only rows with this in their key; nothing is written")
    asked = parser.parse_args()
    if asked.newest:
        asked.quick, asked.rounds = True, asked.rounds or 3
    return asked


def _compare(asked: argparse.Namespace, server: Upstream, folder: Path) -> dict[str, Any]:
    full, everything = not asked.quick, not asked.only
    lanes = tuple(lane.name for lane in LANES) if full else scenarios.QUICK_LANES
    known = scenarios.FULL if full else scenarios.quick()
    jobs = [job for job in known if any(asked.only in row for row in job.rows.values())]
    # The rest of a full run takes four to five minutes.
    least, most, seconds = (3, 5, 200) if full else (1, 2, 38)
    rounds = range(asked.rounds or least, asked.rounds or most)
    results: dict[str, Any] = {}
    server.mode(chunks=16, pace=0)
    with workers(lanes, server.base_url, folder) as started:
        say(f"{len(started)} lanes ready")
        figures, remarks = run_jobs(jobs, rounds, seconds, started, server)
        results["rounds"] = max(map(len, figures.values()), default=0)
        if everything:
            figures |= run_probes(started, server, pairs=60 if full else 20)
            _keep(results, figures)
        if full and asked.only in "growth":
            results["growth"] = growth.run(started, server, folder)
            _keep(results, figures)
    if full and asked.only in "proxy":
        figures |= proxies.run(server, folder, asked.rounds or 3)
        _keep(results, figures)
    if full and asked.only in "store":
        figures |= store.run(folder, asked.rounds or 5)
    if full and asked.only in "first-call":
        figures |= fresh.first_steps(asked.rounds or 3, server, folder)
    if full and everything:
        for more, said in (fresh.imports(5, folder), fresh.memory(server, folder)):
            figures |= more
            remarks += said
    return {**results, "remarks": remarks, "rows": report.summary(figures)}


def _keep(results: dict[str, Any], figures: Figures) -> None:
    """What there is so far, for whoever ends a run early."""
    _write("partial", {**results, "rows": report.summary(figures)})


def _write(name: str, results: dict[str, Any]) -> None:
    text = json.dumps(report.rounded(results), indent=1) + "\n"
    (report.RESULTS / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
