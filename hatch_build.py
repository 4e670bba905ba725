"""What a package index shows: README.md without what can be followed in the project's own tree only.

hatchling runs `ForAnIndex` when it builds. The project's address is in one place, `home` in pyproject.toml;
while that is empty, a link becomes the name of the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PICTURE = re.compile(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*")
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)\s]+)\)")


def for_an_index(readme: str, home: str) -> str:
    """`readme` with links below `home` to the project's files, or with their names without one."""

    def mended(link: re.Match[str]) -> str:
        text, target = link[1], link[2]
        if home:
            return f"[{text}]({home.rstrip('/')}/{target})"
        file = target.partition("#")[0]
        return text if text.strip("`/") == file else f"{text} ({file})"

    text = _LINK.sub(mended, _PICTURE.sub("", readme))
    return text if home else f"{text}\nThe files that are named here are part of the source distribution.\n"


class ForAnIndex(MetadataHookInterface):
    """Sets the project's `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """See `MetadataHookInterface`."""
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = for_an_index(readme, self.config["home"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
