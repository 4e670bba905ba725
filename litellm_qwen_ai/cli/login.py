"""The command `litellm-qwen-ai login`."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import TYPE_CHECKING

import click

from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.cli.facts import gather, local, span
from litellm_qwen_ai.cli.qr import drawn, require_segno
from litellm_qwen_ai.oauth import (
    CorruptCredentialsError,
    TerminalPrompt,
    device_login,
    may_open_browser,
    open_browser,
)
from litellm_qwen_ai.oauth.files import FILE_MODE, store_errors
from litellm_qwen_ai.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from litellm_qwen_ai.oauth import FileStore


@click.command()
@click.option(
    "--no-browser", is_flag=True, help="Open no browser; it never does over SSH, in CI or without a display."
)
@click.option("--qr", is_flag=True, help="Show the page's address as a QR code too, for a phone.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; the prompt stays on stderr.")
@click.option(
    "--force", is_flag=True, help="Log in although there is a login, or a file that cannot be read."
)
def login(*, no_browser: bool, qr: bool, as_json: bool, force: bool) -> int:
    """Log in with a code that you approve in a browser.

    The browser may run on this device or on any other.
    """
    if qr:
        require_segno()
    settings = Settings.from_environment()
    store = settings.store()
    if settings.api_key is not None:
        click.echo("QWEN_API_KEY is set: qwen_ai/ uses that key, not a login, until you unset it.", err=True)
    with exits.errors_as_json(wanted=as_json):
        changed = force or not _is_logged_in(store)
        if changed:
            browser = open_browser if may_open_browser() and not no_browser else None
            with _unreadable_file_kept(store):
                device_login(
                    store,
                    prompt=TerminalPrompt(picture=drawn if qr else None),
                    open_browser=browser,
                    oauth_base_url=settings.oauth_base_url,
                    client_id=settings.oauth_client_id,
                )
        _report(settings, changed=changed, as_json=as_json)
    return exits.DONE


def _is_logged_in(store: FileStore) -> bool:
    """Whether the stored token is alive. Whether an expired one could be renewed only the server knows."""
    stored = store.load()
    return stored is not None and stored.credentials.seconds_left(time.time()) > 0


@contextlib.contextmanager
def _unreadable_file_kept(store: FileStore) -> Iterator[None]:
    """With --force: a file that is no credentials file is copied before the new login takes its place."""
    copy: Path | None = None
    try:
        store.load()
    except CorruptCredentialsError:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        copy = store.path.with_name(f"{store.path.name}.{stamp}.old")
        with store_errors("copy", store.path):
            copy.touch(FILE_MODE)  # the mode first, then the content
            shutil.copyfile(store.path, copy)
    try:
        yield
    except BaseException:
        if copy is not None:
            copy.unlink(missing_ok=True)
        raise
    if copy is not None:
        click.echo(f"The file that was there is kept as {copy}.", err=True)


def _report(settings: Settings, *, changed: bool, as_json: bool) -> None:
    facts = gather(settings)
    if as_json:
        exits.print_json({"changed": changed, **facts.as_dict()})
        return
    until = f"until {local(facts.expires_at or '')}, {span(facts.seconds_left or 0)} from now"
    if not changed:
        click.echo(f"Already logged in, {until}. For another login: litellm-qwen-ai login --force")
        return
    renewed = " and renewed by itself" if facts.can_renew else ""
    click.echo(f"Logged in. The token is stored in {facts.file} (mode {facts.mode}).")
    click.echo(f"It is valid {until}{renewed}.")
    if facts.problem:
        click.echo(f"It cannot be used yet: {facts.problem}", err=True)
    if facts.uses == "login":
        click.echo('Try it: litellm.completion("qwen_ai/coder-model", ...), or litellm-qwen-ai status')
