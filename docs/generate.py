"""Makes the parts of README.md and of the pages of docs/ that could go stale, and pictures of terminals.

`make docs` writes them, a test compares. A part stands between `<!-- made: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

# Neither bench nor what stands beside this file is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import error_table
import ran_on
import terminal
import transcripts

from bench import missed, options, report, where
from litellm_qwen_ai import settings
from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.cli.commands import app
from litellm_qwen_ai.models import CATALOGUE
from litellm_qwen_ai.oauth import errors
from litellm_qwen_ai.plans import AS_OF, PLANS

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
IMAGES = ROOT / "docs" / "images"
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


def plans() -> str:
    """The table of the plans that keys are issued for."""
    rows = [
        f"| `--plan` | Plan | Base URL | Keys | Its terms allow ({AS_OF}) |",
        "|---|---|---|---|---|",
    ]
    for plan in PLANS:
        keys = ", ".join(f"`{begin}`" for begin in plan.keys)
        rows.append(
            f"| `{plan.name}` | {plan.title} | `{plan.base_url}` | {keys} | [{plan.allows}]({plan.source}) |"
        )
    return "\n".join(rows) + "\n"


def config(name: str) -> str:
    """A proxy's configuration, as shipped in examples/."""
    text = (ROOT / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
    return f"```yaml\n{text}```\n"


def help_text() -> str:
    """What `litellm-qwen-ai --help` prints."""
    return transcripts.console("--help", transcripts.help_of())


def commands() -> str:
    """The help of every command, each below a heading."""
    parts = []
    for name in [name for name, command in app.commands.items() if not command.hidden]:
        text = transcripts.console(f"{name} --help", transcripts.help_of(name))
        parts.append(f"## {name}\n\n{text}")
    return "\n".join(parts)


def variables(page: Path) -> str:
    """The table of the environment variables, which settings.py begins with."""
    rows = re.findall(r"^\|.*\|$", settings.__doc__ or "", re.MULTILINE)
    return "\n".join(rows).replace("(docs/", f"({_root(page)}docs/") + "\n"


def exit_codes() -> str:
    """The table of the exit codes."""
    rows = [f"| {code} | {meaning} |" for code, meaning in exits.MEANINGS.items()]
    return "\n".join(["| Exit code | Meaning |", "|---|---|", *rows]) + "\n"


def call_errors(page: Path) -> str:
    """The table of the errors of a call."""
    rows = ["| The text says | Exception | What to do |", "|---|---|---|"]
    rows += [f"| `{text}` | `{kind}` | {advice} |" for text, kind, advice in error_table.CALLS]
    return _with_links("\n".join(rows) + "\n", page)


def command_errors(page: Path) -> str:
    """The table of the errors of a command."""
    rows = ["| The text says | Exit code | What to do |", "|---|---|---|"]
    rows += [f"| `{text}` | {code} | {advice} |" for text, code, advice in error_table.COMMANDS]
    return _with_links("\n".join(rows) + "\n", page)


def error_tree() -> str:
    """The exceptions of the login, as the module's docstring draws them."""
    drawn = (errors.__doc__ or "").split("\n\n")[1]
    return f"```\n{textwrap.dedent(drawn)}\n```\n"


def login_codes() -> str:
    """The codes of a `LoginError`, as the module's docstring lists them."""
    return "\n".join(re.findall(r"^\|.*\|$", errors.__doc__ or "", re.MULTILINE)) + "\n"


def _with_links(text: str, page: Path) -> str:
    readme = "" if page == README else f"{_root(page)}README.md"
    text = text.replace("{state}", error_table.STATE.format(readme=readme))
    return text.replace("{rest}", error_table.REST)


def _root(page: Path) -> str:
    return "" if page == README else "../"


def speed() -> str:
    """The benchmark's table, from the last full run that was committed."""
    results = report.last()
    reading, machine, *_ = report.notes(results)
    return f"{report.as_markdown(results)}\n{reading} {machine}.\n"


def newest() -> str:
    """The quick rows on the newest LiteLLM."""
    results = report.stored("newest")
    return f"{report.targets(results)}\n{report.notes(results)[1]}; {results['rounds']} rounds.\n"


def versions() -> str:
    """What the package runs with, as far as its tests have shown."""
    ran = json.loads(ran_on.RECORD.read_text(encoding="utf-8"))
    minors = [python.rpartition(".")[0] for python in ran["python"]]
    oldest = ran["litellm"][0].rpartition(".")[0]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (of_proxy,) = re.findall(r'"litellm\[proxy\]>=([\d.]+)"', project)
    clients = "the OpenAI and Anthropic SDKs, LangChain, dspy, smolagents, openai-agents and more"
    rows = {
        "Python": f"{minors[0]} to {minors[-1]}; the tests ran on {_listed(ran['python'])}",
        "LiteLLM": f"{oldest} and later, for its proxy {of_proxy}; "
        f"the tests ran on {_listed(ran['litellm'])}, "
        f"those of its proxy on {_listed(ran['proxy'])}",
        "Clients": f"{clients}: [docs/clients.md](docs/clients.md)",
        "Systems": "developed and tested on Linux; nothing is bound to it",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {what} |" for name, what in rows.items())]) + "\n"


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


#: What makes each part; of the page that it is for.
PARTS: dict[str, Callable[[Path], str]] = {
    "models": lambda _page: models(),
    "plans": lambda _page: plans(),
    "config": lambda _page: config("config"),
    "aliases": lambda _page: config("aliases"),
    "model-studio": lambda _page: config("model_studio"),
    "help": lambda _page: help_text(),
    "commands": lambda _page: commands(),
    "login": lambda _page: transcripts.console("login", transcripts.login()),
    "status": lambda _page: transcripts.console("status", transcripts.status()),
    "doctor": lambda _page: transcripts.console("doctor", transcripts.doctor()),
    "two-steps": lambda _page: f"```console\n{terminal.plain(transcripts.two_steps())}```\n",
    "accounts": lambda _page: transcripts.console("accounts", transcripts.accounts()),
    "import": lambda _page: transcripts.console("login --import ~/.qwen", transcripts.taken_over()),
    "variables": variables,
    "exit-codes": lambda _page: exit_codes(),
    "errors": call_errors,
    "command-errors": command_errors,
    "error-tree": lambda _page: error_tree(),
    "login-codes": lambda _page: login_codes(),
    "versions": lambda _page: versions(),
    "speed": lambda _page: speed(),
    "targets": lambda _page: report.targets(report.last()),
    "newest": lambda _page: newest(),
    "missed": lambda _page: missed.as_markdown(report.last(), report.stored("where")["places"]),
    "where": lambda _page: where.as_markdown(report.stored("where")["places"]),
    "options": lambda _page: options.as_markdown(report.stored("options")),
    "growth": lambda _page: report.growth(report.last()),
    "notes": lambda _page: "\n".join(f"- {note}" for note in report.notes(report.last())) + "\n",
}
#: What is drawn, too: file name -> title and screen.
PICTURES: dict[str, tuple[str, Callable[[], str]]] = {
    "login.svg": ("litellm-qwen-ai login", transcripts.waiting),
}


def pages() -> list[Path]:
    """README.md and every page of docs/ that has a made part."""
    found = [README, *sorted((ROOT / "docs").glob("*.md"))]
    return [page for page in found if PART.search(page.read_text(encoding="utf-8"))]


def made(text: str, page: Path = README) -> str:
    """`text` with every part made anew, for the page that it stands on."""

    def fresh(match: re.Match[str]) -> str:
        return f"{match[1]}{PARTS[match['name']](page)}{match[4]}"

    return PART.sub(fresh, text)


def main() -> None:
    """Write every page and every picture of a terminal."""
    for page in pages():
        page.write_text(made(page.read_text(encoding="utf-8"), page), encoding="utf-8")
    for name, (title, screen) in PICTURES.items():
        terminal.picture(screen(), IMAGES / name, title=title, columns=transcripts.COLUMNS)


if __name__ == "__main__":
    main()
