"""The door: whichever import comes first, LiteLLM knows the route."""

from __future__ import annotations

import subprocess
import sys

import litellm
import pytest
from litellm.proxy.types_utils.utils import get_instance_fn

import litellm_qwen_ai

COMMAND = "litellm-qwen-ai login"
ASK = """
from litellm.llms.custom_llm import CustomLLM
print(litellm.get_llm_provider("qwen_ai/coder-model")[:2])
print([entry["provider"] for entry in litellm.custom_provider_map])
"""

KNOWN = ["('coder-model', 'qwen_ai')", "['qwen_ai']"]

THREADED = """
import threading, importlib
t = threading.Thread(target=importlib.import_module, args=('litellm',)); t.start()
import litellm_qwen_ai, litellm; t.join()
"""


def _python(code: str) -> list[str]:
    code = f"import gc; gc.disable()  # LiteLLM is imported in three quarters of the time\n{code}{ASK}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "built-in" not in done.stderr, "LiteLLM tells the user to rename the provider"
    assert COMMAND not in done.stdout + done.stderr, "a program that is no proxy is told nothing of its login"
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "code",
    [
        "import litellm, litellm_qwen_ai",
        "import litellm_qwen_ai, importlib.util; importlib.util.find_spec('litellm'); import litellm",
        THREADED,
    ],
    ids=[
        "litellm first",
        "plugin first, litellm looked for",
        "another thread imports litellm",
    ],
)
def test_the_route_is_there_in_whichever_order_the_imports_come(code: str) -> None:
    assert _python(code) == KNOWN


@pytest.mark.parametrize(
    "first", ["from litellm_qwen_ai import handler", "import litellm_qwen_ai.route.patches"]
)
def test_so_it_is_when_a_module_that_registering_needs_is_what_imports_litellm(first: str) -> None:
    code = f"{first}\nimport litellm, litellm_qwen_ai"
    assert _python(code) == KNOWN


def test_after_the_import_nothing_of_ours_watches_imports_and_litellm_keeps_its_loader() -> None:
    code = (
        "import litellm_qwen_ai, litellm, sys, importlib.resources\n"
        "print(any('litellm_qwen_ai' in type(f).__module__ for f in sys.meta_path),"
        " type(litellm.__spec__.loader).__name__, type(litellm.__loader__).__name__,"
        " importlib.resources.files('litellm').joinpath('__init__.py').is_file())"
    )
    assert _python(code) == ["False SourceFileLoader SourceFileLoader True", *KNOWN]


def test_registering_again_replaces_only_our_own_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"provider": "somebody_else", "custom_handler": object()}
    monkeypatch.setattr(litellm, "custom_provider_map", [other])
    monkeypatch.setattr(litellm, "provider_list", [*litellm.provider_list])
    monkeypatch.setattr(litellm, "_custom_providers", [*litellm._custom_providers])
    for _ in range(3):
        litellm_qwen_ai.register()
    assert litellm.custom_provider_map == [
        other,
        {"provider": "qwen_ai", "custom_handler": litellm_qwen_ai.handler},
    ]


def test_the_handler_that_a_proxy_names_is_the_registered_one() -> None:
    assert get_instance_fn("litellm_qwen_ai.handler") is litellm_qwen_ai.handler
    assert isinstance(litellm_qwen_ai.handler, litellm.CustomLLM)


def test_an_import_of_litellm_survives_a_registration_that_fails() -> None:
    code = (
        "import litellm_qwen_ai, litellm_qwen_ai.registration as r\n"
        "def broken(): raise RuntimeError('boom')\n"
        "r.register = broken\n"
        "import litellm\n"
        "print(litellm.custom_provider_map)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]"]
    assert "could not register the route qwen_ai/" in done.stderr
    assert "boom" in done.stderr
