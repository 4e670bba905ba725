"""aider, against the proxy or in one process with the plugin: its own command line on a file in a folder."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path

import kit
from aider.main import main

if kit.PROXY_URL:
    os.environ.update(OPENAI_API_BASE=f"{kit.PROXY_URL}/v1", OPENAI_API_KEY=kit.PROXY_KEY)
    MODEL, VISION_MODEL = f"openai/{kit.PROXY_MODEL}", f"openai/{kit.PROXY_VISION_MODEL}"
else:
    import litellm_qwen_ai  # noqa: F401  # registers the route

    MODEL, VISION_MODEL = kit.MODEL, kit.VISION_MODEL

ARGUMENTS = [
    "--no-git",
    "--yes-always",
    "--no-analytics",
    "--no-check-update",
    "--no-show-model-warnings",
    "--no-show-release-notes",
    "--no-detect-urls",
    "--no-suggest-shell-commands",
    "--no-auto-lint",
    "--no-pretty",
    "--no-fancy-input",
    "--map-tokens=0",
]
TOO_NEW = "aider stops at an exception of LiteLLM that it does not list: neither 1.91, 1.106 nor 1.110 passes"
# What aider does not know of a model it would ask the internet for.
METADATA = Path("metadata.json")
KNOWN = {"mode": "chat", "litellm_provider": "openai", "supports_vision": True, "max_input_tokens": 131_072}
METADATA.write_text(json.dumps({MODEL: KNOWN, VISION_MODEL: KNOWN}), encoding="utf-8")
ARGUMENTS.append(f"--model-metadata-file={METADATA}")

# The sandbox repeats the prompt, so an edit in the prompt comes back as the model's own.
EDIT = """Change it so:

hello.py
```python
<<<<<<< SEARCH
print("hello")
=======
print("quokkas")
>>>>>>> REPLACE
```
"""


def run(prompt: str, *more: str, model: str = MODEL) -> str:
    shown = io.StringIO()
    try:
        with contextlib.redirect_stdout(shown):
            main([*ARGUMENTS, f"--model={model}", f"--weak-model={model}", f"--message={prompt}", *more])
    except ValueError as error:
        if "not in aider's exceptions list" in str(error):
            raise kit.KnownError(TOO_NEW) from error
        raise
    print(shown.getvalue())
    return shown.getvalue()


def chat() -> str:
    file = Path("hello.py")
    file.write_text('print("hello")\n', encoding="utf-8")
    run(EDIT, "--edit-format=diff", "--no-stream", str(file))
    assert file.read_text(encoding="utf-8") == 'print("quokkas")\n', file.read_text(encoding="utf-8")
    return "edits a file"


def stream() -> None:
    kit.holds(run(kit.PROMPT, "--edit-format=ask", "--stream"), f'You said: "{kit.PROMPT}')


def tools() -> None:
    raise kit.NotOfferedError("edits by text, without tools")


def structured() -> None:
    raise kit.NotOfferedError("edits by text, without schemas")


def image() -> str:
    file = Path("picture.png")
    file.write_bytes(kit.png())
    answer = run(kit.IMAGE_PROMPT, "--edit-format=ask", str(file), model=VISION_MODEL)
    # The picture is in a message before the prompt's: the kit looks for it in what the sandbox received.
    kit.holds(answer, f'You said: "{kit.IMAGE_PROMPT}')
    return "needs a `--model-metadata-file` that says `supports_vision`"


kit.report(
    ["aider-chat", "litellm"], chat=chat, stream=stream, tools=tools, structured=structured, image=image
)
