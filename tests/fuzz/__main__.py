"""`make fuzz`: a coverage-guided search (atheris, libFuzzer) for bytes that break a target of `targets.py`.

Each target runs in a process of its own for FUZZ_SECONDS (60 by default), from the corpus in this folder and
the sandbox's answers. `--keep` puts what was found, minimised, into the corpus. An input that breaks a target
is left in `crashes/`, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # LiteLLM fetches nothing
HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
CRASHES = HERE / "crashes"
SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
HANG = 10  # seconds that one input may take
MEMORY = 1500  # MiB that a process may have; LiteLLM alone takes 300
MOST_GROWTH = 64  # MiB between the corpus' being loaded and the end
KEPT = 70  # inputs for each target, smallest first
TARGETS = ("stream", "credentials", "oauth", "errors")
LINE = "{:<12} {:>8} {:>8} {:>11} {:>9} {:>9} {:>11}  {}"


def main() -> int:
    """Fuzz all targets, or the ones named; print a line for each."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"some of: {', '.join(TARGETS)}")
    parser.add_argument("--keep", action="store_true", help="put what was found into the corpus")
    said = parser.parse_args()
    print(LINE.format("target", "corpus", "found", "executions", "branches", "coverage", "growth", "result"))
    results = [_fuzz(target, keep=said.keep) for target in said.targets or TARGETS]
    size = sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file())
    print(f"{SECONDS} s for each; the corpus in the repository has {size / 1000:.0f} kB")
    return 0 if all(results) else 1


def _fuzz(target: str, *, keep: bool) -> bool:
    kept = CORPUS / target
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        work, found = Path(name), Path(name) / "found"
        found.mkdir()
        _write_seeds(target, work)
        log = _run(target, work, f"-max_total_time={SECONDS}", str(found), str(kept), str(work / "seeds"))
        if keep:
            _keep(target, work, kept)
        before = len(list(kept.iterdir()))
        inited = re.search(r"INITED .*rss: (\d+)Mb", log)
        done = re.findall(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)/.*rss: (\d+)Mb", log)
        if not inited or not done:
            print(LINE.format(target, before, "-", "-", "-", "-", "-", "BROKEN: see below"))
            print("\n".join(log.splitlines()[-40:]))
            return False
        executions, branches, features, corpus, rss = map(int, done[-1])
        growth = rss - int(inited[1])
        good = growth <= MOST_GROWTH
        result = "ok" if good else f"MORE THAN {MOST_GROWTH} MiB OF GROWTH"
        print(
            LINE.format(target, before, corpus, executions, branches, features, f"{growth} MiB", result),
            flush=True,
        )
        return good


def _write_seeds(target: str, work: Path) -> None:
    from fuzz.seeds import dictionary, seeds  # noqa: PLC0415  # the fuzzing process must not import us first

    (work / "seeds").mkdir()
    for at, data in enumerate(seeds()[target]):
        (work / "seeds" / str(at)).write_bytes(data)
    (work / "words").write_text(dictionary(), encoding="ascii")


def _run(target: str, work: Path, *arguments: str) -> str:
    CRASHES.mkdir(exist_ok=True)
    limits = [f"-timeout={HANG}", f"-rss_limit_mb={MEMORY}", "-max_len=2048", f"-dict={work / 'words'}"]
    done = subprocess.run(
        [sys.executable, str(HERE / "one.py"), target, *limits, f"-artifact_prefix={CRASHES}/", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if not any(CRASHES.iterdir()):
        CRASHES.rmdir()
    log = done.stdout + done.stderr
    return log if done.returncode == 0 else log.replace("DONE", "BROKEN OFF")


def _keep(target: str, work: Path, kept: Path) -> None:
    """Of all inputs the few, smallest first, that together take every way through our code that all take."""
    from fuzz.ways import ways  # noqa: PLC0415  # as above

    inputs = {
        path.read_bytes() for folder in (work / "found", kept, work / "seeds") for path in folder.iterdir()
    }
    known: set[object] = set()
    chosen = []
    for data in sorted(inputs, key=lambda data: (len(data), data)):
        taken = ways(target, data)
        if not taken <= known and len(chosen) < KEPT:
            known |= taken
            chosen.append(data)
    shutil.rmtree(kept)
    kept.mkdir()
    for data in chosen:
        (kept / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
