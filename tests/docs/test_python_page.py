"""docs/python.md is run from top to bottom, by somebody who has no login yet."""

from __future__ import annotations

import ast
import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest

import litellm_qwen_ai
from litellm_qwen_ai.sandbox import Sandbox
from tests.docs.pages import BLOCKS

pytest_plugins = ["litellm_qwen_ai.testing"]
PAGE = "docs/python.md"
#: What each block prints, in the order of the page.
PRINTED = [
    "True 20",  # logged in, until
    "work True",
    "work logged in 2",
    "singapore",
    "work.json",
    "200",
    "coder-model",
    "coder-model",
    "PendingLogin",
    "access_token='***'",
]


def test_the_page_runs_from_top_to_bottom(
    qwen_sandbox_logged_out: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-made-up-for-this-page")
    blocks = [block for block in BLOCKS if block.page == PAGE and block.language == "python"]
    for block, printed in zip(blocks, PRINTED, strict=True):
        code = compile(block.text, PAGE, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        here: dict[str, Any] = {"__name__": "__main__"}
        running = eval(code, here)  # noqa: S307  # the page's own; `exec` could not be awaited
        if inspect.iscoroutine(running):
            asyncio.run(_awaited(running))
        assert printed in capsys.readouterr().out, block.text
    assert litellm_qwen_ai.FileStore(tmp_path / "logins").look() is not None
    assert qwen_sandbox_logged_out.counts.logins == 3


async def _awaited(running: Any) -> None:
    await running


def test_the_page_has_every_public_function() -> None:
    text = "".join(block.text for block in BLOCKS if block.page == PAGE)
    text += (Path(__file__).parents[2] / PAGE).read_text(encoding="utf-8")
    functions = {name for name in litellm_qwen_ai.__all__ if name[0].islower()} - {"handler", "register"}
    assert not [name for name in functions if name not in text]
