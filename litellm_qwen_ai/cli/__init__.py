"""The command line, `litellm-qwen-ai`. Prompts and errors go to stderr, data to stdout."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # true for mypy; see `litellm_qwen_ai/__init__.py`
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code; the arguments are those of the process by default."""
    try:
        from litellm_qwen_ai.cli.commands import run  # noqa: PLC0415  # inside, for Ctrl-C while modules load

        code = run(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("\nCancelled; nothing was changed.\n")
        code = 2  # `exits.CANCELLED`, which may not have been loaded
    sys.exit(code)
