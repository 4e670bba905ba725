"""What every client is asked to do, in the order of the table."""

from __future__ import annotations

CAPABILITIES = ("chat", "stream", "tools", "structured", "image")
