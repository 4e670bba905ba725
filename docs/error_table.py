"""The errors that users meet: what the text says, what kind it is, what to do. tests/docs cause each of them.

`made` parts of docs/errors.md are written from here.
"""

from __future__ import annotations

from typing import Final

STATE = "[State of the service]({readme}#state-of-the-service)"  # `{state}` below
REST = "[What is not offered](litellm.md#what-is-not-offered)"  # `{rest}` below

#: A text of the message, the exception in `litellm.exceptions`, what to do.
CALLS: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "Not logged in to Qwen",
        "AuthenticationError",
        "run `litellm-qwen-ai login` as the same user, with the same `QWEN_TOKEN_DIR`",
    ),
    (
        "to log in again; the old one is kept",
        "AuthenticationError",
        "the refresh token is no longer accepted: log in again",
    ),
    (
        "invalid access token or token expired",
        "AuthenticationError",
        "the token was renewed once and refused again: see {state}",
    ),
    (
        "The Qwen access token could not be renewed",
        "ServiceUnavailableError",
        "the OAuth server is out of order for now: try again later, the login is kept",
    ),
    (
        "not a credentials file",
        "InternalServerError",
        "the file is damaged: put a good copy there, or `litellm-qwen-ai login --force`",
    ),
    ("can be written by other users", "InternalServerError", "the `chmod` that the text names"),
    (
        "it holds a path separator",
        "BadRequestError",
        "`QWEN_AUTH_FILE` takes a name; the folder is `QWEN_TOKEN_DIR`",
    ),
    (
        "Free allocated quota exceeded",
        "RateLimitError",
        "the quota is spent, waiting a minute does not help: see {state}",
    ),
    (
        "Requests throttling triggered",
        "RateLimitError",
        "too many requests for now; `Retry-After` is in the exception's headers",
    ),
    ("Range of input length should be", "ContextWindowExceededError", "shorten the conversation"),
    (
        "Content inspection refused it",
        "ContentPolicyViolationError",
        "the same request will be refused again",
    ),
    (
        "your account is in good standing",
        "PaymentRequiredError",
        "pay what the account owes; before LiteLLM 1.106 a `BadRequestError`, with status 402 too",
    ),
    (
        "only available for Coding Agents",
        "PermissionDeniedError",
        "the plan of this key is not for programs: use a standard key",
    ),
    ("qwen_ai/ offers chat only", "BadRequestError", "what serves the rest: see {rest}"),
    ("The connection was closed before the answer was complete", "APIConnectionError", "try again"),
    (
        "Cannot reach Qwen or lost the connection",
        "APIConnectionError",
        "check the network, the proxy settings and `api_base`",
    ),
    (
        "The key of the default account was refused by",
        "AuthenticationError",
        "keep another key: `litellm-qwen-ai login --key`; the text says if it looks like one of another plan",
    ),
    ("LLM Provider NOT provided", "BadRequestError", "`import litellm_qwen_ai` is missing in the program"),
    (
        "There are no healthy deployments for this model",
        "BadRequestError",
        "start the proxy with the variable `LITELLM_WORKER_STARTUP_HOOKS=litellm_qwen_ai.proxy:startup`",
    ),
)

#: A text of the message, the command's exit code, what to do.
COMMANDS: Final[tuple[tuple[str, int, str], ...]] = (
    ("The login was refused on the approval page", 1, "if that was a mistake, log in again"),
    ("Nobody approved the login in time", 1, "log in again for a new code"),
    (
        "The server did not start a login",
        1,
        "the server's words follow; a web page may be a firewall's or that of a closed service",
    ),
    ("The server ended the login", 1, "log in again; if it happens again, see {state}"),
    ("The login could not start: no answer from", 1, "check the network and the proxy variables"),
    ("Cancelled; nothing was changed", 2, "nothing"),
    ("Not approved yet", 3, "approve the code, then run the same command again"),
    ("No login waits to be completed", 1, "`litellm-qwen-ai login --start` comes first"),
    ("Not logged in: there is no", 4, "nothing: there is no login to remove"),
    ("refuses the token", 1, "the login is kept; see {state}"),
    ("refuses the key", 1, "give the key of the plan that is named; nothing was changed"),
    ("takes the key is not known", 1, "try again, or keep it unchecked with `--no-check`"),
    ("What is the key for?", 1, "`--plan NAME`, one of `litellm-qwen-ai models`, or `--api-base URL`"),
    (
        "not a credentials file",
        1,
        "put a good copy there, or add `--force`: the old file is kept beside the new one",
    ),
    (
        "holds no login that can be read, so it is not removed",
        1,
        "move the file away by hand if nobody needs it",
    ),
    ("There is a login in", 1, "`--force` replaces it, `--account NAME` keeps both"),
    ("Nothing was imported", 1, "give the file that Qwen Code or this program wrote"),
    ("has expired and holds no refresh token", 4, "log in anew"),
    ("is no account name", 1, "letters, digits, `.`, `_` and `-`, starting with a letter or digit"),
    ("QWEN_AUTH_FILE takes a file name", 1, "the folder is set by `QWEN_TOKEN_DIR`"),
    ("Another process has held", 1, "end the process that the text helps to find"),
    ("There is no terminal to ask on", 2, "add `--yes`"),
    ("--qr needs a package", 2, "the `pip install` that the text names"),
)
