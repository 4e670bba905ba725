"""The answer as it is written, and what it took."""

import litellm

import litellm_qwen_ai  # noqa: F401  # registers the route qwen_ai/

stream = litellm.completion(
    model="qwen_ai/qwen3-coder-plus",
    messages=[{"role": "user", "content": "Explain a hash table in two sentences."}],
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
    if getattr(chunk, "usage", None):
        print(f"\n{chunk.usage.total_tokens} tokens")
