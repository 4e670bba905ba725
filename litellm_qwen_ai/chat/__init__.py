"""OpenAI chat to Qwen chat and back: pure translation, knows no OAuth and sends nothing."""

# First of all: importing litellm registers our route, which imports modules of `chat/`; none of them may be
# half-way through its own import then.
import litellm  # noqa: F401  # imported for its effect
