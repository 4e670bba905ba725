"""The README's proxy, asked by the README's clients."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.proxy.conftest import Proxy

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: The address that the README's reader sees.
SHOWN_URL = "http://localhost:4000"

pytestmark = pytest.mark.proxy


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_openai_client_gets_an_answer(
    logged_in: Proxy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_MASTER_KEY", logged_in.key)
    (code,) = [block for block in _blocks("python") if "import openai" in block]
    exec(compile(code.replace(SHOWN_URL, logged_in.url), "README.md", "exec"), {})  # noqa: S102  # the README's own
    assert capsys.readouterr().out.strip()


def test_curl_gets_an_answer(logged_in: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_MASTER_KEY", logged_in.key)
    (command,) = [block for block in _blocks("bash") if block.startswith("curl")]
    done = subprocess.run(
        ["bash", "-c", command.replace(SHOWN_URL, logged_in.url)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["choices"][0]["message"]["content"]
