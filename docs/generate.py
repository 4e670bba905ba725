"""Makes the parts of README.md and performance.md that could go stale: `make docs` writes, a test compares.

A part stands between `<!-- made: NAME -->` and `<!-- end -->`. Transcripts come from real runs against the
sandbox, with this machine's addresses and paths replaced by those that a user would see.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))  # bench is no installed package

from bench import report
from litellm_qwen_ai.models import CATALOGUE
from litellm_qwen_ai.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PERFORMANCE = ROOT / "docs" / "performance.md"
USERS_FOLDER = "/home/you/.config/litellm/qwen_ai"
USERS_CODE = "K7QX2MPB"
USERS_SERVER = "https://chat.qwen.ai"
PART = re.compile(r"(<!-- made: (?P<name>[a-z-]+) -->\n)(?P<text>.*?)(<!-- end -->)", re.DOTALL)


def models() -> str:
    """The table of models."""
    rows = ["| Model | Context | Output | Takes | |", "|---|---|---|---|---|"]
    for model in CATALOGUE:
        takes = ["text"]
        takes += ["images"] * model.vision + ["video"] * model.video
        takes += ["tools"] * model.tools + ["thinking"] * model.reasoning
        rows.append(
            f"| `{model.route}` | {model.max_input_tokens:,} | {model.max_output_tokens:,} "
            f"| {', '.join(takes)} | {model.description} |"
        )
    return "\n".join(rows) + "\n"


def config() -> str:
    """The proxy's configuration, as shipped."""
    text = (ROOT / "examples" / "config.yaml").read_text(encoding="utf-8")
    return f"```yaml\n{text}```\n"


def help_text() -> str:
    """What `litellm-qwen-ai --help` prints."""
    return _console([["--help"]])


def login() -> str:
    """A login, from start to end."""
    return _console([["login"]])


def status() -> str:
    """What `status` says after a login."""
    return _console([["status"]], logged_in=True)


def speed() -> str:
    """The benchmark's table, from the last full run that was committed."""
    results = report.last()
    reading, machine, *_ = report.notes(results)
    return f"{report.as_markdown(results)}\n{reading} {machine}.\n"


PARTS: dict[str, Callable[[], str]] = {
    "models": models,
    "config": config,
    "help": help_text,
    "login": login,
    "status": status,
    "speed": speed,
}
#: Those of docs/performance.md.
SPEED_PARTS: dict[str, Callable[[], str]] = {
    "targets": lambda: report.targets(report.last()),
    "growth": lambda: report.growth(report.last()),
    "notes": lambda: "\n".join(f"- {note}" for note in report.notes(report.last())) + "\n",
}


def made(text: str) -> str:
    """`text` with every part made anew."""
    makers = {**PARTS, **SPEED_PARTS}

    def fresh(match: re.Match[str]) -> str:
        return f"{match[1]}{makers[match['name']]()}{match[4]}"

    return PART.sub(fresh, text)


def _console(commands: list[list[str]], *, logged_in: bool = False) -> str:
    with tempfile.TemporaryDirectory() as folder, Sandbox(auto_approve=True, interval=1) as sandbox:
        token_dir = Path(folder) / "tokens"
        if logged_in:
            sandbox.write_credentials(token_dir)
        lines = []
        for arguments in commands:
            lines.append(f"$ litellm-qwen-ai {' '.join(arguments)}")
            lines.append(_run(arguments, sandbox, token_dir))
    return "```console\n" + "\n".join(lines) + "```\n"


def _run(arguments: list[str], sandbox: Sandbox, token_dir: Path) -> str:
    program = Path(sys.executable).parent / "litellm-qwen-ai"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QWEN_")}
    done = subprocess.run(  # noqa: S603  # our own program
        [str(program), *arguments],
        env={**inherited, **sandbox.environment(token_dir), "COLUMNS": "100", "TERM": "dumb"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return as_a_user_sees_it(done.stdout, sandbox, token_dir)


def as_a_user_sees_it(text: str, sandbox: Sandbox, token_dir: Path) -> str:
    """A transcript without this machine's addresses, paths, codes and times."""
    text = text.replace(str(token_dir), USERS_FOLDER).replace(sandbox.url, USERS_SERVER)
    text = text.replace(f"{USERS_SERVER}/v1", "https://portal.qwen.ai/v1")
    for code in re.findall(r"user_code=([\w-]+)", text):
        text = text.replace(code, USERS_CODE)
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?", "2026-01-31 18:00", text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


if __name__ == "__main__":
    for page in (README, PERFORMANCE):
        page.write_text(made(page.read_text(encoding="utf-8")), encoding="utf-8")
