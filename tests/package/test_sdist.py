"""What the source distribution holds."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

sdist: Any = pytest.importorskip("hatchling.builders.sdist", reason="in the group dev alone")

ROOT = Path(__file__).parents[2]
LARGEST = 457_000  # bytes: a third of what it had with tests and pictures in full colour in it
_LINK = re.compile(r"\]\((?!https?:|#)([^)\s#]+)")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = sdist.SdistBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("dist")))
    return Path(path)


@pytest.fixture(scope="module")
def files(built: Path) -> set[str]:
    with tarfile.open(built) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_it_is_small(built: Path) -> None:
    assert built.stat().st_size < LARGEST


def test_every_link_of_a_page_in_it_leads_to_a_file_in_it(files: set[str]) -> None:
    pages = [name for name in files if name.endswith(".md")]
    assert {"README.md", "docs/index.md"} <= set(pages)
    dead = []
    for page in pages:
        for link in _LINK.findall((ROOT / page).read_text(encoding="utf-8")):
            target = (ROOT / page).parent.joinpath(link).resolve().relative_to(ROOT).as_posix()
            if target not in files and not any(name.startswith(f"{target}/") for name in files):
                dead.append(f"{page}: {link}")
    assert not dead


def test_a_wheel_can_be_built_from_it(files: set[str]) -> None:
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "litellm_qwen_ai").rglob("*.py")}
    assert package | {"pyproject.toml", "hatch_build.py", "LICENSE", "examples/config.yaml"} <= files
