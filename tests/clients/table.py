"""From what the clients reported to the table of docs/clients.md."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.metadata import version

from kit_names import CAPABILITIES

MARKS = {"works": "yes", "not offered": "-", "known": "no", "fails": "FAILS"}
TITLES = {
    "chat": "Chat",
    "stream": "Stream",
    "tools": "Tool loop",
    "structured": "Structured output",
    "image": "Image",
}

HEAD = """\
# Clients

<!-- Made by `make test-clients`; do not edit. -->

Real clients, installed from PyPI and run against the sandbox. **In process**: the client calls LiteLLM, and
`import litellm_qwen_ai` stands in the same program. **Proxy**: the client talks to a proxy that runs
`examples/config.yaml`, and knows nothing of Qwen. For every *yes* the answer was checked, and so was what the
sandbox received: the stream that was asked for, the tool's result, the schema, the picture.

"""
TAIL = """
*yes*: works. *no*: does not work, for the reason below. *-*: the client has no such thing.
`make test-clients` runs all of this again, fails if a *yes* no longer holds, and writes this page.
"""


@dataclass
class Result:
    """What came of one capability: `works`, `not offered`, `known` or `fails`, and a remark."""

    outcome: str
    remark: str


@dataclass
class Row:
    """One client."""

    name: str
    way: str
    remark: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)

    def read(self, report: str) -> None:
        """Take in a script's report."""
        for line in report.splitlines():
            said = json.loads(line)
            if "versions" in said:
                self.versions = said["versions"]
            else:
                self.results[said["capability"]] = Result(said["outcome"], said["remark"])

    def missing(self, capability: str, why: str) -> None:
        """Note a capability that was not reported as failed."""
        self.results.setdefault(capability, Result("fails", why))

    def ordered(self) -> list[tuple[str, Result]]:
        """Return the results in the table's order."""
        return [(one, self.results[one]) for one in CAPABILITIES]

    @property
    def failed(self) -> bool:
        """Whether anything failed that should work."""
        return any(result.outcome == "fails" for result in self.results.values())


def page(rows: list[Row]) -> str:
    """Return docs/clients.md."""
    lines = [
        f"| Client | Way | {' | '.join(TITLES[one] for one in CAPABILITIES)} |",
        f"|---|---|{'---|' * len(CAPABILITIES)}",
    ]
    for row in rows:
        marks = " | ".join(MARKS[result.outcome] for _, result in row.ordered())
        lines.append(f"| {_named(row)} | {row.way} | {marks} |")
    with_ = f"\nThe proxy ran on LiteLLM {version('litellm')}, the plugin was {version('litellm-qwen-ai')}.\n"
    return HEAD + "\n".join(lines) + "\n" + with_ + TAIL + _remarks(rows)


def plain(rows: list[Row]) -> str:
    """Return the table for a terminal."""
    wide = max(len(row.name) for row in rows) + 2
    lines = ["".join(["".ljust(wide + 12), *(one.ljust(13) for one in CAPABILITIES)])]
    for row in rows:
        marks = [MARKS[result.outcome].ljust(13) for _, result in row.ordered()]
        lines.append("".join([row.name.ljust(wide), row.way.ljust(12), *marks]))
        lines += [f"    {one}: {result.remark}" for one, result in row.ordered() if result.outcome == "fails"]
    return "\n".join(lines)


def _named(row: Row) -> str:
    own = row.versions.get(row.name)
    others = [f"{name} {number}" for name, number in row.versions.items() if name != row.name]
    name = f"{row.name} {own}" if own else row.name
    return f"{name} ({', '.join(others)})" if others else name


def _remarks(rows: list[Row]) -> str:
    text = "\n## Remarks\n\n"
    for row in rows:
        said = [row.remark] if row.remark else []
        named: dict[str, list[str]] = {}
        for one, result in row.ordered():
            named.setdefault(result.remark, []).append(TITLES[one])
        said += [f"{', '.join(titles)}: {_ended(remark)}" for remark, titles in named.items() if remark]
        if said:
            text += f"- **{row.name}**, {row.way}. {' '.join(said)}\n"
    return text


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
