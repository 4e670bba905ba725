"""Runs in a clean environment that holds the built wheel and its dependencies only: import and chat."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm_qwen_ai  # the variable comes first
from litellm_qwen_ai.sandbox import Sandbox  # as above

CLOCK = {
    "type": "function",
    "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
}


def main() -> None:
    """Check what is installed, log in by file, chat, and ask the command."""
    assert "site-packages" in litellm_qwen_ai.__file__, litellm_qwen_ai.__file__
    files = importlib.metadata.files("litellm-qwen-ai") or []
    names = {str(file) for file in files}
    assert {"litellm_qwen_ai/py.typed", "litellm_qwen_ai/example_config.yaml"} <= names
    assert {f"litellm_qwen_ai/proxy/page.{kind}" for kind in ("html", "css", "js")} <= names
    assert not [name for name in names if name.endswith(".pth") or name.startswith("tests")], names
    shown = importlib.metadata.metadata("litellm-qwen-ai").get_payload()  # README.md, as an index shows it
    assert "State of the service" in shown
    assert not [
        target for target in re.findall(r"\]\(([^)]+)\)", shown) if not target.startswith(("http", "#"))
    ]
    assert "litellm" not in sys.modules
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        sandbox.write_credentials(Path(folder))
        os.environ.update(sandbox.environment(folder))
        import litellm  # noqa: PLC0415  # only now: the plugin must have been first

        response = litellm.completion(
            "qwen_ai/coder-model", messages=[{"role": "user", "content": "hello from the wheel"}]
        )
        assert "hello from the wheel" in response.choices[0].message.content
        # LiteLLM imports more for a call with tools: what the wheel depends on must bring it.
        response = litellm.completion(
            "qwen_ai/coder-model", messages=[{"role": "user", "content": "what time is it"}], tools=[CLOCK]
        )
        assert response.choices[0].message.tool_calls[0].function.name == "get_time"
        command = [str(Path(sys.executable).parent / "litellm-qwen-ai"), "status", "--json"]
        started = time.perf_counter()
        status = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - started
        json.loads(status.stdout)
    print(f"wheel ok: {len(names)} files, chat and tools answered, status in {seconds:.2f} s")


main()
