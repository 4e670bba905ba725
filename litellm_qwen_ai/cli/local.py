"""The commands `demo` and `sandbox`: without an account, and loading what they need only when they run."""

from __future__ import annotations

import click

from litellm_qwen_ai.cli import exits


@click.command()
def demo() -> int:
    """See it all at work on this machine, without an account.

    Login, chat, stream, tools, an image, a renewal and a proxy, on the sandbox.
    """
    from litellm_qwen_ai.demo.tour import main  # noqa: PLC0415  # it imports LiteLLM, which takes seconds

    return main()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--auto-approve", is_flag=True, help="Approve every login at once.")
@click.option("--obedient", is_flag=True, help="Do what a prompt says, and no more.")
def sandbox(*, host: str, port: int, auto_approve: bool, obedient: bool) -> int:
    """Run a Qwen on this machine for your own tests.

    It answers as Qwen does, every error included, until Ctrl-C.
    """
    from litellm_qwen_ai.sandbox.serve import serve  # noqa: PLC0415  # it imports aiohttp

    serve(host, port, auto_approve=auto_approve, obedient=obedient)
    return exits.DONE
