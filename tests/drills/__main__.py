"""`make drills`: run every drill, print the table, write docs/drills.md. Words choose drills by name."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import time
from pathlib import Path

from drills import frame

from litellm_qwen_ai.names import LOGGER

# In the order of the table.
MODULES = (
    "races",
    "logins",
    "crashes",
    "endings",
    "stores",
    "clocks",
    "hostile",
    "networks",
    "refusals",
    "fleet",
    "locks",
    "chatgpt",
)
PAGE = Path(__file__).parents[2] / "docs" / "drills.md"
HEAD = """\
# Drills

<!-- Made by `make drills`; do not edit. -->

What a login survives, at full size; `make drills` runs all of it again and fails if a row fails. A short
form of each drill is in `make test`. The server is the sandbox, on the same machine; processes, files,
signals and kills are real. *Worst* is the slowest try: for races, the time from the common start to the
last token, less the time that the server took; else what the drill's name says. It must stay under the bar.
*Lost on its way*: the server had changed the token, and the process was killed before the answer's last
byte had reached it; *lost at its arrival*: in the moment between that and the disk ([design.md](design.md),
"How a token is kept").
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="drills", description=__doc__)
    parser.add_argument("words", nargs="*", help="run only drills whose group or name holds one of these")
    parser.add_argument("--write", action="store_true", help="write docs/drills.md")
    said = parser.parse_args()
    if said.write and said.words:
        parser.error("--write takes all drills, so that the page is whole")
    logging.getLogger(LOGGER).addHandler(logging.NullHandler())  # faults are what is drilled
    for module in MODULES:
        importlib.import_module(f"drills.{module}")
    begun = time.monotonic()
    rows = frame.run(frame.drills(said.words), lambda line: print(line, file=sys.stderr, flush=True))
    took = time.monotonic() - begun
    print(frame.table(rows))
    failed = [row for row in rows if row.failed]
    print(f"{len(rows)} drills, {len(failed)} failed, {took:.0f} s")
    if said.write and not failed:
        PAGE.write_text(frame.page(rows, took, HEAD), encoding="utf-8")
    if took > frame.ALL_IN:
        print(f"Too long: the bar is {frame.ALL_IN:g} s", file=sys.stderr)
    return 1 if failed or not rows or took > frame.ALL_IN else 0


if __name__ == "__main__":
    sys.exit(main())
