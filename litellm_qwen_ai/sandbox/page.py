"""The approval page: what a person sees at the verification URI. Plain HTML, two buttons, no script."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from litellm_qwen_ai.sandbox.oauth import AUTHORIZE_PATH
from litellm_qwen_ai.sandbox.wire import RecordedRequest, Reply, html_reply

if TYPE_CHECKING:
    from litellm_qwen_ai.sandbox.authority import Authority, DeviceGrant

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
}
_STYLE = """
:root { color-scheme: light dark; --ink: #1c1b29; --soft: #5d5b6e; --paper: #fff; --ground: #f0eff6;
  --line: #d9d7e5; --accent: #5b3fd6; --on-accent: #fff; --good: #157347; --bad: #b02a37; }
@media (prefers-color-scheme: dark) { :root { --ink: #eceaf6; --soft: #aaa7bd; --paper: #232130;
  --ground: #16151f; --line: #3d3a50; --accent: #a594ff; --on-accent: #16151f; --good: #6fd3a0;
  --bad: #ff8f99; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { width: 100%; max-width: 27rem; background: var(--paper); border: 1px solid var(--line);
  border-radius: 16px; padding: 2rem; box-shadow: 0 12px 40px rgb(20 15 60 / 12%); }
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .5rem; }
p { margin: 0 0 1rem; } .soft { color: var(--soft); font-size: .9rem; }
.badge { display: inline-block; margin: 0 0 1rem; padding: .1rem .6rem; border: 1px solid var(--line);
  border-radius: 99px; color: var(--soft); font-size: .8rem; letter-spacing: .02em; }
.code { display: block; margin: 0 0 1.25rem; padding: .8rem; border-radius: 10px; background: var(--ground);
  text-align: center; font: 600 1.6rem/1.2 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  letter-spacing: .12em; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; margin: 0 0 1.25rem;
  font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
form { display: flex; gap: .75rem; margin: 0; } label { display: block; margin: 0 0 .35rem; }
button, input { flex: 1; min-width: 0; min-height: 2.9rem; padding: .6rem 1rem; border-radius: 10px;
  border: 1px solid var(--line); font: inherit; color: inherit; background: transparent; }
button { font-weight: 600; cursor: pointer; } button:hover { border-color: var(--accent); }
button.yes { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button:focus-visible, input:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
main > :last-child { margin-bottom: 0; } a { color: var(--accent); }
.good { color: var(--good); } .bad { color: var(--bad); }
"""
_BADGE = '<p class="badge">Sandbox: a Qwen on this machine</p>'


class ApprovalPage:
    """The page at `/authorize`, where a device code is approved or denied."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def show(self, request: RecordedRequest) -> Reply:
        """Answer `GET /authorize?user_code=...&client=...`.

        As at the real page, a URL without its `client` part is refused.
        """
        user_code = request.query.get("user_code", "").strip()
        client = request.query.get("client", "")
        if not client:
            return _message(
                400,
                "This link is not complete",
                "Its <code>client</code> part is missing. Open the address exactly as the program showed it.",
                "bad",
            )
        if not user_code:
            return _page("Enter your code", _code_form(client))
        grant = self._authority.find(user_code)
        refused = self._refusal(grant, user_code)
        return refused or _page("Approve this device?", self._question(grant, client) if grant else "")

    def decide(self, request: RecordedRequest) -> Reply:
        """Answer the form's `POST /authorize` with `user_code`, `client` and `decision`."""
        form = request.form
        decision = {"approve": "approved", "deny": "denied"}.get(form.get("decision", ""))
        user_code = form.get("user_code", "").strip()
        if decision is None or not user_code or not form.get("client"):
            return _message(
                400,
                "This form is not complete",
                "It needs <code>user_code</code>, <code>client</code> and <code>decision</code> "
                "(<code>approve</code> or <code>deny</code>).",
                "bad",
            )
        refused = self._refusal(self._authority.find(user_code), user_code)
        if refused:
            return refused
        try:
            self._authority.decide(user_code, decision)
        except LookupError as error:  # decided by someone else a moment ago
            return _message(409, "Too late", escape(str(error)), "bad")
        if decision == "approved":
            return _message(
                200, "Approved", "You can close this page; the program goes on by itself.", "good"
            )
        return _message(200, "Denied", "The program gets no access. You can close this page.", "bad")

    def _refusal(self, grant: DeviceGrant | None, user_code: str) -> Reply | None:
        code = f"<strong>{escape(user_code)}</strong>"
        if grant is None:
            return _message(
                404, "Unknown code", f"There is no device code {code}. Check it, or start again.", "bad"
            )
        if grant.decision in ("approved", "used"):
            return _message(200, "Already approved", f"The code {code} was approved before.", "good")
        if grant.decision == "denied":
            return _message(200, "Already denied", f"The code {code} was denied before.", "bad")
        if self._authority.clock() >= grant.expires_at:
            return _message(410, "This code has expired", "Start the login again to get a new one.", "bad")
        return None

    def _question(self, grant: DeviceGrant, client: str) -> str:
        minutes = max(1, round((grant.expires_at - self._authority.clock()) / 60))
        code = escape(grant.user_code, quote=True)
        return f"""<p>A program asks for access to your account. Is this the code that it shows you?</p>
<strong class="code">{code}</strong>
<dl><dt>Program</dt><dd>{escape(client)}</dd><dt>May use</dt><dd>{escape(grant.scope)}</dd>
<dt>Valid for</dt><dd>{minutes} more {"minute" if minutes == 1 else "minutes"}</dd></dl>
<form method="post" action="{AUTHORIZE_PATH}">
<input type="hidden" name="user_code" value="{code}">
<input type="hidden" name="client" value="{escape(client, quote=True)}">
<button class="yes" name="decision" value="approve">Approve</button>
<button name="decision" value="deny">Deny</button></form>
<p class="soft" style="margin:1rem 0 0">Only approve a code that you asked for yourself.</p>"""


def index_page(url: str) -> Reply:
    """Return the page at `/`, which says what this server is."""
    return _page(
        "The sandbox is running",
        f"""<p>Programs log in and chat here as they would at Qwen. Nothing leaves this machine.</p>
<dl><dt>OAuth</dt><dd>{escape(url)}</dd><dt>Chat</dt><dd>{escape(url)}/v1</dd>
<dt>Answers</dt><dd><a href="/sandbox/answers">/sandbox/answers</a></dd>
<dt>State</dt><dd><a href="/sandbox/state">/sandbox/state</a></dd></dl>""",
    )


def _code_form(client: str) -> str:
    return f"""<form method="get" action="{AUTHORIZE_PATH}" style="display:block">
<input type="hidden" name="client" value="{escape(client, quote=True)}">
<label for="user_code">The code that the program shows</label>
<input id="user_code" name="user_code" autocomplete="off" autocapitalize="off" spellcheck="false" required
 style="width:100%;margin:0 0 .75rem"><button class="yes" style="width:100%">Continue</button></form>"""


def _message(status: int, title: str, text: str, tone: str) -> Reply:
    return _page(title, f"<p>{text}</p>", status=status, tone=tone)


def _page(title: str, content: str, *, status: int = 200, tone: str = "") -> Reply:
    return html_reply(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Qwen sandbox</title><style>{_STYLE}</style></head>
<body><main>{_BADGE}<h1 class="{tone}">{title}</h1>
{content}</main></body></html>
""",
        status,
        _HEADERS,
    )
