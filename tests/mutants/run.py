"""Change the code a little, many times, and see which changes no test notices.

mutmut makes the changes, finds out which tests call the changed function, and runs those in a fork. Here is
what it leaves open: a copy to work in, which mutants say nothing, a sample to be drawn again, what mypy and
the tests of other folders say of those that are left, and the page.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from reasons import EQUIVALENT

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "mutants"
PAGE = ROOT / "docs" / "mutants.md"

HEAD = """# Mutants

<!-- Made by `make mutants`; do not edit. The reasons are in tests/mutants/reasons.py. -->

`make mutants` changes the code a little (another operator, a missing argument, another value), one change
at a time and in a copy of the tree, and runs the tests that call the changed function. One that they let
live is shown to mypy, which `make test` runs too, and then to the tests of other folders. A change that
nothing notices has found a hole in the tests, code that nobody needs, or a difference that cannot be told:
those have a reason below. [mutmut](https://mutmut.readthedocs.io) makes the changes, inside functions
without decorators. Drawn at random, last with seed {seed}, and only what a test should notice. Left out by
rule:

- other words or capitals in a sentence: tests hold what a message must name, not how; what goes to a log;
- annotations, docstrings, and the type in a `cast()`: they do nothing when the code runs;
- a bound of a thousand or more, moved by one; a codec's name in capitals.

A change with which the tests take far longer than without (five times, and 25 seconds) is counted apart: they
may never end, or only take long.

"""

# Those that are about what route/ does.
THROUGH_LITELLM = [
    f"tests/litellm/test_{name}.py"
    for name in (
        "auth",
        "client_side",
        "completion",
        "errors",
        "keys",
        "network",
        "patches",
        "store",
        "telemetry",
    )
]
# The tests that are asked first, and those that a survivor must face then.
TESTS = {
    "chat": (["tests/chat"], ["tests/litellm"]),
    "oauth": (
        ["tests/oauth"],
        [
            *("tests/litellm", "tests/cli"),
            *("tests/test_verbs.py", "tests/test_access.py", "tests/test_notebook.py"),
        ],
    ),
    "route": (
        ["tests/route", *THROUGH_LITELLM],
        ["tests/litellm", "tests/cli/test_doctor.py", "tests/test_accounts.py"],
    ),
    "stores": (
        ["tests/stores"],
        ["tests/oauth", "tests/cli", "tests/test_accounts.py", "tests/test_secrets.py"],
    ),
}
PYTEST = ["-p", "no:cacheprovider", "-m", "not proxy"]
# Tests that measure something else than behaviour, or that look at the source.
LEFT_OUT = {"route": ["--deselect=tests/route/test_registration.py"]}
# How pytest, or mutmut for it, ended. With anything else a test has noticed.
STATUS = {0: "survived", 5: "no tests", 33: "no tests", 36: "timeout", -24: "timeout", -9: "timeout"}
KILLED = 1
REFUSED = 37
"""How mutmut says that a type checker has noticed."""
WIDER_SECONDS = 900
"""Far more than the tests of other folders take on a busy machine."""
BAR = 0.05
"""The share of mutants that may live without a reason."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folders", nargs="*", default=sorted(TESTS), metavar="FOLDER", help=", ".join(sorted(TESTS))
    )
    parser.add_argument("-n", default="45", help="mutants of each folder, or ALL")
    parser.add_argument("--seed", type=int, default=1, help="which ones; those of other seeds stay counted")
    parser.add_argument("--no-wider", action="store_true", help="no tests of other folders")
    parser.add_argument("--write", action="store_true", help=f"make {PAGE.relative_to(ROOT)}")
    asked = parser.parse_args()
    for folder in asked.folders:
        log = (WORK / folder / "mutmut.log").relative_to(ROOT)
        print(f"{folder}: minutes to make mutants and run the tests without any (see {log})", flush=True)
        copy(folder)
        mutmut(folder, "no.such.mutant")  # makes them, and notes which test calls what
        if not (WORK / folder / "mutants" / "mutmut-stats.json").exists():
            sys.exit(f"The tests of {folder} fail without any mutant: see {log}")
        names = sample(folder, sys.maxsize if asked.n == "ALL" else int(asked.n), asked.seed)
        print(f"{folder}: runs the tests with each of {len(names)} mutants", flush=True)
        if names and mutmut(folder, *names):  # without names it would run all
            sys.exit(f"The tests of {folder} fail without any mutant: see {log}")
        face_types(folder)
        if not asked.no_wider:
            face_wider_tests(folder)
        tell(folder)
    left = sum(len(sorted_out(folder)[1]) for folder in asked.folders)
    tried = sum(counted(sorted_out(folder)[0]) for folder in asked.folders)
    if asked.write:
        PAGE.write_text(page(asked.folders, asked.seed), encoding="utf-8")
    if left > BAR * tried:
        sys.exit(f"{left} of {tried} mutants survived: more than {BAR:.0%}.")


def copy(folder: str) -> None:
    """Bring the tree, as it is now, to the place where mutants are made."""
    place = WORK / folder
    # Python forgets a place on its path that is not there when it starts: it would find the installed code.
    (place / "mutants").mkdir(parents=True, exist_ok=True)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        here, there = ROOT / name, place / name
        if here.is_file() and not (there.is_file() and filecmp.cmp(here, there, shallow=False)):
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(here, there)
            if name.startswith("tests/"):  # it may call other functions now
                (place / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    others = [
        path.name
        for path in place.iterdir()
        if path.name not in {"mutants", "tests", "litellm_qwen_ai", "setup.cfg"}
    ]
    settings = {
        "source_paths": ["litellm_qwen_ai"],
        "only_mutate": [f"litellm_qwen_ai/{folder}/*"],
        "do_not_mutate_patterns": [r"\b_log(ger)?\.\w+\("],
        "also_copy": sorted(others),
        "pytest_add_cli_args": [*PYTEST, *LEFT_OUT.get(folder, [])],
        "pytest_add_cli_args_test_selection": TESTS[folder][0],
        "use_git_change_detection": "false",
        # Each mutant in a fork of a process that has run no test, and so misses no thread.
        "process_isolation": "forkserver",
        # Seconds for the tests of a mutant: those without it, and these, times that.
        "timeout_constant": "5",
        "timeout_multiplier": "5",
    }
    lines = [
        f"{name} = {value}" if isinstance(value, str) else f"{name} =\n  " + "\n  ".join(value)
        for name, value in settings.items()
    ]
    (place / "setup.cfg").write_text("[mutmut]\n" + "\n".join(lines) + "\n", encoding="utf-8")


def mutmut(folder: str, *names: str) -> int:
    """Run mutants by name; what it says is in a file, for it draws a spinner. 0: it came to its end."""
    place = WORK / folder
    command = [str(Path(sys.executable).with_name("mutmut")), "run", *names]
    return run(command, place, environment(place), place / "mutmut.log")


def run(command: list[str], cwd: Path, env: dict[str, str], log: Path, limit: float | None = None) -> int:
    """Run a program, and end with it what it has started; returns how it ended, 36 after so many seconds."""
    with log.open("w", encoding="utf-8") as said:
        running = subprocess.Popen(
            command, cwd=cwd, env=env, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            return running.wait(limit)
        except subprocess.TimeoutExpired:
            return 36
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


def environment(place: Path) -> dict[str, str]:
    """Processes that a test starts get the mutant too, wherever they run."""
    return os.environ | {"PYTHONPATH": str(place / "mutants"), "PYTHONDONTWRITEBYTECODE": "1"}


def results(folder: str) -> dict[str, int | None]:
    """Of each mutant how its tests ended; None: not tried."""
    found: dict[str, int | None] = {}
    for meta in sorted((WORK / folder / "mutants").rglob("*.meta")):
        found |= json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    if not found:
        sys.exit(f"mutmut made no mutants of {folder}: see {WORK / folder / 'mutmut.log'}")
    return found


def sample(folder: str, number: int, seed: int) -> list[str]:
    """As many telling ones as asked for, and those that were not killed before: there may be a test now."""
    found = results(folder)
    names = sorted(found)
    random.Random(seed).shuffle(names)  # noqa: S311  # nobody guards anything with it
    fresh: list[str] = []
    for name in names:
        if len(fresh) == number:
            break
        if not why_it_says_nothing(*change(folder, name)):
            fresh.append(name)
    again = [name for name, code in found.items() if code in STATUS]
    return sorted({name for name in fresh if found[name] is None} | set(again))


def change(folder: str, name: str) -> tuple[str, str]:
    """The line as it was and as the mutant has it."""
    lines = difference(folder, name)[1]
    was, now = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return was, now


def difference(folder: str, name: str) -> tuple[Path, list[str]]:
    """The file that a mutant changes, and what `diff` says of the function, without the head."""
    module = Path(*name.split(".")[:-1])
    with contextlib.chdir(WORK / folder):
        path = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
        return path, get_diff_for_mutant(name, path=path).splitlines()[2:]


_TEXT = re.compile(r"""(?<![\w'"])[rbf]{0,2}("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")


def why_it_says_nothing(was: str, now: str) -> str:
    """Why no test should notice it, by a rule; empty for a mutant that one should notice."""
    old, new = ([found[1][1:-1] for found in _TEXT.finditer(line)] for line in (was, now))
    texts = [(a, b) for a, b in zip(old, new, strict=False) if a != b] if len(old) == len(new) else []
    if len(texts) == 1:
        a, b = texts[0]
        if re.search(r"[A-Za-z,.:] |^ | $|^\W*$|[a-z]\.$", a):
            return "other words in a sentence: tests hold what a message must name, not how"
        if a in {"utf-8", "ascii", "utf-16", "latin-1"} and b != f"XX{a}XX":
            return "a codec's name in capitals is the same codec"
    numbers = [
        (int(a), int(b))
        for a, b in zip(*(re.findall(r"\d+", line) for line in (was, now)), strict=False)
        if a != b
    ]
    if numbers and numbers[0][0] > 1000 and numbers[0][1] == numbers[0][0] + 1:
        return "a bound of more than a thousand, moved by one"
    if re.sub(r"\bcast\([^,]*, ", "", was) == re.sub(r"\bcast\([^,]*, ", "", now):
        return "the type in a cast(), which does nothing when it runs"
    return ""


def left_over(folder: str) -> dict[str, int]:
    """Those that nothing has noticed yet, and that have no reason, with how they ended."""
    return {
        name: code
        for name, code in results(folder).items()
        if code is not None and code in STATUS and (folder, *change(folder, name)) not in EQUIVALENT
    }


def face_types(folder: str) -> None:
    """Show each survivor to mypy, and note whom it refuses."""
    names = left_over(folder)
    print(f"{folder}: shows {len(names)} that are left to mypy", flush=True)
    if names and refused_by_types(folder, ""):
        sys.exit(f"mypy refuses the code without any mutant: see {WORK / 'types.log'}")
    note(folder, {name: REFUSED for name in names if refused_by_types(folder, name)})


def face_wider_tests(folder: str) -> None:
    """Run each survivor against what else may call it, and note who falls.

    One falls by tests that fail twice with it, and not without: any other failure is the tests' own.
    """
    names = [name for name, code in left_over(folder).items() if STATUS[code] != "timeout"]
    print(f"{folder}: runs tests of other folders with each of {len(names)} that are left", flush=True)
    for name in names:
        ended = run_tests(folder, name, TESTS[folder][1])
        if ended not in STATUS:
            log = (WORK / folder / "wider.log").read_text(encoding="utf-8")
            failed = sorted(set(re.findall(r"^(?:FAILED|ERROR) (\S+?::.+?)(?: - .*)?$", log, re.MULTILINE)))
            seen = failed and run_tests(folder, name, failed) not in STATUS
            ended = KILLED if seen and run_tests(folder, "", failed) == 0 else 0
        note(folder, {name: ended})


def note(folder: str, ended: dict[str, int]) -> None:
    """Note how mutants ended where mutmut does."""
    for meta in sorted((WORK / folder / "mutants").rglob("*.meta")):
        data = json.loads(meta.read_text(encoding="utf-8"))
        if here := data["exit_code_by_key"].keys() & ended:
            data["exit_code_by_key"] |= {name: ended[name] for name in here}
            meta.write_text(json.dumps(data, indent=4), encoding="utf-8")


def refused_by_types(folder: str, name: str) -> bool:
    """Whether mypy, which is part of `make test`, refuses a mutant; without a name, the code as it is."""
    place = WORK / "types"
    shutil.copytree(ROOT / "litellm_qwen_ai", place / "litellm_qwen_ai", dirs_exist_ok=True)
    shutil.copyfile(ROOT / "pyproject.toml", place / "pyproject.toml")
    if name:
        path, lines = difference(folder, name)
        source = (place / path).read_text(encoding="utf-8")
        was, now = ([line[1:] for line in lines[1:] if line[0] in signs] for signs in (" -", " +"))
        for indent in ("", "    "):  # of a function, or of a method
            old, new = ("\n".join(line and indent + line for line in part) for part in (was, now))
            if source.count(old) == 1:
                break
        else:
            return False  # it stands in several places, or in two: nobody knows, so tests have to notice it
        (place / path).write_text(source.replace(old, new), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "-p", "litellm_qwen_ai"]
    return run(command, place, {**os.environ}, WORK / "types.log") != 0


def run_tests(folder: str, mutant: str, tests: Iterable[str]) -> int:
    """Run tests with a mutant, or with none; returns how they ended: see `STATUS`."""
    place = WORK / folder
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", str(os.cpu_count()), *PYTEST, *tests]
    env = environment(place) | {"MUTANT_UNDER_TEST": mutant}
    return run(command, place / "mutants", env, place / "wider.log", WIDER_SECONDS)


def sorted_out(folder: str) -> tuple[Counter[str], list[tuple[str, str, str]]]:
    """How many ended how, and the survivors that nobody has explained."""
    counts: Counter[str] = Counter()
    left = []
    for name, code in results(folder).items():
        if code is None:
            continue
        was, now = change(folder, name)
        if why_it_says_nothing(was, now):
            continue
        status = "refused" if code == REFUSED else STATUS.get(code, "killed")
        if status != "killed" and (folder, was, now) in EQUIVALENT:
            status = "equivalent"
        elif status == "no tests":
            status = "survived"
        if status == "survived":
            left.append((name, was, now))
        counts[status] += 1
    counts["made"] = len(results(folder))
    return counts, left


def tell(folder: str) -> None:
    counts, left = sorted_out(folder)
    print(f"{folder}: {dict(counts)}")
    for name, was, now in left:
        print(f"  {name}\n    - {was}\n    + {now}")


def page(folders: Iterable[str], seed: int) -> str:
    """Make docs/mutants.md."""
    rows, unexplained = [], []
    totals: Counter[str] = Counter()
    for folder in folders:
        counts, left = sorted_out(folder)
        totals += counts
        rows.append(row(f"`{folder}/`", counts))
        unexplained += [f"- `{name}`: `{was}` becomes `{now}`" for name, was, now in left]
    reasons = [
        f"| `{folder}/` | {code(was)} | {code(now)} | {why} |"
        for (folder, was, now), why in sorted(EQUIVALENT.items())
    ]
    return HEAD.format(seed=seed) + "\n".join(
        [
            "| | Made | Tried | Killed | By mypy alone | Timed out | Cannot be told | Survived |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            row("all", totals),
            "",
            "## Survivors",
            "",
            *(unexplained or ["None."]),
            "",
            "## Cannot be told from the code",
            "",
            "Of every sample that was drawn so far: the table counts fewer.",
            "",
            "| | Line | Mutant | Why |",
            "|---|---|---|---|",
            *reasons,
            "",
        ]
    )


def counted(counts: Counter[str]) -> int:
    return counts.total() - counts["made"]


def row(name: str, counts: Counter[str]) -> str:
    tried = counted(counts)
    part = f"{counts['survived']} ({counts['survived'] / max(tried, 1):.1%})"
    numbers = [counts[each] for each in ("killed", "refused", "timeout", "equivalent")]
    return " | ".join(["", name, *map(str, [counts["made"], tried, *numbers, part]), ""]).strip()


def code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{text.replace('|', chr(92) + '|')}{fence}"


if __name__ == "__main__":
    main()
