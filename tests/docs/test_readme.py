"""README.md says what is true: each code block is run as it is written, each made part is fresh."""

from __future__ import annotations

import gc
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
PYTHON = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [
    line
    for language, text in BLOCKS
    if language == "bash"
    for line in text.replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]
#: What stands for the reader's own things.
KEY_PLACEHOLDERS = {"sk-...": "sk-sandbox"}


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _title(code: str) -> str:
    lines = [line for line in code.splitlines() if line and not line.startswith(("import", "from"))]
    return lines[0][:60]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    with Sandbox(auto_approve=True, interval=0.1) as running:
        for name, value in running.environment(tmp_path / "tokens").items():
            monkeypatch.setenv(name, value)
        running.write_credentials(tmp_path / "tokens")
        yield running
    # `asyncio.run` ends with LiteLLM's connections open, as in any program: collect them here.
    litellm.in_memory_llm_clients_cache.flush_cache()
    gc.collect()


@pytest.mark.parametrize("code", [code for code in PYTHON if "openai" not in code], ids=_title)
def test_a_python_block_runs(code: str, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    for placeholder, value in KEY_PLACEHOLDERS.items():
        code = code.replace(placeholder, value)
    code = re.sub(r"https://dashscope[\w.-]+/compatible-mode/v1", sandbox.api_base, code)
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})  # noqa: S102  # the README's own
    assert len(sandbox.requests_to("chat")) == 1
    assert capsys.readouterr().out.strip() or "print" not in code


def test_every_kind_of_block_is_tested_here() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "bash", "console", "yaml", "json"}
    assert len(PYTHON) >= 8


def test_the_made_parts_are_fresh() -> None:
    generator = _generator()
    names = [match["name"] for match in generator.PART.finditer(README)]
    assert sorted(names) == sorted(generator.PARTS), "a part is missing in README.md"
    assert generator.made(README) == README, "run `make docs`"


def test_the_made_parts_of_the_page_on_performance_are_fresh() -> None:
    generator, page = _generator(), (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    names = [match["name"] for match in generator.PART.finditer(page)]
    assert sorted(names) == sorted(generator.SPEED_PARTS), "a part is missing in docs/performance.md"
    assert generator.made(page) == page, "run `make docs`"


def test_every_console_block_is_a_made_part() -> None:
    made = "".join(match["text"] for match in _generator().PART.finditer(README))
    assert made.count("```console") == sum(language == "console" for language, _ in BLOCKS)
    assert made.count("```yaml") == sum(language == "yaml" for language, _ in BLOCKS)


def test_every_environment_variable_is_in_the_table_and_none_besides() -> None:
    read: list[str] = []

    class Watched(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            read.append(name)
            return default

    Settings.from_environment(Watched())
    table = re.findall(r"^\| `(QWEN_\w+)` \|", README, re.MULTILINE)
    assert sorted(table) == sorted(read)


def test_what_is_installed_by_pip_is_this_project_with_an_extra_it_has() -> None:
    project = importlib.metadata.metadata("litellm-qwen-ai")
    wanted = [line.removeprefix("pip install ").strip("'\"") for line in COMMANDS if line.startswith("pip ")]
    assert wanted
    for requirement in wanted:
        name, extra = re.fullmatch(r"([\w-]+)(?:\[(\w+)\])?", requirement).groups()  # type: ignore[union-attr]
        assert name == project["Name"]
        assert extra is None or extra in (project.get_all("Provides-Extra") or ())


@pytest.mark.parametrize(
    "command",
    sorted({line for line in COMMANDS if line.startswith("litellm-qwen-ai ") and "demo" not in line}),
)
def test_a_command_of_ours_runs(command: str, sandbox: Sandbox) -> None:
    assert sandbox.url
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", f"PATH={path} {command}"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
