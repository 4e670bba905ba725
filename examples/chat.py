"""One question, one answer."""

import litellm

import litellm_qwen_ai  # noqa: F401  # registers the route qwen_ai/

response = litellm.completion(
    model="qwen_ai/coder-model",
    messages=[{"role": "user", "content": "Say hello in three languages."}],
)
print(response.choices[0].message.content)
print(f"{response.usage.prompt_tokens} tokens in, {response.usage.completion_tokens} out")
