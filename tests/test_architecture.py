"""The floors of docs/design.md, held to be true."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import litellm_qwen_ai
from litellm_qwen_ai import proxy, sandbox

if TYPE_CHECKING:
    from collections.abc import Collection

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
LEVEL = {part: len(FLOORS) - number for number, floor in enumerate(FLOORS) for part in floor}
#: What users may import or run, and what waits for LiteLLM: they import anything, and nothing imports them.
ABOVE_ALL = frozenset({"", "__main__", "testing", "registration"})
#: Beside the floors, and imports none of them.
SANDBOX = "sandbox"
USE_THE_SANDBOX = frozenset({"cli", "demo", "testing"})


def _part(module: str) -> str:
    """The folder or flat module that a dotted name belongs to; empty for the package itself."""
    return [*module.split("."), ""][1]


def _files() -> dict[str, Path]:
    """Each module of the package by its dotted name."""
    files = {}
    for path in PACKAGE.rglob("*.py"):
        parts = ("litellm_qwen_ai", *path.relative_to(PACKAGE).with_suffix("").parts)
        files[".".join(part for part in parts if part != "__init__")] = path
    return files


def _imports(source: str, package: str, modules: Collection[str]) -> set[str]:
    """Every module of ours that a module of `package` imports, for types too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")
            start = above[: len(above) + 1 - node.level] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            inner = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else base for name in inner}
    return {name for name in found if name.split(".")[0] == "litellm_qwen_ai"}


def _graph() -> dict[str, set[str]]:
    """Each module of the package, and the modules of the package that it imports."""
    files = _files()
    return {
        name: _imports(
            path.read_text(encoding="utf-8"),
            name if path.name == "__init__.py" else name.rpartition(".")[0],
            files,
        )
        for name, path in files.items()
    }


def _fault(here: str, there: str) -> str | None:
    """Why a part of the package may not import another; None if it may."""
    for part in (here, there):
        if part not in LEVEL.keys() | ABOVE_ALL | {SANDBOX}:
            return f"{part} is on no floor: name it in FLOORS, below all that import it"
    if there == SANDBOX != here:
        return None if here in USE_THE_SANDBOX else "the sandbox is for the commands, the demo and tests"
    if here == there or here in ABOVE_ALL or (here, there) == ("demo", ""):
        return None  # the tour does what a user's program does
    if there in ABOVE_ALL:
        return "it is above all floors"
    return None if here != SANDBOX and LEVEL[there] < LEVEL[here] else "it is on no lower floor"


def test_imports_run_down_the_floors_only() -> None:
    for name, needs in _graph().items():
        for module in needs:
            fault = _fault(_part(name), _part(module))
            assert fault is None, f"{name} imports {module}: {fault}"


@pytest.mark.parametrize(
    ("here", "there", "fault"),
    [
        ("cli", "oauth", None),
        ("oauth", "cli", "on no lower floor"),
        ("oauth", "chat", "on no lower floor"),
        ("oauth", "", "above all floors"),
        ("oauth", "testing", "above all floors"),
        ("testing", "oauth", None),
        ("demo", SANDBOX, None),
        ("route", SANDBOX, "for the commands"),
        (SANDBOX, "names", "on no lower floor"),
        ("cli", "new", "new is on no floor"),
        ("new", "names", "new is on no floor"),
    ],
)
def test_the_floors_say_what_may_be_imported(here: str, there: str, fault: str | None) -> None:
    assert (_fault(here, there) is None) if fault is None else (fault in (_fault(here, there) or ""))


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("import litellm_qwen_ai", "litellm_qwen_ai"),
        ("import litellm_qwen_ai.names as n", "litellm_qwen_ai.names"),
        ("from litellm_qwen_ai import __version__", "litellm_qwen_ai"),
        ("from litellm_qwen_ai import names", "litellm_qwen_ai.names"),
        ("from litellm_qwen_ai.testing import qwen_sandbox", "litellm_qwen_ai.testing"),
        ("from . import login", "litellm_qwen_ai.oauth.login"),
        ("from .login import login", "litellm_qwen_ai.oauth.login"),
        ("from .. import names", "litellm_qwen_ai.names"),
        ("from ..cli import login", "litellm_qwen_ai.cli.login"),
        ("import litellm", None),
    ],
)
def test_an_import_is_seen_however_it_is_written(statement: str, found: str | None) -> None:
    seen = _imports(statement, "litellm_qwen_ai.oauth", _files())
    assert seen == (set() if found is None else {found})


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = _graph()
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"these import each other: {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


def test_every_module_has_its_place_in_the_design() -> None:
    design = (PACKAGE.parent / "docs" / "design.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\w+\.py\b", design))
    files = {name: path for name, path in _files().items() if path.name != "__init__.py"}
    missing = [name for name in files if _part(name) not in {"cli", "demo", SANDBOX}]
    missing = [name for name in missing if files[name].name not in named]
    assert not missing, "docs/design.md does not say where these are"


def test_what_the_package_calls_itself_is_told_in_names() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert 'getLogger("litellm_qwen_ai' not in text, path
        assert 'removeprefix("qwen_ai' not in text, path


@pytest.mark.parametrize(
    "part", ["oauth", "stores", "quota", "cli", SANDBOX, "accounts.py", "verbs.py", "access.py"]
)
def test_what_works_without_litellm_does_not_import_it(part: str) -> None:
    for path in (PACKAGE / part).rglob("*.py") if "." not in part else [PACKAGE / part]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert "litellm" not in {name.split(".")[0] for name in names}, path


def test_importing_the_package_imports_neither_litellm_nor_anything_heavy() -> None:
    heavy = ("litellm", "httpx", "pydantic", "aiohttp", "click", "asyncio")
    code = f"import sys, litellm_qwen_ai; print([m for m in {heavy!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["cli", "__main__"])
def test_a_command_can_tell_of_ctrl_c_before_it_has_loaded_anything_that_takes_time(module: str) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); before = set(sys.modules);"
        f"import litellm_qwen_ai.{module}; print(*(set(sys.modules) - before))"
    )
    out = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert not {"collections", "contextlib", "logging", "re", "typing"} & set(out.stdout.split())


def test_registering_loads_neither_the_login_nor_the_translation_nor_a_package_besides_litellms() -> None:
    code = (
        "import sys, litellm; before = set(sys.modules); import litellm_qwen_ai;"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('litellm.')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = out.stdout.split()
    waits_for_a_call = {"accounts", "chat", "stores", "quota"}
    assert not waits_for_a_call & {_part(name) for name in loaded}
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
    testing = importlib.import_module(
        "litellm_qwen_ai.testing"
    )  # now: pytest wants to be the first to load it
    for module in (litellm_qwen_ai, litellm_qwen_ai.oauth, proxy, sandbox, testing):
        assert dir(module) == sorted(module.__all__)
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
