"""`python -m litellm_qwen_ai` is the command `litellm-qwen-ai`, for where scripts are not on PATH."""

from __future__ import annotations

from litellm_qwen_ai.cli import main

if __name__ == "__main__":
    main()
