"""Environment variables that are `0` or `1`. Light: `import litellm` waits for whatever registering loads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_OFF = frozenset({"0", "false", "no", "off"})


def is_on(name: str, environ: Mapping[str, str] | None = None) -> bool:
    """Whether a switch is on, as all of ours are by default.

    Args:
        name: The variable.
        environ: The variables to read; `os.environ` by default.
    """
    source = os.environ if environ is None else environ
    return source.get(name, "").strip().lower() not in _OFF
