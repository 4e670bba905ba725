"""The floors of docs/design.md, held to be true."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import litellm_qwen_ai

PACKAGE = Path(litellm_qwen_ai.__file__).parent
#: From the top down. What stands on a floor may import what stands below it, and itself; nothing else.
FLOORS = (
    ("cli",),
    ("demo",),
    ("proxy",),
    ("route",),
    ("verbs", "access"),
    ("accounts",),
    ("stores",),
    ("settings", "quota", "screen"),
    ("chat", "oauth"),
    ("models", "plans", "redaction", "retry_after"),
    ("names", "_version"),
)
#: What users may import, and what waits for LiteLLM.
ABOVE_ALL = frozenset({"", "testing", "registration"})
SANDBOX = "sandbox"
LEVEL = {room: len(FLOORS) - number for number, floor in enumerate(FLOORS) for room in floor}
LEVEL[SANDBOX] = 1


def _room(module: str) -> str:
    """The folder or flat module that a dotted name belongs to; empty for the package itself."""
    return [*module.split("."), ""][1]


def _imports(path: Path) -> set[str]:
    """Every module of ours that a file imports, for types too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "litellm_qwen_ai":
            found |= {f"litellm_qwen_ai.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] == "litellm_qwen_ai"}


def test_imports_run_down_the_floors_only() -> None:
    for path in PACKAGE.rglob("*.py"):
        here = path.relative_to(PACKAGE).parts[0].removesuffix(".py").replace("__init__", "")
        if here in ABOVE_ALL:
            continue
        for module in _imports(path):
            there = _room(module)
            if there in ABOVE_ALL or there == here:
                continue
            allowed = LEVEL[there] < LEVEL[here]
            assert allowed, f"{path.relative_to(PACKAGE)} imports {module}, which is not on a lower floor"


def _modules() -> dict[str, set[str]]:
    """Each module of the package, and the modules of the package that it imports."""
    files = {}
    for path in PACKAGE.rglob("*.py"):
        parts = ("litellm_qwen_ai", *path.relative_to(PACKAGE).with_suffix("").parts)
        files[".".join(part for part in parts if part != "__init__")] = path
    graph: dict[str, set[str]] = {}
    for name, path in files.items():
        graph[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names if alias.name in files}
            elif isinstance(node, ast.ImportFrom) and node.module in files:
                inner = {f"{node.module}.{alias.name}" for alias in node.names} & files.keys()
                graph[name] |= inner or {node.module}
    return graph


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = _modules()
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"these import each other: {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


@pytest.mark.parametrize(
    "room", ["oauth", "stores", "quota", "cli", SANDBOX, "accounts.py", "verbs.py", "access.py"]
)
def test_what_works_without_litellm_does_not_import_it(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py") if "." not in room else [PACKAGE / room]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert "litellm" not in {name.split(".")[0] for name in names}, path


def test_importing_the_package_imports_neither_litellm_nor_anything_heavy() -> None:
    heavy = ("litellm", "httpx", "pydantic", "aiohttp", "click", "asyncio")
    code = f"import sys, litellm_qwen_ai; print([m for m in {heavy!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_registering_loads_neither_the_login_nor_the_translation_nor_a_package_besides_litellms() -> None:
    code = (
        "import sys, litellm; before = set(sys.modules); import litellm_qwen_ai;"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('litellm.')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = out.stdout.split()
    waits_for_a_call = {"accounts", "chat", "stores", "quota"}
    assert not waits_for_a_call & {_room(name) for name in loaded}
    assert "litellm_qwen_ai.oauth.session" not in loaded
    assert {name.split(".")[0] for name in loaded} == {"litellm_qwen_ai"}


def test_the_public_names_are_these() -> None:
    assert litellm_qwen_ai.__all__ == [
        "ConfigurationError",
        "CorruptCredentialsError",
        "Credentials",
        "FileStore",
        "KeyRefusedError",
        "KeyUncheckedError",
        "LockTimeoutError",
        "LoginCancelledError",
        "LoginDeniedError",
        "LoginError",
        "LoginExpiredError",
        "LoginNotStartedError",
        "LoginPrompt",
        "LoginRefusedError",
        "LoginState",
        "LoginTimedOutError",
        "NotLoggedInError",
        "PendingLogin",
        "QwenAI",
        "QwenAuth",
        "QwenAuthError",
        "ReadOnlyStoreError",
        "RefreshError",
        "Session",
        "Store",
        "StoreError",
        "__version__",
        "alogin",
        "api_base",
        "async_token_provider",
        "cancel_login",
        "device_login",
        "handler",
        "list_accounts",
        "login",
        "logout",
        "pending_login",
        "poll_login",
        "register",
        "start_login",
        "status",
        "token_provider",
    ]
    for name in litellm_qwen_ai.__all__:
        assert getattr(litellm_qwen_ai, name) is not None
    assert dir(litellm_qwen_ai) == sorted(litellm_qwen_ai.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        litellm_qwen_ai.no_such_name  # noqa: B018  # the access is the test


def test_no_public_name_is_a_modules_which_would_take_its_place() -> None:
    modules = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()}
    assert not modules & set(litellm_qwen_ai.__all__)


def test_a_verb_is_a_function_whatever_was_imported_before() -> None:
    code = (
        "import litellm_qwen_ai.cli.login, litellm_qwen_ai.oauth.login, litellm_qwen_ai.cli.status, "
        "litellm_qwen_ai.cli.logout; from litellm_qwen_ai import login, logout, status;"
        "print(login.__module__, logout.__module__, status.__module__)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(out.stdout.split()) == {"litellm_qwen_ai.verbs"}


def test_no_pth_file_is_shipped() -> None:
    assert not list(PACKAGE.parent.glob("*.pth"))
