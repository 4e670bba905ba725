"""Logging in from a cell of a real kernel, as Jupyter, VS Code and Colab run it."""

from __future__ import annotations

import contextlib
import importlib
import os
import queue
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import litellm_qwen_ai
from litellm_qwen_ai.oauth.notebook import NotebookPrompt
from litellm_qwen_ai.oauth.prompt import trouble_text
from litellm_qwen_ai.oauth.protocol import DeviceCode
from litellm_qwen_ai.sandbox import Sandbox
from tests.waiting import until

pytest_plugins = ["litellm_qwen_ai.testing"]
PATIENCE = 60.0  # seconds that a kernel may take for anything; only a broken one does


class Kernel:
    """A running kernel, and what its cells have put out."""

    def __init__(self, client: Any, manager: Any) -> None:
        self.client, self.manager = client, manager
        self._unread: list[dict[str, Any]] = []

    def start(self, code: str) -> str:
        """Run a cell, without waiting for its end."""
        cell: str = self.client.execute(
            code, stop_on_error=False
        )  # else a cell behind a failed one is dropped
        return cell

    def until(self, cell: str, *kinds: str) -> dict[str, Any]:
        """The next message of one of these kinds that a cell sends."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for message in self._unread:
                if message["parent_header"].get("msg_id") == cell and message["msg_type"] in kinds:
                    self._unread.remove(message)
                    return dict(message["content"])
            with contextlib.suppress(queue.Empty):
                self._unread.append(self.client.get_iopub_msg(timeout=1))
        pytest.fail(f"the cell sent no {kinds} within {PATIENCE} s")

    def end(self, cell: str) -> dict[str, Any]:
        """The cell's reply."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"]["msg_id"] == cell:
                return dict(reply["content"])
        pytest.fail(f"the cell did not end within {PATIENCE} s")

    def run(self, code: str) -> dict[str, Any]:
        """Run a cell to its end."""
        return self.end(self.start(code))


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(interval=0.1) as running:
        for name, value in running.environment(tmp_path / "tokens").items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def kernel(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    jupyter_client = pytest.importorskip("jupyter_client", reason="the group `notebook` is not installed")
    pytest.importorskip("ipykernel", reason="the group `notebook` is not installed")
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    manager = jupyter_client.KernelManager(transport="ipc", ip=str(tmp_path / "k"))
    manager.start_kernel(env={**os.environ, "QWEN_OAUTH_BASE_URL": sandbox.url})
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        yield Kernel(client, manager)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        # Its client leaves the loop that it made for itself: collected, that is a warning in another test.
        importlib.import_module("jupyter_core.utils").ensure_event_loop().close()


def has_login(text: str, sandbox: Sandbox) -> bool:
    """Whether an output shows the link of a login that waits."""
    return any(f"{sandbox.url}/authorize?user_code={code}" in text for code in sandbox.pending_codes())


def test_alogin_shows_a_link_and_the_kernels_loop_goes_on(kernel: Kernel, sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        cell = kernel.start(
            "import asyncio, litellm_qwen_ai\n"
            "async def show_that_the_loop_goes_on():\n"
            f"    reader, writer = await asyncio.open_connection('127.0.0.1', {server.getsockname()[1]})\n"
            "    await reader.read()  # until the test has seen the link\n"
            "    writer.close()\n"
            "    print('the loop goes on')\n"
            "other = asyncio.ensure_future(show_that_the_loop_goes_on())\n"
            "state = await litellm_qwen_ai.alogin()\n"
            "assert state.changed and state.logged_in"
        )
        shown = kernel.until(cell, "display_data")
        assert has_login(shown["data"]["text/html"], sandbox)
        assert has_login(shown["data"]["text/plain"], sandbox)
        server.settimeout(PATIENCE)
        server.accept()[0].close()
    assert "the loop goes on" in kernel.until(cell, "stream")["text"]
    sandbox.approve()
    last = kernel.until(cell, "update_display_data")
    assert last["transient"] == shown["transient"]
    assert last["data"]["text/plain"] == "Approved."
    assert kernel.end(cell)["status"] == "ok"
    assert litellm_qwen_ai.status().logged_in


def test_login_in_a_cell_leaves_the_kernels_heartbeat_and_its_interrupt(
    kernel: Kernel, sandbox: Sandbox
) -> None:
    cell = kernel.start("import litellm_qwen_ai; litellm_qwen_ai.login()")
    assert has_login(kernel.until(cell, "display_data")["data"]["text/html"], sandbox)
    heart = kernel.client.hb_channel
    heart.unpause()
    until(heart.is_beating, "the kernel's heart beats", PATIENCE)
    kernel.manager.interrupt_kernel()
    ended = kernel.end(cell)
    assert ended["ename"] == "KeyboardInterrupt"
    assert litellm_qwen_ai.status().pending is None
    cell = kernel.start("litellm_qwen_ai.login().logged_in")
    kernel.until(cell, "display_data")
    sandbox.approve()
    assert kernel.until(cell, "execute_result")["data"]["text/plain"] == "True"


def test_a_missing_login_names_the_call_for_a_cell(kernel: Kernel) -> None:
    for account, call in (("", "login()"), ("'work'", 'login("work")')):
        reply = kernel.run(f"import litellm_qwen_ai; litellm_qwen_ai.token_provider({account})()")
        assert reply["ename"] == "NotLoggedInError"
        assert f"Run `litellm_qwen_ai.{call}` in a cell" in reply["evalue"]


class Output:
    """Stands for IPython's `display`."""

    def __init__(self) -> None:
        self.data: list[dict[str, str]] = []
        self._names: set[str] = set()

    def __call__(self, data: dict[str, str], *, raw: bool, display_id: str, update: bool = False) -> None:
        assert raw
        assert update is (display_id in self._names)
        self._names.add(display_id)
        self.data.append(data)


def code(link: str, waited: float | None = None) -> DeviceCode:
    return DeviceCode(
        "AB-<b>CD", "https://chat.example/", link, 900, 5, "a device code", "a verifier", waited
    )


@pytest.mark.parametrize(("waited", "told"), [(None, False), (41.7, True)])
def test_a_login_that_joins_another_says_so_in_its_output(waited: float | None, told: bool) -> None:
    output = Output()
    NotebookPrompt(output).show(code("https://chat.example/?c=1", waited))
    for text in output.data[0].values():
        assert ("waits already, started 42 s ago: this is its code. To log in to Qwen" in text) is told


def test_what_a_server_sends_is_no_html_of_ours() -> None:
    output = Output()
    prompt = NotebookPrompt(output)
    prompt.show(code('https://chat.example/?c="><script>'))
    prompt.trouble("HTTP 504 <html>")
    for data in output.data:
        assert not re.search(r"<script|<b>CD|<html", data["text/html"])
        assert 'href="https://chat.example/?c=&quot;&gt;&lt;script&gt;"' in data["text/html"]
        assert "a device code" not in str(data)
    assert trouble_text("HTTP 504 <html>") in output.data[1]["text/plain"]


@pytest.mark.parametrize(("approved", "told"), [(True, "Approved."), (False, "ended without an approval")])
def test_an_output_of_the_past_holds_no_link(approved: bool, told: str) -> None:
    output = Output()
    prompt = NotebookPrompt(output)
    prompt.show(code("https://chat.example/?c=1"))
    prompt.waiting(10)
    prompt.done(approved=approved)
    assert told in output.data[-1]["text/plain"]
    assert "chat.example" not in str(output.data[-1])


def test_an_output_that_was_interrupted_holds_no_link_either() -> None:
    class Interrupted(Output):
        def __call__(self, data: dict[str, str], **how: Any) -> None:
            super().__call__(data, **how)
            if len(self.data) == 1:
                raise KeyboardInterrupt

    output = Interrupted()
    prompt = NotebookPrompt(output)
    with pytest.raises(KeyboardInterrupt):
        prompt.show(code("https://chat.example/?c=1"))
    prompt.done(approved=False)
    assert "chat.example" not in str(output.data[-1])


def test_the_qr_code_is_a_picture_where_segno_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("segno")
    for is_there in (True, False):
        if not is_there:
            monkeypatch.setitem(__import__("sys").modules, "segno", None)
        output = Output()
        NotebookPrompt(output).show(code(f"https://chat.example/?c={is_there}"))
        assert ('<img src="data:image/svg+xml' in output.data[0]["text/html"]) is is_there
