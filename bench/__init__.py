"""Benchmarks: `qwen_ai/` beside LiteLLM's own routes, in one run. `python -m bench --help` says how."""
