"""What is fuzzed: each target takes any bytes and raises if our code does what it must never do.

Used twice: `make fuzz` looks for new bytes, guided by coverage; the tests replay those that were found.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

import httpx
import litellm
import openai

from litellm_qwen_ai.chat.body import drop_echoes
from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.decoder import StreamDecoder
from litellm_qwen_ai.chat.errors import error_from_response, is_token_rejection
from litellm_qwen_ai.chat.response import parse_response
from litellm_qwen_ai.oauth import protocol
from litellm_qwen_ai.oauth.credentials import TOKEN, Credentials
from litellm_qwen_ai.oauth.errors import ConfigurationError, CorruptCredentialsError, LoginError

SECRET = "made-up-secret-0123456789"
STATUSES = (200, 300, 302, 400, 401, 402, 403, 404, 405, 408, 413, 422, 429, 500, 502, 503, 504, 524, 599)
_PKCE = protocol.Pkce(SECRET)
_CODE = protocol.DeviceCode("AB", "https://chat.qwen.ai", None, 900.0, 5.0, SECRET, SECRET)


def stream(data: bytes) -> None:
    """The SSE decoder. The first byte is the length of the pieces, 0 for all at once."""
    size, body = (data[0], data[1:]) if data else (0, b"")
    whole, failure = _decode([body])
    pieces, other_failure = _decode(
        [body[at : at + size] for at in range(0, len(body), size)] if size else [body]
    )
    assert whole == pieces, "another split gives other chunks"
    assert type(failure) is type(other_failure), "another split ends in another way"
    if failure is not None:
        _check_error(failure)


def credentials(data: bytes) -> None:
    """The credentials codec: bytes are a login that survives a round trip, or a clear error."""
    try:
        login = Credentials.from_json(data)
    except CorruptCredentialsError as error:
        _check(error.__context__ is None, "the fault's cause holds the file")
        return
    written = login.to_json()
    again = Credentials.from_json(written)
    assert again == login, "written and read back is another login"
    assert again.to_json() == written
    other = login.model_copy(update={"access_token": "x", "refresh_token": login.refresh_token and "x"})
    assert repr(login) == repr(other), "the repr depends on a token"
    with contextlib.suppress(ConfigurationError):
        assert login.api_base is None or login.api_base.startswith(("https://", "http://"))


def oauth(data: bytes) -> None:
    """The readers of the three OAuth answers. Input: reader, status (a byte each), Retry-After, NUL, body."""
    if len(data) < 2:
        return
    head, _, body = data[2:].partition(b"\0")
    headers = {"retry-after": head.decode("latin-1")} if head else {}
    answer = protocol.HttpAnswer(STATUSES[data[1] % len(STATUSES)], headers, body)
    try:
        outcome = _READERS[data[0] % len(_READERS)](answer)
    except LoginError as error:
        _check(SECRET not in f"{error!r} {error}", "a secret is shown")
        return
    if isinstance(outcome, protocol.TokenAnswer):
        assert SECRET not in repr(outcome)
        assert TOKEN.fullmatch(outcome.access_token), "no header can hold the token"
        assert outcome.refresh_token is None or TOKEN.fullmatch(outcome.refresh_token)
        assert 1 <= outcome.expires_in <= protocol.MAX_TOKEN_LIFETIME
    elif isinstance(outcome, protocol.DeviceCode):
        assert outcome.link.startswith(("https://", "http://")), "no web page to open"
        assert 1 <= outcome.expires_in <= protocol.MAX_DEVICE_LIFETIME
        assert protocol.MIN_INTERVAL <= outcome.interval <= protocol.MAX_INTERVAL
    else:
        assert SECRET not in repr(outcome)
    if isinstance(outcome, protocol.Inconclusive) and outcome.retry_after is not None:
        assert 0 <= outcome.retry_after <= protocol.MAX_RETRY_AFTER


def errors(data: bytes) -> None:
    """The mapping of chat's answers. One byte chooses the status; then Retry-After, NUL, body."""
    if not data:
        return
    status = STATUSES[data[0] % len(STATUSES)]
    head, _, body = data[1:].partition(b"\0")
    response = httpx.Response(
        status, headers=[(b"Retry-After", head), (b"X-Request-Id", head)] if head else []
    )
    drop_echoes(response, {"Authorization": f"Bearer {SECRET}"})
    headers = response.headers
    context = AnswerContext("coder-model", bool(data[0] & 128), (SECRET,), headers)
    if status != 200:
        is_token_rejection(status, body)
        _check_error(error_from_response(status, body, context))
        return
    try:
        answer = parse_response(body, context, litellm.ModelResponse())
    except openai.OpenAIError as error:
        _check_error(error)
    else:
        answer.model_dump_json()


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "stream": stream,
    "credentials": credentials,
    "oauth": oauth,
    "errors": errors,
}
_READERS: tuple[Callable[[protocol.HttpAnswer], object], ...] = (
    lambda answer: protocol.read_device_answer(answer, _PKCE),
    lambda answer: protocol.read_poll_answer(answer, _CODE),
    lambda answer: protocol.read_refresh_answer(answer, SECRET),
)


def _decode(pieces: list[bytes]) -> tuple[list[str], Exception | None]:
    decoder = StreamDecoder(AnswerContext("m", True, (SECRET,)), stream_id="s", created=1)
    chunks = [chunk for piece in [*pieces, None] for chunk in decoder.feed(piece)]
    return [chunk.model_dump_json() for chunk in chunks], decoder.failure


def _check(good: bool, what: str) -> None:
    if not good:
        raise AssertionError(what)


def _check_error(error: Exception) -> None:
    assert isinstance(error, openai.OpenAIError), f"{type(error)} is none of LiteLLM's"
    assert error.llm_provider == "qwen_ai"
    shown = f"{error!r} {error} {vars(error)}"
    assert SECRET not in shown, "a secret is shown"
    assert len(str(error)) < 4000, "a server's words are shown without measure"
    assert "\n" not in error.message.replace("\\n", ""), "a line of a log can be forged"
