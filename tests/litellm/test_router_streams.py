"""Streams that fail under a Router: before the first chunk, and in the middle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox

MESSAGES = [{"role": "user", "content": "count to 30"}]

MakeRouter = Callable[..., litellm.Router]

pytestmark = [pytest.mark.usefixtures("login", "own_loop")]


def _deployment(kind: str, group: str, sandbox: Sandbox) -> Any:
    own = {"model": "openai/coder-model", "api_key": "sk-sandbox", "api_base": sandbox.api_base}
    params = {"model": "qwen_ai/coder-model"} if kind == "qwen_ai" else own
    return {"model_name": group, "litellm_params": params}


async def _read(router: litellm.Router, *, asynchronous: bool) -> tuple[str, Exception | None]:
    """The text that came, and the error that ended it."""
    text = ""
    try:
        if asynchronous:
            async for chunk in await router.acompletion("first", messages=MESSAGES, stream=True):
                text += _piece(chunk)
        else:
            for chunk in router.completion("first", messages=MESSAGES, stream=True):
                text += _piece(chunk)
    except Exception as error:  # noqa: BLE001  # whatever comes out is looked at
        return text, error
    return text, None


def _piece(chunk: Any) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


def _router(make_router: MakeRouter, kind: str, sandbox: Sandbox) -> litellm.Router:
    deployments = [_deployment(kind, group, sandbox) for group in ("first", "second")]
    return make_router(*deployments, fallbacks=[{"first": ["second"]}])


BEFORE = ["throttled", "html_503", "error_first", "json_error_stream", "html_stream", "empty_stream"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("fault", BEFORE)
async def test_a_stream_that_fails_before_its_first_chunk_falls_back(
    sandbox: Sandbox, make_router: MakeRouter, fault: str, asynchronous: bool
) -> None:
    sandbox.answer_next("chat", fault)
    text, error = await _read(_router(make_router, "qwen_ai", sandbox), asynchronous=asynchronous)
    assert error is None
    assert text.endswith("29, 30.")
    assert text.count("You said") == 1
    assert len(sandbox.requests_to("chat")) == 2


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_a_stream_that_breaks_in_the_middle_ends_as_with_litellms_own_providers(
    sandbox: Sandbox, make_router: MakeRouter, asynchronous: bool
) -> None:
    ends = []
    for kind in ("openai", "qwen_ai"):
        sandbox.clear()
        sandbox.answer_next("chat", "stream_cut")
        text, error = await _read(_router(make_router, kind, sandbox), asynchronous=asynchronous)
        assert text.startswith("You said")
        status = getattr(error, "status_code", None)
        ends.append((type(error), status, text.endswith("30."), len(sandbox.requests_to("chat"))))
        if kind == "openai" and error is None and not text.endswith("30."):
            pytest.skip("this LiteLLM's own provider hides that the stream broke")
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("error_event", litellm.RateLimitError),
        ("error_event_quota", litellm.RateLimitError),
        ("error_finish", litellm.RateLimitError),
        ("stream_cut", litellm.APIConnectionError),
        ("stream_ends_early", litellm.APIConnectionError),
    ],
)
async def test_what_broke_it_is_said_by_its_own_name(
    sandbox: Sandbox, make_router: MakeRouter, fault: str, kind: type[Exception]
) -> None:
    # LiteLLM's own providers call the first two an APIConnectionError, and the third and the last an answer.
    sandbox.answer_next("chat", fault)
    router = make_router(_deployment("qwen_ai", "first", sandbox))
    text, error = await _read(router, asynchronous=True)
    assert text.startswith("You said")
    assert type(getattr(error, "original_exception", None) or error) is kind
    assert len(sandbox.requests_to("chat")) == 1
