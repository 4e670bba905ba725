"""Prints what the installed LiteLLM needs for its proxy and for tools, for `pip install --requirement`.

Without LiteLLM's own further packages: it pins one release of each, which not every index has.
"""

from __future__ import annotations

from importlib.metadata import requires

from packaging.requirements import Requirement


def needs(listed: list[str]) -> list[str]:
    """Of a package's requirements those of its extras `proxy` and `mcp`, and those that it always has."""
    found = []
    for line in listed:
        need = Requirement(line)
        extras = ("", "proxy", "mcp")
        wanted = need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras)
        if wanted and not need.name.startswith("litellm-"):
            need.marker = None
            found.append(str(need))
    return found


if __name__ == "__main__":
    print(*needs(requires("litellm") or []), sep="\n")
