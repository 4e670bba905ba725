"""A Qwen on this machine, for tests and trials: OAuth device login, an approval page and chat.

    with Sandbox(auto_approve=True) as sandbox:
        os.environ.update(sandbox.environment(token_dir=...))
        ...

Its answers depend on the request, it refuses what Qwen refuses, and it gives every odd answer that is known
of Qwen on demand (`Sandbox.answer_next`).
"""

from __future__ import annotations

from litellm_qwen_ai.sandbox.answer_table import ANSWERS
from litellm_qwen_ai.sandbox.answers import Answer
from litellm_qwen_ai.sandbox.ledger import Counts
from litellm_qwen_ai.sandbox.server import Sandbox
from litellm_qwen_ai.sandbox.wire import RecordedRequest

__all__ = ["ANSWERS", "Answer", "Counts", "RecordedRequest", "Sandbox"]


def __dir__() -> list[str]:
    return sorted(__all__)
