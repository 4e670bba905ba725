"""Notes what the tests ran on: `make test-all` ends with it, and `docs/generate.py` tells it in README.md.

python docs/ran_on.py VENV...
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

RECORD = Path(__file__).with_suffix(".json")
#: Where `make` leaves out the tests of a real proxy.
WITHOUT_PROXY = {".venv-oldest"}
_ASK = "import platform, importlib.metadata as m; print(platform.python_version(), m.version('litellm'))"


def number(version: str) -> tuple[int, ...]:
    """A version's numbers, to sort by."""
    return tuple(map(int, version.split(".")))


def note(venvs: list[Path]) -> None:
    """Write down the versions in virtual environments whose tests have passed."""
    found: dict[str, set[str]] = {"python": set(), "litellm": set(), "proxy": set()}
    for venv in venvs:
        asked = [str(venv / "bin" / "python"), "-c", _ASK]
        python, litellm = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603  # the environments of `make`
        found["python"].add(python)
        found["litellm"].add(litellm)
        if venv.name not in WITHOUT_PROXY:
            found["proxy"].add(litellm)
    kept = {name: sorted(versions, key=number) for name, versions in found.items()}
    RECORD.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    note([Path(name) for name in sys.argv[1:]])
