"""Hints of what to do, added to errors. Facts about the service carry their date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litellm_qwen_ai.chat.refusal import Reason, Refusal
from litellm_qwen_ai.names import LOGIN_COMMAND
from litellm_qwen_ai.plans import MEND, mismatch

if TYPE_CHECKING:
    from litellm_qwen_ai.chat.context import AnswerContext

_TIER_NOTICE = (
    "Qwen announced the end of its free tier for logins on 2026-04-15 (QwenLM/qwen-code issue #3203); since "
    "then logins have been reported to meet this answer."
)
_ALTERNATIVES = (
    "Ways that work with a key: `api_key=` (or QWEN_API_KEY) with `api_base=` of Alibaba Cloud Model Studio, "
    f"e.g. https://dashscope-intl.aliyuncs.com/compatible-mode/v1, or `{LOGIN_COMMAND} --key`, which keeps "
    "it; or LiteLLM's own `dashscope/` and `qwencloud/` routes."
)
_CLOSED = f"{_TIER_NOTICE} {_ALTERNATIVES}"
_CLOSING_WORDS = ("discontinued", "no longer available", "has been closed", "has ended", "was shut down")


def hint_for(reason: Reason, refusal: Refusal, context: AnswerContext) -> str:
    """What the reader can do about it; empty where the server's words suffice."""
    if context.with_login and _says_closed(refusal):
        return _CLOSED
    hint = _ALWAYS.get(reason) or _by_words(refusal)
    if context.with_login:
        return _WITH_LOGIN.get(reason) or hint
    if reason not in {Reason.TOKEN_REJECTED, Reason.NOT_PERMITTED}:
        return _WITH_KEY.get(reason) or hint
    kept = context.kept_key
    wrong = mismatch("".join(context.secrets[:1]), context.host, kept.plan if kept else None)
    hint = _WITH_KEY[reason]
    if kept and reason is Reason.TOKEN_REJECTED:
        hint = f"The key of {kept.account} was refused by {context.host}. Replace it: `{kept.command}`."
    return f"{hint} {wrong} {MEND}" if wrong else hint


def _says_closed(refusal: Refusal) -> bool:
    closing = any(words in refusal.raw for words in _CLOSING_WORDS)
    return closing and ("free tier" in refusal.raw or "oauth" in refusal.raw)


def _by_words(refusal: Refusal) -> str:
    if "enable_thinking must be" in refusal.raw:
        return "Stream the call, or pass enable_thinking=False."
    if "tool_choice" in refusal.raw and "thinking" in refusal.raw:
        return "This model does not take a forced tool_choice while it thinks: pass enable_thinking=False."
    return ""


_WITH_LOGIN = {
    Reason.TOKEN_REJECTED: (
        f"The stored login is not accepted. Run `{LOGIN_COMMAND}` to log in again. If that does not help: "
        f"{_CLOSED}"
    ),
    Reason.QUOTA_SPENT: (
        f"The quota of this login is spent, so retrying now is useless; this is no rate limit. {_CLOSED}"
    ),
    Reason.NOT_PERMITTED: f"This login may not use the model. {_ALTERNATIVES}",
}
_WITH_KEY = {
    Reason.TOKEN_REJECTED: (
        "Check the API key (`api_key=` or QWEN_API_KEY) and that `api_base=` (or QWEN_API_BASE) is the one "
        "it was issued for: keys of one region or plan are refused by the others."
    ),
    Reason.QUOTA_SPENT: (
        "The quota of this API key is spent, so retrying now is useless; this is no rate limit. Raise the "
        "quota or switch on payment at your provider, or use another key."
    ),
    Reason.NOT_PERMITTED: "Check that the plan of this API key includes the model.",
}
_ALWAYS = {
    Reason.THROTTLED: "Too many requests for now: wait as long as Retry-After says, then try again.",
    Reason.PAYMENT_REQUIRED: (
        "The account behind this call has no credit left or owes money: top it up, or pay, at the provider."
    ),
    Reason.CODING_AGENTS_ONLY: (
        "This plan is meant for interactive coding agents. For programs, use a Model Studio standard key: "
        "`api_key=` with `api_base=https://dashscope-intl.aliyuncs.com/compatible-mode/v1`, or LiteLLM's "
        "`dashscope/` route."
    ),
    Reason.CONTEXT_WINDOW: "Shorten the conversation or use a model with a larger context.",
    Reason.CONTENT_POLICY: "Content inspection refused it; the same request will be refused again.",
    Reason.NOT_FOUND: (
        "Check the model's name, and that `api_base=` (or QWEN_API_BASE) is what `/chat/completions` follows."
    ),
    Reason.WRONG_METHOD: "Check that `api_base=` (or QWEN_API_BASE) is an OpenAI-compatible endpoint.",
    Reason.REDIRECTED: (
        "Redirects are not followed, since they would carry the bearer elsewhere: set `api_base=` to the "
        "final address."
    ),
}
