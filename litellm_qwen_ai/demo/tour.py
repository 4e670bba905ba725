"""The tour that `litellm-qwen-ai demo` gives: the main job, step by step, on the sandbox.

It is the real thing but for the server: the device login over HTTP, LiteLLM with this provider, and a LiteLLM
proxy in a process of its own, asked through the OpenAI SDK.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import httpx

from litellm_qwen_ai.demo.proxy import ProxyMissingError, proxy_config, running_proxy
from litellm_qwen_ai.oauth import device_login
from litellm_qwen_ai.oauth.prompt import is_terminal
from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.sandbox.serve import ended_by_sigterm
from litellm_qwen_ai.screen import coloured, columns, wrapped
from litellm_qwen_ai.stores.files.login import FileStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from litellm_qwen_ai.oauth.protocol import DeviceCode

_MODEL = "qwen_ai/coder-model"
_INDENT = "   "
_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
#: A PNG of 24 x 16 black pixels.
_PICTURE = "iVBORw0KGgoAAAANSUhEUgAAABgAAAAQAQAAAAAkX4I4AAAADElEQVR4nGNgoAwAAABAAAG3NHzvAAAAAElFTkSuQmCC"


class DemoError(Exception):
    """A step did not do what it should; the text says what was wrong."""


class Tour:
    """The steps, and what they share: the running sandbox and where `QWEN_TOKEN_DIR` points."""

    def __init__(self, sandbox: Sandbox, token_dir: Path) -> None:
        self.sandbox = sandbox
        self.store = FileStore(token_dir)

    @property
    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """The titles and what each step does, in order."""
        return [
            ("Log in with the device flow", self.log_in),
            ("Ask a question", self.chat),
            ("Read a stream as it comes", self.stream),
            ("Let the model call a tool", self.call_tools),
            ("Ask about an image", self.ask_about_image),
            ("Renew an expired token on the way", self.renew),
            ("Serve it through a LiteLLM proxy", self.proxy),
        ]

    def log_in(self) -> None:
        """Log in over HTTP; the demo itself plays the person at the approval page."""
        credentials = device_login(
            self.store, prompt=_Person(), open_browser=None, oauth_base_url=self.sandbox.oauth_base_url
        )
        _say(f"The login is in {self.store.describe()} ({self.store.guard()}).")
        _say(f"Chat goes to {credentials.api_base}")

    def chat(self) -> None:
        """One question through `litellm.completion`."""
        question = "What is a device code?"
        _say(f"> {question}")
        answer = _complete(messages=[_user(question)])
        _say(_expect(answer.choices[0].message.content, question))
        _say(f"({answer.usage.prompt_tokens} tokens in, {answer.usage.completion_tokens} out)")

    def stream(self) -> None:
        """The same as a stream, printed chunk by chunk."""
        question = "Please count to 12"
        _say(f"> {question}")
        pieces = _printed(_complete(messages=[_user(question)], stream=True))
        _expect("".join(pieces), "10, 11, 12")
        _say(f"({len(pieces)} chunks)")

    def call_tools(self) -> None:
        """Two calls in one answer, and the results in the next question."""
        messages: list[Any] = [_user("What is the weather in Paris and in Tokyo?")]
        _say(f"> {messages[0]['content']}")
        message = _complete(messages=messages, tools=[_WEATHER]).choices[0].message
        weather = {"Paris": "18 degrees, sunny", "Tokyo": "21 degrees, light rain"}
        messages.append(message)
        for call in message.tool_calls or []:
            city = json.loads(call.function.arguments)["city"]
            _say(f"The model calls {call.function.name}(city={city!r}); we answer {weather[city]!r}.")
            messages.append({"role": "tool", "tool_call_id": call.id, "content": weather[city]})
        answer = _complete(messages=messages, tools=[_WEATHER]).choices[0].message.content
        for said in weather.values():
            _expect(answer, said)
        _say(answer)

    def ask_about_image(self) -> None:
        """An image as a data URI."""
        question = "What do you see?"
        _say(f"> {question} (with a PNG of 24 x 16 pixels)")
        content = [
            {"type": "text", "text": question},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PICTURE}"}},
        ]
        answer = _complete(messages=[_user(content)]).choices[0].message.content
        _say(_expect(answer, "PNG image of 24 x 16 pixels"))

    def renew(self) -> None:
        """A call with a token that the server no longer takes."""
        before, kept = self.sandbox.counts, self.store.look()
        expired = self.sandbox.expire_access_tokens()
        _say(f"The server lets the access token expire ({expired} was alive), and we ask again.")
        answer = _complete(messages=[_user("Still there?")])
        _say(_expect(answer.choices[0].message.content, "Still there?"))
        after = self.sandbox.counts
        refused = after.token_rejections - before.token_rejections
        refreshed = after.refresh_requests - before.refresh_requests
        if (refused, refreshed) != (1, 1) or self.store.look() == kept:
            raise DemoError(f"expected one refused call and one refresh, saw {refused} and {refreshed}")
        _say("The server refused one call and saw exactly one refresh; the new tokens are in the file.")

    def proxy(self) -> None:
        """A real LiteLLM proxy with the example configuration, asked through the OpenAI SDK."""
        from openai import OpenAI  # noqa: PLC0415  # it takes a while to load, and LiteLLM has loaded it by now

        key = f"sk-{secrets.token_hex(16)}"  # LiteLLM starts no proxy without one
        with (
            running_proxy(proxy_config(), key=key, say=_say) as url,
            OpenAI(base_url=url, api_key=key) as client,
        ):
            question = "Hello through the proxy"
            _say(f"> {question} (OpenAI SDK, base_url={url})")
            answer = client.chat.completions.create(model="coder-model", messages=[_user(question)])
            _say(_expect(answer.choices[0].message.content, question))
            question = "Now as a stream: count to 5"
            _say(f"> {question}")
            chunks = client.chat.completions.create(
                model="coder-model", messages=[_user(question)], stream=True
            )
            _expect("".join(_printed(chunks)), "1, 2, 3, 4, 5")


def main() -> int:
    """Give the tour; 0 if every step worked (one whose proxy is not installed is skipped), else 1."""
    started = time.monotonic()
    with ExitStack() as stack:
        token_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qwen-demo-"))) / "tokens"
        sandbox = stack.enter_context(Sandbox(interval=0.5))  # Qwen's own five seconds are long to wait
        stack.enter_context(_environment(sandbox.environment(token_dir)))
        stack.enter_context(ended_by_sigterm(SystemExit(128 + 15)))  # as a shell shows it
        click.echo(wrapped(f"A sandbox, a Qwen on this machine, runs at {sandbox.url}."))
        try:
            skipped = _take(Tour(sandbox, token_dir))
        except DemoError as error:
            click.echo(f"\n{coloured('The demo failed.', 'fail', sys.stderr)} {error}", err=True)
            return 1
    seconds = time.monotonic() - started
    end = f"Done in {seconds:.0f} s" + (f", without: {'; '.join(skipped)}." if skipped else ".")
    click.echo("\n" + coloured(wrapped(end), "warn" if skipped else "ok"))
    click.echo(wrapped("All of this ran on the sandbox. For the real service: litellm-qwen-ai login"))
    return 0


def _take(tour: Tour) -> list[str]:
    """Take each step; return the titles of those that were skipped."""
    skipped = []
    for number, (title, step) in enumerate(tour.steps, 1):
        click.echo("\n" + coloured(f"{number}. {title}", "title"))
        try:
            step()
        except ProxyMissingError as missing:
            _say(f"SKIPPED: {missing}")
            skipped.append(title)
        except Exception as error:  # whatever it is, the reader must learn which step it was
            raise DemoError(f"Step {number}, {title!r}: {type(error).__name__}: {error}") from error
    return skipped


class _Person:
    """Shows the code, as a terminal would, and then does what the person in front of it does."""

    def show(self, code: DeviceCode) -> None:
        _say(f"Open {code.link}")
        _say(f"and check that it shows the code {code.user_code}")
        with httpx.Client() as browser:
            page = browser.get(code.link).raise_for_status().text
            fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))
            if fields.get("user_code") != code.user_code:
                raise DemoError("the approval page shows another code")
            approved = browser.post(code.verification_uri, data={**fields, "decision": "approve"})
            approved.raise_for_status()
        _say("Approve (pressed by the demo, over HTTP)")
        _say(f"Waiting until the login asks again whether it was approved: every {code.interval:g} s")

    def waiting(self, seconds_left: float) -> None:
        """It has been said."""

    def trouble(self, reason: str) -> None:
        """Say it: the sandbox is never out of order."""
        _say(reason)

    def done(self, *, approved: bool) -> None:
        """The step says the rest."""


def _complete(**call: Any) -> Any:
    if "litellm" not in sys.modules:
        _say("Loading LiteLLM, which takes some seconds ...")
    import litellm  # noqa: PLC0415  # seconds: not before the reader has something to read

    import litellm_qwen_ai  # noqa: F401, PLC0415  # registers the route qwen_ai/

    litellm.suppress_debug_info = True
    return litellm.completion(model=_MODEL, **call)


def _printed(chunks: Iterable[Any]) -> list[str]:
    """Print a stream's text as it comes, and return its pieces."""
    room = columns() - len(_INDENT) if is_terminal(sys.stdout) else math.inf
    pieces, word, column = [], "", 0

    def put(text: str) -> int:
        if column and column + len(text) > room:
            text = text.lstrip()
            click.echo(f"\n{_INDENT}{text}", nl=False)
            return len(text)
        click.echo(text, nl=False)
        return column + len(text)

    click.echo(_INDENT, nl=False)
    for chunk in chunks:
        if piece := chunk.choices and chunk.choices[0].delta.content:
            pieces.append(piece)
            # A word is written when it is whole: only then it is known whether it fits. The space goes with
            # the word after it: one at the edge would leave an empty line.
            *whole, word = re.split(r"(?= )", word + piece)
            for one in whole:
                column = put(one)
    put(word)
    click.echo("")
    return pieces


def _user(content: str | list[Any]) -> Any:
    return {"role": "user", "content": content}


def _expect(text: str | None, part: str) -> str:
    if text is None or part not in text:
        raise DemoError(f"expected {part!r} in the answer, which is {text!r}")
    return text


def _say(text: str) -> None:
    click.echo(_INDENT + wrapped(text, indent=len(_INDENT)))


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set these variables, without any other of ours, and put everything back afterwards."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("QWEN_"):
            del os.environ[name]  # a user's key would win over the demo's login
    hosts = ["127.0.0.1", "localhost", *filter(None, [before.get("NO_PROXY") or before.get("no_proxy")])]
    os.environ.update(values, LITELLM_LOCAL_MODEL_COST_MAP="True", NO_PROXY=",".join(hosts))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
