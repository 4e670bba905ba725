"""What `litellm-qwen-ai doctor` looks at: one module for each kind of thing that breaks."""
