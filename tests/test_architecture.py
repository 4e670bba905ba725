"""The house plan of docs/design.md, held to be true."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import litellm_qwen_ai

PACKAGE = Path(litellm_qwen_ai.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
WINGS = ("oauth", "chat", "sandbox")
LONGEST_MODULE = 430  # lines


def _imports(path: Path, *, top_level: bool = False) -> set[str]:
    """Every module that a file imports, with what it imports from it, as dotted names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return found


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_imports_neither_another_wing_nor_the_hall(wing: str) -> None:
    allowed = {"litellm_qwen_ai", "litellm_qwen_ai._version"}
    if wing == "chat":
        allowed |= {"litellm_qwen_ai._litellm", "litellm_qwen_ai._litellm.need"}  # a list, no room
    for path in (PACKAGE / wing).rglob("*.py"):
        foreign = {
            name
            for name in _imports(path)
            if name.startswith("litellm_qwen_ai.")
            and not name.startswith((f"litellm_qwen_ai.{wing}", "litellm_qwen_ai._version"))
        }
        assert foreign <= allowed, f"{_name(path)} imports {sorted(foreign)}"


@pytest.mark.parametrize("room", ["oauth", "cli", "sandbox"])
def test_login_command_line_and_sandbox_do_not_import_litellm(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        assert not {name for name in _imports(path) if name.split(".")[0] == "litellm"}, _name(path)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


def test_only_documented_names_of_litellm_are_used_by_their_name() -> None:
    documented = {"litellm", "litellm.exceptions", "litellm.llms.custom_llm", "litellm.types.utils"}
    for path in MODULES:
        allowed = documented | ({"litellm.main"} if path.name == "host.py" else set())
        modules = {
            node.module or ""
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
        }
        modules |= {name for name in _imports(path) if f"import {name}\n" in path.read_text(encoding="utf-8")}
        used = {name for name in modules if name.split(".")[0] == "litellm"}
        assert used <= allowed, f"{_name(path)}: look {sorted(used - allowed)} up with _litellm.py"


def test_importing_the_package_imports_neither_litellm_nor_anything_heavy() -> None:
    heavy = ("litellm", "httpx", "pydantic", "aiohttp", "click", "asyncio")
    code = f"import sys, litellm_qwen_ai; print([m for m in {heavy!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_registering_loads_the_front_of_the_house_only_and_no_package_besides_litellms() -> None:
    code = (
        "import sys, litellm; before = set(sys.modules); import litellm_qwen_ai;"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('litellm.')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = ["_litellm", "_registration", "_version", "host", "models", "provider", "switches"]
    assert out.stdout.split() == ["litellm_qwen_ai", *(f"litellm_qwen_ai.{name}" for name in ours)]


def test_the_public_names_are_these() -> None:
    assert litellm_qwen_ai.__all__ == [
        "ConfigurationError",
        "CorruptCredentialsError",
        "Credentials",
        "FileStore",
        "LockTimeoutError",
        "LoginCancelledError",
        "LoginDeniedError",
        "LoginError",
        "LoginExpiredError",
        "LoginRefusedError",
        "LoginTimedOutError",
        "NotLoggedInError",
        "QwenAI",
        "QwenAuthError",
        "ReadOnlyStoreError",
        "RefreshError",
        "Session",
        "StoreError",
        "__version__",
        "device_login",
        "handler",
        "register",
    ]
    for name in litellm_qwen_ai.__all__:
        assert getattr(litellm_qwen_ai, name) is not None
    assert set(litellm_qwen_ai.__all__) <= set(dir(litellm_qwen_ai))
    with pytest.raises(AttributeError, match="no_such_name"):
        litellm_qwen_ai.no_such_name  # noqa: B018  # the access is the test


def test_no_pth_file_is_shipped() -> None:
    assert not list(PACKAGE.parent.glob("*.pth"))
