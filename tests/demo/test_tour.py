"""The tour, and that it tells when something does not work."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from litellm_qwen_ai.demo import proxy as demo_proxy
from litellm_qwen_ai.demo import tour as demo
from litellm_qwen_ai.demo.proxy import (
    ProxyFailedError,
    ProxyMissingError,
    _signals_deferred,
    proxy_config,
    running_proxy,
)
from litellm_qwen_ai.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
DEMO = [
    sys.executable,
    "-c",
    "import sys; from litellm_qwen_ai.demo.tour import main; sys.exit(main())",
]
STEPS = [title for title, _ in demo.Tour(None, Path()).steps]  # type: ignore[arg-type]  # only the titles


needs_ps = pytest.mark.skipif(os.name != "posix" or not shutil.which("ps"), reason="needs POSIX and ps")


def _command_lines() -> str:
    """Every process of the machine."""
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def _without_the_proxy() -> None:
    raise ProxyMissingError("not installed")


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the step that takes most of the time."""
    monkeypatch.setattr(demo, "running_proxy", lambda *_, **__: _without_the_proxy())


def test_in_a_checkout_the_configuration_is_the_example() -> None:
    assert proxy_config() == ROOT / "examples" / "config.yaml"


@pytest.mark.proxy
def test_the_whole_tour_works_shows_no_secret_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "QWEN_API_KEY": "sk-the-users-own", "COLUMNS": "80"}
    done = subprocess.run(DEMO, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for number, title in enumerate(STEPS, 1):
        assert f"{number}. {title}" in done.stdout
    assert "exactly one refresh" in done.stdout
    assert "1, 2, 3, 4, 5." in done.stdout
    assert "For the real service: litellm-qwen-ai login" in done.stdout
    assert done.stdout.isascii()
    assert not re.search(r"[A-Za-z0-9_-]{40,}|sk-\w", done.stdout + done.stderr)
    assert list(tmp_path.iterdir()) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize(("columns", "no_color"), [(40, ""), (80, "1"), (120, "")])
def test_on_a_terminal_it_breaks_no_word_and_has_colour_where_that_is_welcome(
    monkeypatch: pytest.MonkeyPatch, columns: int, no_color: str
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    assert demo.main() == 0
    shown = screen.getvalue()
    assert ("\x1b[" in shown) is not bool(no_color)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    for line in plain.splitlines():
        # What is longer is one word, such as an address, and has the line to itself.
        assert len(line) <= columns or " " not in line.strip(), line
    assert "Waiting until the login asks again" in " ".join(plain.split())
    assert 'You said: "Please count to 12". 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12.' in " ".join(plain.split())


@pytest.mark.usefixtures("no_proxy")
def test_without_the_proxy_the_tour_skips_it_and_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_API_KEY", "sk-the-users-own")
    before = dict(os.environ)
    assert demo.main() == 0
    out = capsys.readouterr().out
    assert "SKIPPED: not installed" in out
    assert f"without: {STEPS[-1]}." in out
    assert dict(os.environ) == before


def test_a_missing_proxy_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_proxy, "_NEEDED", ("no_such_module_here",))
    with (
        pytest.raises(ProxyMissingError, match=r'pip install "litellm-qwen-ai\[proxy\]"'),
        running_proxy(proxy_config(), key="sk", say=print),
    ):
        pytest.fail("it ran")


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize(
    ("endpoint", "answer", "said"),
    [
        ("device", "invalid_client", f"Step 1, {STEPS[0]!r}: LoginRefusedError"),
        ("chat", "bad_parameter", f"Step 2, {STEPS[1]!r}: BadRequestError"),
    ],
)
def test_a_step_that_fails_is_named_with_its_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, endpoint: str, answer: str, said: str
) -> None:
    def spoilt(**more: Any) -> Sandbox:
        sandbox = Sandbox(**more)
        sandbox.answer_next(endpoint, answer)
        return sandbox

    monkeypatch.setattr(demo, "Sandbox", spoilt)
    assert demo.main() == 1
    assert f"The demo failed. {said}" in capsys.readouterr().err


def test_an_answer_that_lost_a_part_of_the_question_fails() -> None:
    with pytest.raises(demo.DemoError, match="expected 'b' in the answer, which is 'a'"):
        demo._expect("a", "b")
    with pytest.raises(demo.DemoError, match="which is None"):
        demo._expect(None, "b")


def test_a_proxy_that_ends_shows_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_proxy, "_executable", lambda: sys.executable)  # which knows no --config
    with (
        pytest.raises(ProxyFailedError, match=r"(?si)the proxy ended with status 2\..*unknown option"),
        running_proxy(proxy_config(), key="sk-x", say=print),
    ):
        pytest.fail("it ran")


def test_the_proxy_has_of_litellms_settings_only_the_one_that_keeps_chat_in_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LITELLM_RUST", "0")
    monkeypatch.setenv("LITELLM_MODE", "PRODUCTION")
    found = demo_proxy._environment("sk")
    assert found["LITELLM_RUST"] == "0"
    assert "LITELLM_MODE" not in found


@needs_ps
def test_a_proxy_that_is_not_ready_in_time_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "litellm"
    script.write_text(f"#!{sys.executable}\nimport signal\nsignal.pause()\n")
    script.chmod(0o755)
    monkeypatch.setattr(demo_proxy, "_executable", lambda: str(script))
    monkeypatch.setattr(demo_proxy, "_DEADLINE", 0)
    with (
        pytest.raises(ProxyFailedError, match=r"did not answer at http://\S+/health/readiness within 0 s"),
        running_proxy(proxy_config(), key="sk-x", say=print),
    ):
        pytest.fail("it ran")
    assert str(script) not in _command_lines()


@pytest.mark.proxy
@needs_ps
def test_the_proxy_ends_with_a_demo_that_is_terminated() -> None:
    """The proxy is asked for as soon as its address is printed; its port must be free again afterwards."""
    process = subprocess.Popen(DEMO, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    port = next(match[1] for line in process.stdout if (match := re.search(r"--port (\d+)", line)))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert f"--port {port}" not in _command_lines()


def test_a_signal_while_the_proxy_is_being_started_waits_until_it_is_known() -> None:
    seen: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("signal"))
    try:
        with _signals_deferred():
            signal.raise_signal(signal.SIGTERM)
            seen.append("started")
        assert seen == ["started", "signal"]
    finally:
        signal.signal(signal.SIGTERM, before)
