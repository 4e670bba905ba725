"""Which way an input takes through our code: pairs of lines that followed each other."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz.targets import TARGETS

import litellm_qwen_ai

_OURS = str(Path(litellm_qwen_ai.__file__).parent)


def ways(target: str, data: bytes) -> set[object]:
    """The pairs (file, line, next line) of one run."""
    taken: set[object] = set()

    def enter(frame: FrameType, _event: str, _argument: Any) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(_OURS):
            return None
        last = 0

        def step(frame: FrameType, _event: str, _argument: Any) -> Any:
            nonlocal last
            taken.add((file, last, frame.f_lineno))
            last = frame.f_lineno
            return step

        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        TARGETS[target](data)
    finally:
        sys.settrace(before)
    return taken
