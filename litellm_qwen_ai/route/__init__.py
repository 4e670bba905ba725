"""The route `qwen_ai/` as LiteLLM sees it: one call from `provider.py` to the wire and back."""

import contextlib

with contextlib.suppress(Exception):  # what is wrong with it comes out of the module that needs it
    import litellm as _litellm  # noqa: F401  # before any module here: importing it registers the route, by them
