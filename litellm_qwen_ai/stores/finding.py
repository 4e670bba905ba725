"""One line of `doctor`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about `name`, and what to do about it.

    Attributes:
        state: `ok`, `warn` or `fail`.
        fix: None when there is nothing to do.
        of_renewal: It says how a renewal stands, so that `doctor` need not try one.
    """

    name: str
    state: str
    text: str
    fix: str | None = None
    of_renewal: bool = False

    def as_dict(self) -> dict[str, str | None]:
        """What `doctor --json` says."""
        return {"name": self.name, "state": self.state, "text": self.text, "fix": self.fix}

    def without_home(self) -> Finding:
        """The same, with the home folder as `~`: its path names a person."""
        return replace(self, text=_homeless(self.text), fix=_homeless(self.fix) if self.fix else None)


def _homeless(text: str) -> str:
    try:
        home = str(Path.home())
    except RuntimeError:
        return text
    return text.replace(home, "~") if len(home) > 1 else text
