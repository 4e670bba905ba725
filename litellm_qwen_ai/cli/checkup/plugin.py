"""Versions, the registration with LiteLLM, its adaptations, and a call."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai._version import __version__
from litellm_qwen_ai.stores.finding import FAIL, OK, WARN, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = 120.0  # seconds, for the import of LiteLLM and a call
_REINSTALL = "pip install --upgrade --force-reinstall litellm-qwen-ai, in the Python that runs your program"


def versions() -> Iterator[Finding]:
    """Python's version and ours."""
    yield Finding("Python", OK, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("litellm-qwen-ai", OK, __version__)


class Probe:
    """Looks at LiteLLM in a process of its own, from the moment it is made.

    Args:
        account: Whose login the call uses.
        call: Make a call.
    """

    def __init__(self, account: str | None, *, call: bool) -> None:
        arguments = ["call", *([account] if account else [])] if call else []
        self._call = call
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            [sys.executable, "-m", "litellm_qwen_ai.route.probe", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A price list is of no use here: no download.
            env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        )

    def findings(self) -> Iterator[Finding]:
        """Wait for it and tell what it saw."""
        try:
            out, _ = self._process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            yield Finding(
                "LiteLLM", FAIL, f"did not load within {TIMEOUT:g} s", "Try again on a machine less busy"
            )
            return
        try:
            seen = json.loads(out.strip().splitlines()[-1])
        except (ValueError, IndexError):
            yield Finding(
                "LiteLLM", FAIL, f"ended its process with code {self._process.returncode}", _REINSTALL
            )
            return
        yield from _read(seen)
        if self._call and "seconds" in seen:
            yield _of_call(seen)

    def close(self) -> None:
        """End the process, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


def _read(seen: dict[str, Any]) -> Iterator[Finding]:
    if seen["litellm"] is None:
        yield Finding("LiteLLM", FAIL, f"cannot be imported: {seen['fault']}", _REINSTALL)
        return
    yield Finding("LiteLLM", OK, seen["litellm"])
    if seen["registered"]:
        yield Finding("Route", OK, "qwen_ai/ is registered by `import litellm_qwen_ai`")
    else:
        yield Finding(
            "Route",
            FAIL,
            "qwen_ai/ is not registered: this LiteLLM has a provider of that name",
            "Use an earlier LiteLLM, or a later litellm-qwen-ai",
        )
    missing = [name for name, active in seen["adaptations"].items() if not active]
    if seen["switched_off"]:
        yield Finding("Adaptations", OK, "switched off by QWEN_HOST_ADAPTATIONS")
    elif missing:
        yield Finding(
            "Adaptations",
            WARN,
            f"not active with this LiteLLM: {', '.join(missing)}",
            "None is needed for the route to work; docs/litellm.md says what is lost",
        )
    else:
        yield Finding("Adaptations", OK, f"active: {', '.join(seen['adaptations'])}")


def _of_call(seen: dict[str, Any]) -> Finding:
    if seen["error"] is None:
        return Finding("Call", OK, f"coder-model answered in {seen['seconds']:.1f} s")
    return Finding("Call", FAIL, seen["error"], "The text says what to do; docs/errors.md lists every error")
