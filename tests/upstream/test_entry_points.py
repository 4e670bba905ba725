"""Proposal 1: an installed provider is found by its entry point, in a program that does not import it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROVIDER = """
from litellm import CustomLLM

class Handler(CustomLLM):
    def completion(self, **call):
        answer = call["model_response"]
        answer.choices[0].message.content = "pong"
        return answer

handler = Handler()
"""
PROGRAM = """
import litellm
answer = litellm.completion("plugged/any", messages=[{"role": "user", "content": "ping"}])
print(answer.choices[0].message.content)
"""


@pytest.mark.xfail(raises=AssertionError, reason="docs/upstream.md, 1")
def test_a_provider_that_is_installed_is_there(tmp_path: Path) -> None:
    (tmp_path / "plugged.py").write_text(PROVIDER)
    installed = tmp_path / "plugged-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[litellm.providers]\nplugged = plugged:handler\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),  # with the LiteLLM that is tested here
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "pong"
