"""The route `qwen_ai/` as LiteLLM sees it: one call from `provider.py` to the wire and back."""
