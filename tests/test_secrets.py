"""No secret comes out: what a run shows, logs, raises or pickles is searched for all that was ever issued."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

import litellm
import pytest
from click.testing import CliRunner

import litellm_qwen_ai
from litellm_qwen_ai.cli.commands import app
from litellm_qwen_ai.oauth import FileStore, device_login, errors
from litellm_qwen_ai.oauth.clocks import Clocks
from litellm_qwen_ai.sandbox import Answer, Sandbox

CALL = {"model": "qwen_ai/coder-model", "messages": [{"role": "user", "content": "ping"}], "max_retries": 0}
BROKEN = (
    *("cut", "html_502", "token_expired", "quota_spent", "too_long", "redirect", "empty_200", "not_json_200"),
    *(
        "deeply_nested_200",
        "error_event",
        "error_finish",
        "stream_cut",
        "huge_503",
        "wrong_types_200",
        "echo",
    ),
)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(interval=0.1, auto_approve=True, device_lifetime=20) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def login(sandbox: Sandbox, tmp_path: Path) -> Path:
    return sandbox.write_credentials(tmp_path / "tokens")


def shown(error: BaseException) -> str:
    """All that a program, a log or a debugger's page could show of an error."""
    plain = "".join(traceback.format_exception(error))
    with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
    parts = [plain, "".join(with_locals.format()), repr(error), str(error), repr(vars(error))]
    for part in (error, getattr(error, "response", None), getattr(error, "request", None)):
        with contextlib.suppress(Exception):  # not everything can be pickled
            parts.append(repr(pickle.dumps(part)))
    return "\n".join(parts)


def found_in(text: str, sandbox: Sandbox) -> set[str]:
    issued = sandbox.secrets_issued()
    assert issued
    return {secret for secret in issued if secret in text}


def fail(stream: bool, asynchronous: bool) -> BaseException:
    async def in_loop() -> None:
        try:
            answer = await litellm.acompletion(**CALL, stream=stream)
            if stream:
                [chunk async for chunk in answer]
        finally:
            await litellm.close_litellm_async_clients()

    def in_thread() -> None:
        answer = litellm.completion(**CALL, stream=stream)
        if stream:
            list(answer)

    with pytest.raises(litellm.exceptions.openai.OpenAIError) as caught:
        asyncio.run(in_loop()) if asynchronous else in_thread()
    return caught.value


@pytest.mark.usefixtures("login")
@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_no_error_of_a_call_shows_or_pickles_a_secret(
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
    stream: bool,
    asynchronous: bool,
) -> None:
    caplog.set_level(logging.DEBUG, "LiteLLM")
    with caplog.at_level(logging.DEBUG):
        for name in BROKEN:
            answer: str | Answer = name
            if name == "echo":  # a server that repeats what it was sent
                token = sandbox.requests_to("chat")[-1].bearer or ""
                answer = Answer(
                    status=400, body={"error": {"message": f"bad {token}"}}, headers={"x-echo": token}
                )
            sandbox.answer_next("chat", answer, 3)
            error = fail(stream, asynchronous)
            sandbox._ledger._queued.clear()
            assert not found_in(shown(error), sandbox), name
            with contextlib.suppress(TypeError):  # LiteLLM's classes cannot all be loaded again
                assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301  # our own bytes
    # LiteLLM's debug switch does not turn on httpcore's, which writes down every header that comes.
    logged = [one.getMessage() for one in caplog.records if not one.name.startswith("httpcore")]
    assert logged
    assert not found_in("\n".join(logged), sandbox)


def test_no_failed_connection_shows_a_secret(sandbox: Sandbox, login: Path) -> None:
    litellm.completion(**CALL)
    sandbox.stop()
    for stream in (False, True):
        for asynchronous in (False, True):
            assert not found_in(shown(fail(stream, asynchronous)), sandbox)
    assert json.loads(login.read_text())["access_token"] in sandbox.secrets_issued()


@pytest.mark.parametrize("kind", [one for one in vars(errors).values() if isinstance(one, type)])
def test_every_error_of_the_login_can_be_pickled(kind: type[Exception]) -> None:
    known = {"retry_after": 3.0} if kind is errors.RefreshError else {}
    again = pickle.loads(pickle.dumps(kind("what happened", **known)))  # noqa: S301  # our own bytes
    assert (type(again), str(again), vars(again)) == (kind, "what happened", known)


@pytest.mark.parametrize(
    "name", ["html_502", "invalid_grant", "access_denied", "token_with_line_end", "cut", "huge"]
)
def test_no_error_of_a_login_shows_a_secret(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    sandbox.answer_next("token", name, 200)
    with pytest.raises(errors.LoginError) as caught:
        device_login(
            FileStore(tmp_path / "new"),
            oauth_base_url=sandbox.url,
            clocks=Clocks(lambda: now[0], lambda: now[0], sleep),
        )
    assert sandbox.requests_to("token")
    assert not found_in(shown(caught.value), sandbox)


COMMANDS = (
    *(
        "login --force --no-browser",
        "status",
        "status --json",
        "accounts",
        "accounts --json",
        "models --json",
    ),
    *("login --account b --start --json", "accounts --json", "status --account b --json"),
    *(
        "login --account b --complete --wait --json",
        "login --account c --start",
        "login --account c --complete --wait",
    ),
    *("doctor --json", "login --force --json --no-browser", "logout --yes"),
)


@pytest.mark.usefixtures("login")
def test_no_output_of_the_command_shows_a_secret(sandbox: Sandbox) -> None:
    for command in COMMANDS:
        done = CliRunner().invoke(app, command.split())
        assert done.output, command
        assert "Usage:" not in done.output, command
        assert not found_in(done.output + repr(done.exception), sandbox), command
    assert sandbox.counts.logins >= 4


# --- a kept key ---

KEY = "sk-sp-9d8c7b6a5f4e3d2c1b0a"


def no_piece(text: str) -> bool:
    return not any(KEY[at : at + 8] in text for at in range(len(KEY) - 7))


@pytest.fixture
def kept(sandbox: Sandbox) -> str:
    """The key is kept in the default account, and the sandbox does not know it: each answer is scripted."""
    state = litellm_qwen_ai.login(key=KEY, plan="coding-intl", api_base=sandbox.api_base, check=False)
    return state.store.describe()


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_no_error_of_a_call_shows_or_pickles_a_piece_of_a_kept_key(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, stream: bool, asynchronous: bool
) -> None:
    told = f"Incorrect API key provided: {KEY[4:]}"
    echo = Answer(
        status=401, body={"error": {"message": told, "code": "invalid_api_key"}}, headers={"x-echo": KEY}
    )
    caplog.set_level(logging.DEBUG, "LiteLLM")
    with caplog.at_level(logging.DEBUG):
        for answer in ("token_expired", "cut", "model_not_in_plan", "html_502", "error_event", echo):
            sandbox.answer_next("chat", answer, 3)
            error = fail(stream, asynchronous)
            sandbox._ledger._queued.clear()
            assert no_piece(shown(error)), answer
    logged = [one.getMessage() for one in caplog.records if not one.name.startswith("httpcore")]
    assert logged
    assert no_piece("\n".join(logged))


@pytest.mark.parametrize("answer", ["token_expired", "not_found", "cut", None])
def test_no_failure_to_keep_a_key_shows_a_piece_of_it(sandbox: Sandbox, answer: str | None) -> None:
    bad = KEY if answer else f"{KEY} {KEY}"
    if answer:
        sandbox.answer_next("models", answer)
    with pytest.raises(errors.QwenAuthError) as failure:
        litellm_qwen_ai.login(key=bad, plan="coding-intl", api_base=sandbox.api_base)
    del bad  # of this frame, which is the caller's
    told = traceback.TracebackException.from_exception(failure.value, capture_locals=True)
    ours = [frame for frame in told.stack if frame.filename != __file__]
    assert len(ours) >= 3
    assert no_piece("\n".join(str(frame.locals) for frame in ours))
    assert no_piece(str(failure.value) + repr(failure.value) + repr(vars(failure.value)))


KEYED_COMMANDS = (
    *("status", "status --json", "accounts", "accounts --json", "doctor --json", "login --no-browser"),
    *("login --key --no-check", "login --key", "login --key --json --no-check", "logout --yes"),
)


@pytest.mark.usefixtures("kept")
def test_no_output_of_a_command_shows_a_piece_of_a_kept_key(sandbox: Sandbox) -> None:
    for command in KEYED_COMMANDS:
        done = CliRunner().invoke(app, command.split(), input=f"{KEY}\n")
        assert done.output or isinstance(done.exception, errors.KeyRefusedError), command
        assert "Usage:" not in done.output, command
        assert no_piece(done.output + repr(done.exception)), command
    assert sandbox.requests_to("models")
