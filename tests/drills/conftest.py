"""Lets the short forms import the drills as `drills.<module>`, as `make drills` does."""

from __future__ import annotations

import sys
from pathlib import Path

_TESTS = str(Path(__file__).parents[1])
if _TESTS not in sys.path:
    sys.path.append(_TESTS)  # last: nothing in tests/ may hide a package
