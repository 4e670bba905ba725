"""The pages that users read, and the blocks in them."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands of a `bash` block; lines that go on are one."""
        lines = self.text.replace("\\\n", " ").splitlines() if self.language == "bash" else []
        return [re.sub(r"\s+#.*$", "", line) for line in lines if line and not line.startswith("#")]

    def __str__(self) -> str:
        lines = [line for line in self.text.splitlines() if line and not line.startswith(("import", "from"))]
        return f"{self.page}: {lines[0][:50]}"


BLOCKS = [
    Block(page.relative_to(ROOT).as_posix(), language, text)
    for page in PAGES
    for language, text in _BLOCK.findall(page.read_text(encoding="utf-8"))
]


def generator() -> ModuleType:
    """docs/generate.py."""
    return _loaded("generate")


def error_table() -> ModuleType:
    """docs/error_table.py."""
    return _loaded("error_table")


def site() -> ModuleType:
    """docs/conf.py."""
    return _loaded("conf")


def _loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
