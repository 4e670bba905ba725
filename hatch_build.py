"""What a package index shows: the project's addresses, and README.md without what only its own tree can show.

hatchling runs `ForAnIndex` when it builds. The project's address is in one place, `home` in pyproject.toml;
while that is empty there is no address, a link becomes the name of the file, and a picture goes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PICTURE = re.compile(r"!\[([^\]]*)\]\((?!https?:)([^)]*)\)\n*")
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)\s]+)\)")
#: Owner and project come first, and may have these names too.
_TREE = re.compile(r"^(https?://[^/]+/[^/]+/.+?)/(?:tree|blob|src)/")


def for_an_index(readme: str, home: str) -> str:
    """`readme` with links and pictures below `home`, or with the files' names and no pictures without one."""

    def mended(link: re.Match[str]) -> str:
        text, target = link[1], link[2]
        if home:
            return f"[{text}]({_below(home, target)})"
        file = target.partition("#")[0]
        return text if text.strip("`/") == file else f"{text} ({file})"

    def shown(picture: re.Match[str]) -> str:
        return (
            picture[0].replace(f"]({picture[2]})", f"]({_below(as_files(home), picture[2])})") if home else ""
        )

    text = _LINK.sub(mended, _PICTURE.sub(shown, readme))
    return text if home else f"{text}\nThe files that are named here are part of the source distribution.\n"


def addresses(home: str) -> dict[str, str]:
    """What `[project.urls]` would have, by the names that an index knows; nothing without a home."""
    pages = {"Homepage": "", "Documentation": "docs/index.md", "Changelog": "CHANGELOG.md"}
    return {label: _below(home, page) for label, page in pages.items()} if home else {}


def as_files(home: str) -> str:
    """Where a host gives the files themselves, which a picture needs, not pages that show them.

    So do GitHub, GitLab and Forgejo for the address of a tree; any other address stays as it is.
    """
    return _TREE.sub(r"\1/raw/", home)


def _below(home: str, path: str) -> str:
    return f"{home.rstrip('/')}/{path}".rstrip("/")


class ForAnIndex(MetadataHookInterface):
    """Sets the project's `readme` and `urls`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """See `MetadataHookInterface`."""
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        home = self.config["home"]
        text = for_an_index(readme, home)
        metadata["urls"] = addresses(home)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
