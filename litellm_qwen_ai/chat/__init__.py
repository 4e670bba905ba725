"""OpenAI chat to Qwen chat and back: pure translation, knows no OAuth and sends nothing."""
