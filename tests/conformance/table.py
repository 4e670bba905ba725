"""What came of the suites, as docs/conformance.md and for a terminal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version

from suites import ABSENT, Suite

OURS, OTHER = "qwen_ai", "dashscope"
HEAD = """# Conformance

<!-- Made by `make conformance`; do not edit. -->

Suites that others wrote, at a pinned version from PyPI, run against an obedient sandbox
([testing.md](testing.md)): once at `qwen_ai/` with a login, once at LiteLLM's `dashscope/` with a key.
What fails at both is not ours; the rest must pass here. **In process**: the suite calls LiteLLM.
**Proxy**: it talks HTTP to a `litellm` proxy, and knows nothing of Qwen. **LiteLLM**: the one that
answered, in process that of the suite's own environment.

"""
TAIL = """
`make conformance` runs all of this again, fails if something more fails only here, and writes this page.
"""


@dataclass
class Row:
    """A suite, the LiteLLM that it ran on, and for each route the outcome and the reason of each test."""

    suite: Suite
    results: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    trouble: str = ""
    litellm: str = ""

    def counts(self, route: str) -> str:
        """Return `passed / failed / skipped`."""
        found = Counter(outcome for outcome, _ in self.results.get(route, {}).values())
        return f"{found['passed']} / {found['failed']} / {found['skipped']}"

    @property
    def only_here(self) -> dict[str, str]:
        """What fails at our route and passes at the other one, and with which words."""
        other = self.results.get(OTHER, {})
        return {
            short(name): reason
            for name, (outcome, reason) in self.results.get(OURS, {}).items()
            if outcome == "failed" and other.get(name, ("", ""))[0] == "passed"
        }

    @property
    def only_there(self) -> list[str]:
        """What fails at the other route and passes at ours."""
        ours = self.results.get(OURS, {})
        return [
            short(name)
            for name, (outcome, _) in self.results.get(OTHER, {}).items()
            if outcome == "failed" and ours.get(name, ("", ""))[0] == "passed"
        ]

    @property
    def unexpected(self) -> dict[str, str]:
        """What fails only here and is not known to."""
        return {name: why for name, why in self.only_here.items() if name not in self.suite.known}


def short(name: str) -> str:
    """Return a test's name without its file."""
    return name.partition("::")[2] or name


def page(rows: list[Row]) -> str:
    """Return docs/conformance.md."""
    results = f"`{OURS}/` passed / failed / skipped | `{OTHER}/` the same"
    lines = [f"| Suite | Way | LiteLLM | {results} | Fails only here |", "|---|---|---|---|---|---|"]
    for row in rows:
        suite = row.suite
        name = f"{suite.package} {suite.version}, {suite.title}"
        ours, other = (row.counts(OURS), row.counts(OTHER)) if not row.trouble else ("-", "-")
        cells = [name, suite.way, row.litellm or "-", ours, other, str(len(row.only_here) or "-")]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [f"| {name} | - | - | - | - | cannot be had: see below |" for name in ABSENT]
    with_ = f"\nThe plugin was {version('litellm-qwen-ai')}.\n"
    return HEAD + "\n".join(lines) + "\n" + with_ + TAIL + _remarks(rows) + _differences(rows)


def plain(rows: list[Row]) -> str:
    """Return the table for a terminal, with what must be looked at."""
    lines = []
    for row in rows:
        lines.append(
            f"{row.suite.package} {row.suite.version}, {row.suite.title}, on LiteLLM {row.litellm} "
            "(passed / failed / skipped)"
        )
        lines += [f"    {row.trouble}"] if row.trouble else []
        lines += [f"    {route}/: {row.counts(route)}" for route in (OURS, OTHER) if not row.trouble]
        lines += [f"    known, only here: {name}" for name in row.only_here if name in row.suite.known]
        lines += [f"    ONLY HERE: {name}: {why}" for name, why in row.unexpected.items()]
    return "\n".join(lines)


def _remarks(rows: list[Row]) -> str:
    said = [(f"{row.suite.package}, {row.suite.title}", row.trouble or row.suite.remark) for row in rows]
    said += list(ABSENT.items())
    return "\n## Remarks\n\n" + "".join(f"- **{name}**. {remark}\n" for name, remark in said if remark)


def _differences(rows: list[Row]) -> str:
    text = ""
    for row in rows:
        for reason in dict.fromkeys(row.suite.known.get(name, why) for name, why in row.only_here.items()):
            named = [name for name, why in row.only_here.items() if row.suite.known.get(name, why) == reason]
            text += f"- **{row.suite.package}**: {', '.join(f'`{one}`' for one in named)}. {reason}.\n"
        if row.only_there:
            text += f"- **{row.suite.package}**, fails only at `{OTHER}/`: "
            text += ", ".join(f"`{one}`" for one in row.only_there) + ".\n"
    return "\n## Differences\n\n" + (text or "None.\n")
