"""What a package index shows of README.md."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("hatchling", reason="in the group dev alone")

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HOME = "https://example.com/tree"


@pytest.fixture(scope="module")
def hatch_build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("home", ["", HOME])
def test_no_link_leads_into_a_tree_that_an_index_does_not_have(hatch_build: ModuleType, home: str) -> None:
    shown = hatch_build.for_an_index(README, home)
    links = re.findall(r"\]\(([^)]+)\)", shown)
    assert links
    assert not [link for link in links if not link.startswith(("https://", "#"))]
    assert (f"{HOME}/docs/errors.md" in shown) == bool(home)


def test_without_a_home_the_file_is_named_instead(hatch_build: ModuleType) -> None:
    text = "See [MIT](LICENSE), [docs/a.md](docs/a.md), [e/](e) and [there](docs/b.md#c).\n![P](docs/p.png)\n"
    shown = hatch_build.for_an_index(text, "")
    assert shown.startswith("See MIT (LICENSE), docs/a.md, e/ and there (docs/b.md).\n")
    assert "p.png" not in shown
