"""One fuzzing process: `one.py TARGET LIBFUZZER-OPTIONS...`; started by `make fuzz`."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris
import litellm  # noqa: F401  # first, so that only our own modules are instrumented

sys.path.append(str(Path(__file__).parents[1]))
with atheris.instrument_imports(include=["litellm_qwen_ai"]):
    from fuzz.targets import TARGETS

atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
atheris.Fuzz()
