"""The pages say what is true: each code block is run as it is written, each made part is fresh."""

from __future__ import annotations

import gc
import html
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.settings import Settings
from tests.docs.pages import BLOCKS, PAGES, README, ROOT, Block, generator

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
#: Those of docs/python.md use no LiteLLM: test_python_page.py runs them.
PYTHON = [block for block in BLOCKS if block.language == "python" and block.page != "docs/python.md"]
COMMANDS = sorted({command for block in BLOCKS for command in block.commands})
LINKING = [*PAGES, *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"))]
#: What stands for the reader's own things.
KEY_PLACEHOLDERS = {"sk-...": "sk-sandbox"}
#: The beginning of a command that is run elsewhere -> the test, target or file that runs it.
RUN_ELSEWHERE = {
    'eval "$(_LITELLM_QWEN_AI_COMPLETE': "tests/cli/test_commands.py",
    "litellm --config": "tests/proxy/conftest.py",
    "export LITELLM_MASTER_KEY=": "tests/proxy/conftest.py",
    "export LITELLM_WORKER_STARTUP_HOOKS=litellm_qwen_ai.proxy:startup": "tests/proxy/conftest.py",
    "curl --silent http://localhost:4000/qwen_ai/": "tests/proxy/test_page.py",
    "litellm-qwen-ai login --key": "tests/cli/test_keys.py",
    "printenv DASHSCOPE_API_KEY | litellm-qwen-ai login --key": "tests/cli/test_keys.py",
    "curl ": "tests/proxy/test_readme.py",
    "mkdir one two": "tests/proxy/test_fleet.py",
    "HOME=$PWD/": "tests/proxy/test_fleet.py",
    "export QWEN_STORE": "tests/stores/redis/test_place.py",
    "litellm-qwen-ai doctor": "tests/cli/test_doctor.py",  # and for its transcript; it takes seconds
}


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    with Sandbox(auto_approve=True, interval=0.1) as running:
        for name, value in running.environment(tmp_path / "tokens").items():
            monkeypatch.setenv(name, value)
        running.write_credentials(tmp_path / "tokens")
        running.write_credentials(tmp_path / "tokens", "alice.json")
        running.write_credentials(tmp_path / ".qwen")
        monkeypatch.setenv("HOME", str(tmp_path))
        yield running
    # `asyncio.run` ends with LiteLLM's connections open, as in any program: collect them here.
    litellm.in_memory_llm_clients_cache.flush_cache()
    gc.collect()


@pytest.mark.parametrize("block", [block for block in PYTHON if "openai" not in block.text], ids=str)
def test_a_python_block_runs(block: Block, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    code = block.text
    for placeholder, value in KEY_PLACEHOLDERS.items():
        code = code.replace(placeholder, value)
    code = re.sub(r"https://dashscope[\w.-]+/compatible-mode/v1", sandbox.api_base, code)
    exec(compile(code, block.page, "exec"), {"__name__": "__main__"})  # noqa: S102  # the page's own
    assert len(sandbox.requests_to("chat")) == 1
    assert capsys.readouterr().out.strip() or "print" not in code


def test_every_kind_of_block_is_tested_here() -> None:
    assert {block.language for block in BLOCKS} <= {"python", "bash", "console", "yaml", "json"}
    assert len(PYTHON) >= 9


def test_the_made_parts_are_fresh() -> None:
    pytest.importorskip("rich")
    make = generator()
    found = [match["name"] for page in make.pages() for match in make.PART.finditer(page.read_text("utf-8"))]
    assert set(found) == set(make.PARTS), "a part stands nowhere, or nobody makes it"
    for page in make.pages():
        text = page.read_text(encoding="utf-8")
        assert make.made(text, page) == text, f"{page.name}: run `make docs`"


def test_the_picture_of_a_terminal_shows_what_its_transcript_says() -> None:
    drawn = (ROOT / "docs" / "images" / "login.svg").read_text(encoding="utf-8")
    words = html.unescape(re.sub(r"<[^>]+>", " ", drawn[drawn.index("</defs>") :])).replace("\xa0", " ")
    transcript = (ROOT / "docs" / "accounts.md").read_text(encoding="utf-8")
    block = re.search(r"^\$ litellm-qwen-ai login\n(.*?)^```$", transcript, re.MULTILINE | re.DOTALL)
    assert block
    lines = [line.strip() for line in block[1].splitlines()]
    lines = [*lines[: lines.index("Approved.")], "14:59 left (Ctrl-C cancels)"]
    assert not [line for line in lines if "".join(line.split()) not in "".join(words.split())]
    assert "url(http" not in drawn  # a font, say


def test_every_console_block_is_a_made_part() -> None:
    made = generator().PART
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        parts = "".join(match["text"] for match in made.finditer(text))
        assert parts.count("```console") == text.count("```console"), page.name


def test_every_link_between_the_pages_leads_somewhere() -> None:
    for page in LINKING:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", text):
            assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_a_link_into_a_page_leads_to_a_heading_of_it() -> None:
    for page in LINKING:
        for target, heading in re.findall(r"\]\(([^)#:]*)#([\w-]+)\)", page.read_text(encoding="utf-8")):
            there = page if not target else (page.parent / target).resolve()
            titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
            assert heading in anchors, f"{page.name}: {target}#{heading}"


def test_every_page_is_reached_from_the_index_and_the_index_from_the_readme() -> None:
    index = ROOT / "docs" / "index.md"
    named = set(re.findall(r"\]\(([^)#]+)\)", index.read_text(encoding="utf-8")))
    reached = {(index.parent / target).resolve() for target in named}
    assert {*LINKING} - reached == {index}
    assert "](docs/index.md)" in README.read_text(encoding="utf-8")


def test_every_picture_is_shown_or_linked_and_every_terminals_is_made() -> None:
    shown = {
        (page.parent / target).resolve()
        for page in LINKING
        for target in re.findall(r"\]\(([^)#:]+\.(?:svg|png))\)", page.read_text(encoding="utf-8"))
    }
    kept = set((ROOT / "docs" / "images").iterdir())
    assert kept == {picture for picture in shown if picture.parent.name == "images"}
    assert {picture.name for picture in kept if picture.suffix == ".svg"} == set(generator().PICTURES)


def test_every_command_is_run_somewhere() -> None:
    for command in COMMANDS:
        known = command.startswith(("litellm-qwen-ai ", "pip install "))
        elsewhere = [where for begin, where in RUN_ELSEWHERE.items() if command.startswith(begin)]
        assert known or elsewhere, f"{command}: which test runs it?"
        assert all((ROOT / where).exists() for where in elsewhere)


def test_every_environment_variable_is_in_the_table_and_none_besides() -> None:
    read: list[str] = []

    class Watched(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            read.append(name)
            return default

    Settings.from_environment(Watched())
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(QWEN_\w+)` \|", page, re.MULTILINE)
    read.append("QWEN_HOST_ADAPTATIONS")  # read as LiteLLM is imported
    assert sorted(table) == sorted(name for name in read if name.startswith("QWEN_"))


def test_what_is_installed_by_pip_is_this_project_with_an_extra_it_has() -> None:
    project = importlib.metadata.metadata("litellm-qwen-ai")
    wanted = [line.removeprefix("pip install ").strip("'\"") for line in COMMANDS if line.startswith("pip ")]
    assert wanted
    for requirement in wanted:
        name, extra = re.fullmatch(r"([\w-]+)(?:\[(\w+)\])?", requirement).groups()  # type: ignore[union-attr]  # it matches
        assert name == project["Name"]
        assert extra is None or extra in (project.get_all("Provides-Extra") or ())


@pytest.mark.parametrize(
    "command",
    [
        one
        for one in COMMANDS
        if one.startswith("litellm-qwen-ai ") and not one.startswith(tuple(RUN_ELSEWHERE))
    ],
)
def test_a_command_of_ours_runs(command: str, sandbox: Sandbox) -> None:
    assert sandbox.url
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", f"PATH={path} {command}"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
