"""What `make site` would miss: Sphinx itself fails over what is wrong in a page."""

from __future__ import annotations

import re

import litellm_qwen_ai
from tests.docs.pages import ROOT, site


def test_every_page_and_every_part_of_the_api_is_in_the_navigation() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^[\w./]+$", site().navigation(index), re.MULTILINE))
    pages = {path.relative_to(ROOT).with_suffix("").as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert named == pages | {"docs/api/index", "CONTRIBUTING", "SECURITY", "CHANGELOG"}
    parts = re.findall(r"^   (\w+)$", (ROOT / "docs" / "api" / "index.rst").read_text("utf-8"), re.MULTILINE)
    assert {*parts, "index"} == {path.stem for path in (ROOT / "docs" / "api").glob("*")}


def test_every_public_name_is_in_the_api() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "api").glob("*.rst"))
    named = re.findall(r"^\.\. (?:auto\w+|py:data):: (\w+)", text, re.MULTILINE)
    assert not set(litellm_qwen_ai.__all__) - set(named) - {"__version__"}
