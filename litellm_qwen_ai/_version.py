"""The version, in one place: read by the build, the `User-Agent` and `--version`."""

__version__ = "0.2.0"
USER_AGENT = f"litellm-qwen-ai/{__version__}"
