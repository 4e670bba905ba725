"""What a LiteLLM proxy's log is told when the proxy starts without a login.

No request ever waits for a person, so the log names the command before the first one is refused.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import logging
import multiprocessing
import os
import tempfile
import threading
from pathlib import Path

from litellm_qwen_ai.names import LOGGER
from litellm_qwen_ai.oauth.errors import (
    LockTimeoutError,
    NotLoggedInError,
    QwenAuthError,
    ReadOnlyStoreError,
)
from litellm_qwen_ai.route.store import wait_for_config
from litellm_qwen_ai.settings import LITELLM, Settings

_logger = logging.getLogger(LOGGER)


@functools.cache
def say_if_not_logged_in() -> None:
    """Log a warning if there is neither a login nor a key: once, from one of a proxy's workers.

    Reads one small file, or asks the store in a thread: LiteLLM reads its config on the proxy's event loop,
    and a store that cannot be reached takes seconds to say no. Sends nothing to the OAuth server.
    """
    settings = Settings.from_environment()
    if settings.api_key is not None:
        return
    if settings.store is None:
        _say_what_is_wrong(settings)
    else:
        threading.Thread(
            target=_say_of_store, args=(settings,), name="qwen-store-notice", daemon=True
        ).start()


def _say_of_store(settings: Settings) -> None:
    if settings.store == LITELLM:  # a startup hook may be ahead of the config, which names the Redis
        wait_for_config()
        settings = Settings.from_environment()
    _say_what_is_wrong(settings)


def _say_what_is_wrong(settings: Settings) -> None:
    try:
        _check(settings)
    except NotLoggedInError as error:
        _say("%s Until then calls to qwen_ai/ are answered with 401. No restart is needed after it.", error)
    except QwenAuthError as error:
        _say("%s", error)


def _say(text: str, error: QwenAuthError) -> None:
    if _first_of_the_workers():
        _logger.warning(text, error)


def _first_of_the_workers() -> bool:
    """Whether no other process of this proxy has come here.

    All of them have one random key, which multiprocessing hands down; whoever makes the file of that name
    is the first. A worker's number would not do: uvicorn replaces one that is slow to start.
    """
    family = hashlib.sha256(b"litellm-qwen-ai" + multiprocessing.current_process().authkey).hexdigest()[:32]
    mark = Path(tempfile.gettempdir(), f"litellm-qwen-ai-{family}")
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    except OSError:
        return True  # nowhere to leave the mark: said once by each worker
    atexit.register(mark.unlink, missing_ok=True)
    return True


def _check(settings: Settings) -> None:
    """Raise what a refused request would be told; nothing if some account is logged in."""
    from litellm_qwen_ai.accounts import account_of, known_accounts  # noqa: PLC0415  # a proxy with a key needs none

    account = account_of(settings)
    if account.session.peek() is not None:
        with contextlib.suppress(LockTimeoutError, ReadOnlyStoreError):  # busy, or kept in memory
            account.store.ping(0)  # what keeps a renewal from being written is said now, not in six hours
    elif known_accounts(settings) == [None]:
        account.session.get()  # without a login it sends nothing
