"""The streamed answer, decoded: bytes in, LiteLLM chunks out, no I/O.

Order of the chunks: deltas as they come; then, once the stream is over, the usage chunk (`choices=[]`) and
last the finish chunk. LiteLLM's wrapper ends a custom provider's stream at the first chunk without content
after a finish, so OpenAI's own order (finish, then usage) would lose the usage.

Fields that are not read by name here, in an event, a choice or a delta, are handed on as they came, as
LiteLLM's own OpenAI-like providers do.

Merging: deltas that are fed together are there together, so those in a row that carry nothing but text of one
kind become one chunk. It saves LiteLLM and the consumer what a chunk costs them (100 us and more), waits for
nothing, and leaves every other delta as it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

from litellm.types.utils import Delta, ModelResponseStream, StreamingChoices, Usage

from litellm_qwen_ai.chat.chunks import Kind, Place, TextChunks
from litellm_qwen_ai.chat.errors import cut_stream, error_from_refusal, malformed_answer
from litellm_qwen_ai.chat.refusal import is_error_object, read_refusal, refusal_from_object, refusal_from_text
from litellm_qwen_ai.chat.sse import EventTooLongError, SSEParser, SSEvent
from litellm_qwen_ai.chat.text import html_summary, json_value, looks_like_html
from litellm_qwen_ai.chat.toolcalls import ToolCallAssembler
from litellm_qwen_ai.chat.usage import usage_fields
from litellm_qwen_ai.names import PROVIDER

if TYPE_CHECKING:
    from litellm_qwen_ai.chat.context import AnswerContext
    from litellm_qwen_ai.chat.refusal import Refusal

# What is read by name.
_OF_EVENTS = {"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "error"}
_OF_CHOICES = {"index", "delta", "finish_reason", "logprobs"}
_OF_DELTAS = {"role", "content", "reasoning_content", "reasoning", "tool_calls", "function_call"}
_NOTHING: tuple[Any, ...] = (None, "", [], {})
_DONE_LIMIT = 32  # bytes: `[DONE]` and some space
MAX_CHOICES = 128
"""Choices followed at once; Qwen's `n` ends at 4. A server that sends more is broken or hostile."""


@dataclass(slots=True)
class _Choice:
    """What must be remembered of one choice."""

    tools: ToolCallAssembler
    role_sent: bool = False
    thinks: bool = False  # between the tags
    finish_reason: str | None = None

    def final_reason(self) -> str:
        reason = self.finish_reason or "stop"
        # Qwen may say `stop` although it called tools; clients look for `tool_calls`.
        return "tool_calls" if reason == "stop" and self.tools else reason

    def tagged(self, kind: Kind, text: str) -> str:
        """The text with the tag before it where reasoning begins or ends."""
        thinks = kind == "reasoning_content"
        if thinks is self.thinks:
            return text
        self.thinks = thinks
        return f"<think>{text}" if thinks else f"</think>{text}"


class _StreamFailedError(Exception):
    """Carries the litellm exception, its one argument, out of the event handlers."""


class StreamDecoder:
    """Decodes one streamed answer. Any split of the bytes gives the same chunks, but for merging.

    An error never hides the chunks before it: `feed` returns those, and `failure` is set.

    Chunks carry the context's model with the provider in front, as whole answers do, and where the
    server names no id and no time, the given ones: a random one and now, in Unix seconds, by default.
    """

    def __init__(
        self, context: AnswerContext, *, stream_id: str | None = None, created: int | None = None
    ) -> None:
        self.failure: Exception | None = None  # what ended the stream
        self.finished = False  # `[DONE]` was read: what follows is ignored
        self._context = context
        self._id = stream_id or f"chatcmpl-{uuid4()}"
        self._created = created if created is not None else int(time.time())
        self._fingerprint: str | None = None
        self._sse = SSEParser()
        self._choices: dict[int, _Choice] = {}
        self._usage: dict[str, Any] | None = None
        self._identified = self._at_end = False
        self._texts = TextChunks(self._chunk)
        self._made: list[ModelResponseStream] = []
        self._run: list[str] = []
        self._run_place: Place | None = None

    @property
    def answered(self) -> bool:
        """Whether the answer is complete: `[DONE]` or a finish reason was read."""
        return self.finished or any(choice.finish_reason for choice in self._choices.values())

    def feed(self, data: bytes | None) -> list[ModelResponseStream]:
        """Decode the next bytes of the body into chunks; None is its end, which brings what was held back.

        Never raises: what goes wrong, a cut stream too, is set as `failure`.
        """
        if self.finished or self.failure is not None:
            return []
        self._at_end = data is None
        try:
            for event in self._sse.close() if data is None else self._sse.feed(data):
                if not self.finished:
                    self._on_event(event)
            if self._at_end and not self.finished:
                if self.answered:
                    self._finish()
                else:
                    self.failure = self._why_cut()
        except EventTooLongError:
            self.failure = malformed_answer("an event without end", self._context)
        except _StreamFailedError as failed:
            self.failure = failed.args[0]
        self._end_run()
        made, self._made = self._made, []
        return made

    def _on_event(self, event: SSEvent) -> None:
        data = event.data
        if len(data) < _DONE_LIMIT and data.strip() == b"[DONE]":
            self._finish()
            return
        if event.name == b"error":
            self._refuse(read_refusal(event.status, data, self._context))
        if not data or data.isspace():
            return
        value = self._parse(data)
        text = self._text_alone(value)
        if text is not None:
            self._on_text(*text)
            return
        self._end_run()
        if is_error_object(value):
            self._refuse(refusal_from_object(value, self._context, event.status))
        self._on_object(value)

    def _parse(self, data: bytes) -> dict[str, Any]:
        try:
            value = json_value(data)
        except ValueError:
            if self._at_end:
                return {}  # no blank line closed it: half an event is the cut's fault, not the server's
            self._fail(html_summary(data) if looks_like_html(data) else "a chunk that is not JSON")
        if not isinstance(value, dict):
            self._fail("a chunk that is no JSON object")
        return value

    def _on_object(self, value: dict[str, Any]) -> None:
        if not self._identified:
            self._identify(value)
        usage = value.get("usage")
        if usage is not None:
            self._usage = usage_fields(usage) or self._usage
        choices = value.get("choices")
        if not choices:
            return
        if not isinstance(choices, list):
            self._fail("a chunk whose choices are no list")
        more = _others(value, _OF_EVENTS)
        made = [made for choice in choices if (made := self._on_choice(choice)) is not None]
        if made or more:
            self._made.append(self._chunk(made or [StreamingChoices(delta=Delta())], more))

    def _text_alone(self, value: dict[str, Any]) -> tuple[Place, str] | None:
        """The text of an event that carries nothing else and goes on with a choice; None for any other."""
        choices = value.get("choices")
        if type(choices) is not list or len(choices) != 1 or type(choices[0]) is not dict:
            return None
        choice = choices[0]
        delta, index = choice.get("delta"), choice.get("index")
        if (
            type(delta) is not dict
            or type(index) is not int
            or (known := self._choices.get(index)) is None
            or not known.role_sent
            or value.get("usage") is not None
            or value.get("error")
            or choice.get("finish_reason")
            or choice.get("logprobs") is not None
            or delta.get("tool_calls")
            or delta.get("function_call")
            or (delta.get("reasoning") and delta.get("reasoning_content"))
            or _others(delta, _OF_DELTAS)
            or _others(choice, _OF_CHOICES)
            or _others(value, _OF_EVENTS)
        ):
            return None
        content, reasoning = delta.get("content"), delta.get("reasoning_content") or delta.get("reasoning")
        if content and type(content) is str and reasoning in _NOTHING:
            return ("content", index), content
        if reasoning and type(reasoning) is str and content in _NOTHING:
            return ("reasoning_content", index), reasoning
        return None

    def _on_text(self, place: Place, text: str) -> None:
        if self._context.think_tags:
            kind, index = place
            place, text = ("content", index), self._choices[index].tagged(kind, text)
        if not self._context.merge or len(self._choices) > 1:
            self._made.append(self._texts.make(place, text))
            return
        if place != self._run_place:
            self._end_run()
            self._run_place = place
        self._run.append(text)

    def _end_run(self) -> None:
        if self._run_place is not None:
            self._made.append(self._texts.make(self._run_place, "".join(self._run)))
            self._run_place = None
            self._run.clear()

    def _identify(self, value: dict[str, Any]) -> None:
        """Take id and time from the first chunk; all chunks of a stream share them."""
        self._identified = True
        if isinstance(value.get("id"), str) and value["id"]:
            self._id = value["id"]
        created = value.get("created")
        if type(created) is int and created > 0:
            self._created = created
        if isinstance(value.get("system_fingerprint"), str):
            self._fingerprint = value["system_fingerprint"]

    def _on_choice(self, value: Any) -> StreamingChoices | None:
        if not isinstance(value, dict):
            self._fail("a choice that is no JSON object")
        delta = value.get("delta") or {}
        if not isinstance(delta, dict):
            self._fail("a delta that is no JSON object")
        index = value.get("index")
        index = index if type(index) is int else 0
        choice = self._choices.get(index)
        if choice is None:
            if len(self._choices) >= MAX_CHOICES:
                self._fail("more choices than anyone asked for")
            choice = self._choices[index] = _Choice(ToolCallAssembler(f"call_{self._id}_{index}_"))
        reason = value.get("finish_reason")
        if reason == "error_finish":
            # Its content is the error's text, never the model's.
            self._refuse(refusal_from_text(str(delta.get("content") or ""), self._context))
        if reason and isinstance(reason, str) and choice.finish_reason is None:
            choice.finish_reason = reason
        fields = self._delta_fields(delta, choice)
        more = _others(value, _OF_CHOICES)
        logprobs = self._logprobs(value)
        if not fields and not more and not logprobs:
            return None
        try:
            return StreamingChoices(index=index, delta=Delta(**fields), logprobs=logprobs, **more)
        except Exception:  # noqa: BLE001  # odd fields raise anything: pydantic's errors, TypeError
            self._fail("a choice with fields of a wrong type")

    def _logprobs(self, choice: dict[str, Any]) -> dict[str, Any] | None:
        logprobs = choice.get("logprobs")
        if not isinstance(logprobs, dict):
            return None
        if not isinstance(logprobs.get("content") or [], list):  # LiteLLM 1.109 no longer looks
            self._fail("a choice with fields of a wrong type")
        return logprobs

    def _delta_fields(self, delta: dict[str, Any], choice: _Choice) -> dict[str, Any]:
        """The fields of a delta that say something."""
        content = self._string(delta, "content")
        reasoning = self._string(delta, "reasoning_content")
        fields = _others(delta, _OF_DELTAS)
        again = self._string(delta, "reasoning")  # vLLM's name for it
        if again and reasoning:
            fields["reasoning"] = again
        reasoning = reasoning or again
        if self._context.think_tags and (content or reasoning):
            before = choice.tagged("reasoning_content", reasoning) if reasoning else ""
            content = before + (choice.tagged("content", content) if content else "")
        elif reasoning:
            fields["reasoning_content"] = reasoning
        if content:
            fields["content"] = content
        shards = self._tool_shards(delta.get("tool_calls") or [], choice)
        if shards:
            fields["tool_calls"] = shards
        call = delta.get("function_call")
        if call:
            if not isinstance(call, dict):
                self._fail("a function call that is no JSON object")
            arguments = self._string(call, "arguments") or ""
            fields["function_call"] = {"name": self._string(call, "name"), "arguments": arguments}
        if not choice.role_sent and (fields or "role" in delta or content is not None):
            # Once, in the first chunk, whether the server sends it never or always.
            choice.role_sent = True
            fields["role"] = "assistant"
            fields.setdefault("content", content)
        return fields

    def _string(self, value: dict[str, Any], name: str) -> str | None:
        text = value.get(name)
        if text is not None and not isinstance(text, str):
            self._fail(f"a delta whose {name} is no string")
        return text

    def _tool_shards(self, calls: Any, choice: _Choice) -> list[dict[str, Any]]:
        if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
            self._fail("tool calls that are no list of objects")
        return [shard for call in calls if (shard := choice.tools.add(call)) is not None]

    def _finish(self) -> None:
        """Hand out what was held back: other choices' finish, usage, and last the first choice's finish."""
        if not self._choices and self._usage is None:
            self._fail("a stream without any content")
        self._end_run()
        self.finished = True
        first = min(self._choices, default=0)
        others = [self._finish_choice(index) for index in sorted(self._choices) if index != first]
        if others:
            # LiteLLM's wrapper looks at a chunk's first choice and would end the stream at a finish there.
            self._made.append(self._chunk([StreamingChoices(index=first, delta=Delta()), *others]))
        if self._usage is not None:
            self._made.append(self._chunk([], {"usage": Usage(**self._usage)}))
        self._made.append(self._chunk([self._finish_choice(first)]))

    def _finish_choice(self, index: int) -> StreamingChoices:
        choice = self._choices.get(index)
        return StreamingChoices(
            index=index, delta=Delta(), finish_reason=choice.final_reason() if choice else "stop"
        )

    def _chunk(
        self, choices: list[StreamingChoices], more: dict[str, Any] | None = None
    ) -> ModelResponseStream:
        more = more or {}
        if self._fingerprint is not None:
            more["system_fingerprint"] = self._fingerprint
        try:
            return ModelResponseStream(
                id=self._id,
                created=self._created,
                model=f"{PROVIDER}/{self._context.model}",
                choices=choices,
                **more,
            )
        except Exception:  # noqa: BLE001  # as above
            self._fail("a chunk with fields of a wrong type")

    def _fail(self, what: str) -> NoReturn:
        raise _StreamFailedError(malformed_answer(what, self._context))

    def _refuse(self, refusal: Refusal) -> NoReturn:
        raise _StreamFailedError(error_from_refusal(refusal, self._context))

    def _why_cut(self) -> Exception:
        """The body ended early; a body that never was an event stream says more than that."""
        stray = bytes(self._sse.stray.strip())
        if not stray:
            return cut_stream(self._context)
        if looks_like_html(stray):
            return malformed_answer(f"{html_summary(stray)} instead of a stream", self._context)
        refusal = read_refusal(None, stray, self._context)
        if refusal.code or refusal.status is not None or stray.startswith(b'{"error'):
            return error_from_refusal(refusal, self._context)
        kind = "a JSON document" if stray.startswith(b"{") else "text"
        return malformed_answer(f"{kind} instead of a stream", self._context)


def _others(value: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """What a JSON object says beside the fields that are read by name."""
    if value.keys() <= known:
        return {}
    return {name: field for name, field in value.items() if name not in known and field not in _NOTHING}
