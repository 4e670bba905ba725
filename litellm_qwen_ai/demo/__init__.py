"""The tour that `litellm-qwen-ai demo` gives, on the sandbox."""
