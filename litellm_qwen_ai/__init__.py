"""LiteLLM provider for Qwen with OAuth device login."""
