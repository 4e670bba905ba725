"""Versions, the registration with LiteLLM, its adaptations, and a call."""

from __future__ import annotations

import contextlib
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
#: LiteLLM makes a TLS context when it is imported.
_MEND_TLS = (
    "Mend or unset SSL_SECURITY_LEVEL, SSL_CERT_FILE and SSL_VERIFY: LiteLLM reads them when it is imported"
)


def versions() -> Iterator[Finding]:
    """Python's version and ours."""
    yield Finding("Python", OK, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("litellm-qwen-ai", OK, __version__)


@contextlib.contextmanager
def probing(account: str | None, *, call: bool) -> Iterator[subprocess.Popen[str]]:
    """A process that looks at LiteLLM, and makes a call with an account's login if asked to."""
    arguments = ["call", *([account] if account else [])] if call else []
    with subprocess.Popen(  # noqa: S603  # our own module
        [sys.executable, "-m", "litellm_qwen_ai.route.probe", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A price list is of no use here: no download.
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def seen_by(probe: subprocess.Popen[str]) -> Iterator[Finding]:
    """Wait for the process and tell what it saw."""
    try:
        out, _ = probe.communicate(timeout=TIMEOUT)
        seen = json.loads(out.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        text, fix = f"did not load within {TIMEOUT:g} s", "Try again on a machine less busy"
        yield Finding("LiteLLM", FAIL, text, fix)
    except (ValueError, IndexError):
        yield Finding("LiteLLM", FAIL, f"ended its process with code {probe.returncode}", _REINSTALL)
    else:
        yield from read(seen)


def read(seen: dict[str, Any]) -> Iterator[Finding]:
    """What the process has printed, as findings."""
    if seen["litellm"] is None:
        fix = _MEND_TLS if seen["fault"].startswith("SSLError") else _REINSTALL
        yield Finding("LiteLLM", FAIL, f"cannot be imported: {seen['fault']}", fix)
        return
    yield Finding("LiteLLM", OK, seen["litellm"])
    if seen["past_python"]:
        yield Finding("Route", FAIL, *seen["past_python"])
    elif seen["registered"]:
        yield Finding("Route", OK, "qwen_ai/ is registered by `import litellm_qwen_ai`")
    else:
        text = "qwen_ai/ is not registered: this LiteLLM has a provider of that name"
        yield Finding("Route", FAIL, text, "Use an earlier LiteLLM, or a later litellm-qwen-ai")
    missing = [name for name, active in seen["adaptations"].items() if not active]
    if seen["switched_off"]:
        yield Finding("Adaptations", OK, "switched off by QWEN_HOST_ADAPTATIONS")
    elif missing:
        fix = "None is needed for the route to work; docs/litellm.md says what is lost"
        yield Finding("Adaptations", WARN, f"not active with this LiteLLM: {', '.join(missing)}", fix)
    else:
        yield Finding("Adaptations", OK, f"active: {', '.join(seen['adaptations'])}")
    if seen.get("error"):
        fix = "The text says what to do; docs/errors.md lists every error"
        yield Finding("Call", FAIL, seen["error"], fix)
    elif "seconds" in seen:
        yield Finding("Call", OK, f"coder-model answered in {seen['seconds']:.1f} s")
