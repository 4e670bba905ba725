"""The sandbox on its own, for people: what `litellm-qwen-ai sandbox` runs."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from litellm_qwen_ai.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litellm_qwen_ai.sandbox.wire import RecordedRequest

#: Seconds. Ctrl-C interrupts a plain sleep on every system; what comes just before it is seen after it.
_A_WHILE = 0.5


def serve(host: str, port: int, *, auto_approve: bool, obedient: bool = False) -> None:
    """Run a sandbox until Ctrl-C (or SIGTERM).

    The lines that set a program's environment go to stdout, all else to stderr. `QWEN_TOKEN_DIR` is a new
    directory that goes with the sandbox, so that no login of the user's is overwritten.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        auto_approve: Approve every device code at once.
        obedient: As for `Sandbox`.

    Raises:
        click.ClickException: The address cannot be listened on.
    """
    sandbox = Sandbox(host=host, port=port, auto_approve=auto_approve, obedient=obedient, on_answer=_tell)
    try:
        sandbox.start()
    except OSError as error:
        fix = "Choose another --port, or 0 for any free one; --host takes an address of this machine."
        raise click.ClickException(f"{error.strerror or error}. {fix}") from error
    with (
        sandbox,
        tempfile.TemporaryDirectory(prefix="qwen-sandbox-") as directory,
        ended_by_sigterm(KeyboardInterrupt()),
    ):
        try:
            _introduce(sandbox, Path(directory), auto_approve=auto_approve)
            while True:
                time.sleep(_A_WHILE)
        except KeyboardInterrupt:
            click.echo("\nThe sandbox has stopped; its tokens are gone with it.", err=True)


def _introduce(sandbox: Sandbox, directory: Path, *, auto_approve: bool) -> None:
    approving = (
        "Logins are approved at once (--auto-approve)."
        if auto_approve
        else "To approve a login, open the address that it shows and press Approve."
    )
    click.echo(
        f"A Qwen on this machine: {sandbox.url}\n"
        f"  chat        {sandbox.api_base}/chat/completions\n"
        f"  static key  {sandbox.api_keys[0]} (as QWEN_API_KEY, with QWEN_API_BASE={sandbox.api_base})\n"
        f"  answers     {sandbox.url}/sandbox/answers lists the odd answers; ask for one with\n"
        f'              curl -d \'{{"endpoint": "chat", "name": "throttled"}}\' {sandbox.url}/sandbox/next\n'
        f"              or with the model qwen_ai/sandbox/throttled\n"
        f"{approving} Ctrl-C stops it. In another terminal:\n",
        err=True,
    )
    for name, value in sandbox.environment(directory).items():
        if sys.platform == "win32":
            click.echo(f"set {name}={value}")
        else:
            click.echo(f"export {name}={value}" if value else f"unset {name}")
    click.echo("", err=True)


def _tell(request: RecordedRequest) -> None:
    at = time.strftime("%H:%M:%S", time.localtime(request.at))
    outcome = "client went away" if request.disconnected else str(request.status)
    reason = f"  {request.error}" if request.error else ""
    click.echo(f"{at}  {request.method} {request.path}  {outcome}{reason}", err=True)


@contextmanager
def ended_by_sigterm(error: BaseException) -> Iterator[None]:
    """Let SIGTERM unwind the block by raising `error`, so that what it holds is cleaned up."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def end(_number: int, _frame: Any) -> NoReturn:
        raise error

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
