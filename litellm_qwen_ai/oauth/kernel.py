"""Whether this program is the kernel of a notebook (Jupyter, VS Code, Colab)."""

from __future__ import annotations

import sys


def in_notebook() -> bool:
    """Whether code runs in cells that can show links and pictures; loads nothing to find out."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None
