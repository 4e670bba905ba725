"""The OpenAI SDK on the login, without LiteLLM."""

import httpx
import openai

from litellm_qwen_ai import QwenAuth, api_base

# The login goes into each request's header, so the SDK's own key is never sent.
client = openai.OpenAI(base_url=api_base(), api_key="-", http_client=httpx.Client(auth=QwenAuth()))

# Qwen's portal refuses a request without such a first message, which qwen_ai/ adds by itself.
system = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
response = client.chat.completions.create(
    model="coder-model",
    messages=[
        {"role": "system", "content": [system]},
        {"role": "user", "content": "Why is the sky blue?"},
    ],
)
print(response.choices[0].message.content)
client.close()
