"""What a package index shows of README.md."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

metadata: Any = pytest.importorskip("hatchling.metadata.core", reason="in the group dev alone")
plugins: Any = pytest.importorskip("hatchling.plugin.manager")

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HOME = "https://example.com/owner/project/tree/main"
RAW = "https://example.com/owner/project/raw/main"


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


@pytest.mark.parametrize("home", ["", HOME, f"{HOME}/"])
def test_the_one_place_fills_the_addresses_and_the_page(tmp_path: Path, home: str) -> None:
    for name in ("README.md", "LICENSE", "hatch_build.py", "litellm_qwen_ai/_version.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(re.sub("(?m)^home = .*$", f'home = "{home}"', project), "utf-8")
    core = metadata.ProjectMetadata(str(tmp_path), plugins.PluginManager()).core
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", core.readme)
    if not home:
        assert (core.urls, pictures) == ({}, [])
        return
    assert core.urls == {
        "Homepage": HOME,
        "Documentation": f"{HOME}/docs/index.md",
        "Changelog": f"{HOME}/CHANGELOG.md",
    }
    named = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert named
    assert pictures == [f"{RAW}/{one}" for one in named]
    files = [url.removeprefix(HOME) for url in core.urls.values()]
    assert all((ROOT / file.lstrip("/")).exists() for file in files)


@pytest.mark.parametrize(
    ("home", "files"),
    [
        ("https://github.com/o/p/tree/main", "https://github.com/o/p/raw/main"),
        ("https://github.com/o/tree/blob/v1", "https://github.com/o/tree/raw/v1"),
        ("https://gitlab.com/o/g/p/-/tree/main", "https://gitlab.com/o/g/p/-/raw/main"),
        ("https://codeberg.org/o/p/src/branch/main", "https://codeberg.org/o/p/raw/branch/main"),
        ("https://example.com/files", "https://example.com/files"),
    ],
)
def test_a_picture_is_a_file_and_no_page_that_shows_one(
    hatch_build: ModuleType, home: str, files: str
) -> None:
    assert hatch_build.as_files(home) == files
