"""The chat endpoint: a recorded request in, a reply out."""

from __future__ import annotations

from litellm_qwen_ai.sandbox.answers import Answer
from litellm_qwen_ai.sandbox.authority import Authority
from litellm_qwen_ai.sandbox.wire import RecordedRequest, Reply, chat_error, json_reply


class ChatEndpoint:
    """Chat completions (qwen-protocol sections 7 to 9)."""

    def __init__(self, authority: Authority, *, api_keys: frozenset[str]) -> None:
        self._authority = authority
        self._api_keys = api_keys

    def serve(self, request: RecordedRequest, answer: Answer | None) -> Reply:
        """Answer a chat call."""
        if answer is not None and answer.fixed:
            return answer.reply()
        token = request.bearer or ""
        if token not in self._api_keys and not self._authority.accepts(token):
            return chat_error(401, "invalid_api_key", "invalid access token or token expired")
        payload = request.json
        return json_reply(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": int(request.at),
                "model": payload["model"],
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {
                            "role": "assistant",
                            "content": f"You said: {payload['messages'][-1]['content']}",
                        },
                    }
                ],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        )
