"""The docs site: what `make site` has Sphinx build, from the project's root, so that every link works.

README.md is its home. What is in the navigation, and in which order, docs/index.md says.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from litellm_qwen_ai import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]

project = "litellm-qwen-ai"
html_title = f"{project} {__version__}"
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "docs/api/*.rst"]
exclude_patterns = [".*", "bench", "build", "dist", "examples", "litellm_qwen_ai", "site", "tests"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

myst_heading_anchors = 4  # as deep as links to headings go
default_role = "py:obj"  # a name in a docstring leads to that name, if it has a place in the pages
add_module_names = False
python_maximum_signature_line_length = 80
python_display_short_literal_types = True
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_use_rtype = False
napoleon_custom_sections = [("The function raises", "params_style")]

html_theme = "furo"
html_show_copyright = html_show_sourcelink = html_copy_source = False

_HOME = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=README.html">\n'
_LINK = re.compile(r"\[([^\]]+)\]\(([\w./-]+)\)")
#: What a page would load from elsewhere. A link is only followed by who wants to.
_LOADED = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*(?:src|href)="(?:https?:)?//[^>]*>""")


def navigation(index: str) -> str:
    """The tables of docs/index.md as Sphinx's own table of contents."""
    text = "\n```{toctree}\n:hidden:\n\ndocs/index\n```\n"
    for title, rows in re.findall(r"^\| ([^|]+) \| \|\n\|---\|---\|\n((?:\|.*\n?)+)", index, re.MULTILINE):
        links = re.findall(r"\]\(([^)]+)\.(?:md|rst)\)", rows)
        pages = "\n".join(link[3:] if link.startswith("../") else f"docs/{link}" for link in links)
        text += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{pages}\n```\n"
    return text


def _read(app: Sphinx, page: str, text: list[str]) -> None:
    folder = Path(app.srcdir, page).parent

    def mended(link: re.Match[str]) -> str:
        # A folder can be opened in the project's tree, and not on the site.
        return link[1] if (folder / link[2]).is_dir() else link[0]

    text[0] = _LINK.sub(mended, text[0])
    if page == root_doc:
        text[0] += navigation((ROOT / "docs" / "index.md").read_text(encoding="utf-8"))


def _finished(app: Sphinx, fault: Exception | None) -> None:
    if fault is not None:
        return
    for page in Path(app.outdir).rglob("*.html"):
        if found := _LOADED.search(page.read_text(encoding="utf-8")):
            raise RuntimeError(f"{page} loads from elsewhere: {found[0]}")
    (Path(app.outdir) / "index.html").write_text(_HOME, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """What Sphinx calls first."""
    app.connect("source-read", _read)
    app.connect("build-finished", _finished)
