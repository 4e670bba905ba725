"""The command `litellm-qwen-ai login`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from litellm_qwen_ai.accounts import account_of
from litellm_qwen_ai.cli import exits, outcome, steps, takeover
from litellm_qwen_ai.cli.options import account_option
from litellm_qwen_ai.cli.panel import best_prompt
from litellm_qwen_ai.cli.qr import drawn, require_segno
from litellm_qwen_ai.oauth import device_login, may_open_browser, open_browser
from litellm_qwen_ai.settings import Settings

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.door import Store


@click.command()
@account_option
@click.option(
    "--no-browser", is_flag=True, help="Open no browser; it never does over SSH, in CI or without a display."
)
@click.option("--qr", is_flag=True, help="Show the page's address as a QR code too, for a phone.")
@click.option("--start", is_flag=True, help="Only ask for a code and show it; for scripts and agents.")
@click.option("--complete", is_flag=True, help="Finish what --start began, if it has been approved.")
@click.option(
    "--wait", is_flag=True, help="With --complete: wait until it has been, or the code has expired."
)
@click.option(
    "--import", "source", metavar="FILE", help="Take over a login from an oauth_creds.json, also Qwen Code's."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; the prompt stays on stderr.")
@click.option(
    "--force", is_flag=True, help="Log in although there is a login, or a file that cannot be read."
)
def login(  # noqa: PLR0913  # its options
    *,
    account: str | None,
    no_browser: bool,
    qr: bool,
    start: bool,
    complete: bool,
    wait: bool,
    source: str | None,
    as_json: bool,
    force: bool,
) -> int:
    """Log in with a code that you approve in a browser.

    The browser may run on this device or on any other.
    """
    if start + complete + (source is not None) > 1:
        raise click.UsageError("--start, --complete and --import are three ways; take one.")
    if wait and not complete:
        raise click.UsageError("--wait goes with --complete.")
    if qr:
        require_segno()
    settings = Settings.from_environment()
    store = account_of(settings, account).store
    if settings.api_key is not None:
        click.echo("QWEN_API_KEY is set: qwen_ai/ uses that key, not a login, until you unset it.", err=True)
    report = outcome.Report(settings, account, as_json=as_json)
    with exits.errors_as_json(wanted=as_json):
        if source is not None:
            return takeover.take_over(store, source, report, force=force)
        if complete:
            return steps.complete(store, report, wait=wait)
        if not force and outcome.is_logged_in(store):
            return report.unchanged()
        browser = may_open_browser() and not no_browser
        if start:
            return steps.start(store, settings, report, picture=drawn if qr else None)
        return _in_one_go(store, settings, report, qr=qr, browser=browser)


def _in_one_go(store: Store, settings: Settings, report: outcome.Report, *, qr: bool, browser: bool) -> int:
    device_login(
        store,
        prompt=best_prompt(drawn if qr else None, browser=browser),
        open_browser=open_browser if browser else None,
        oauth_base_url=settings.oauth_base_url,
        client_id=settings.oauth_client_id,
    )
    return report.new_login()
