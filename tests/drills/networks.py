"""Networks as companies have them: an authority of their own, proxies, SOCKS, and servers that only drip."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from drills.frame import Result, drill
from drills.hostile import FORMS, ask
from networks import HOST, Authority, http_proxy, listening, socks5

from litellm_qwen_ai.oauth import FileStore, QwenAuthError, start_login
from litellm_qwen_ai.oauth.network import TransportError
from litellm_qwen_ai.oauth.protocol import OAuthRequest
from litellm_qwen_ai.oauth.transport import httpx_poster
from litellm_qwen_ai.sandbox import Sandbox

GROUP = "Networks"
DRIP = 1.0  # seconds that an exchange is given
URL = f"https://{HOST}"
_VARIABLES = (
    "SSL_VERIFY",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "DISABLE_AIOHTTP_TRANSPORT",
)
Proxied = Callable[[int, list[str]], AbstractContextManager[str]]


@contextmanager
def variables(**values: str) -> Iterator[None]:
    """The network's variables, these and no others, for a while."""
    names = {*_VARIABLES, *values}
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ.update(values)
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)


@contextmanager
def office(folder: Path, proxied: Proxied = http_proxy) -> Iterator[tuple[Authority, str]]:
    """An authority, the proxy that alone leads to a Qwen which that vouches for, and an expired login."""
    authority = Authority(folder)
    with Sandbox(resource_url=f"{URL}/v1") as sandbox:
        sandbox.write_credentials(folder / "login", lifetime=-60)
        with (
            authority.in_front_of(int(sandbox.url.rpartition(":")[2])) as port,
            proxied(port, []) as proxy,
            variables(QWEN_TOKEN_DIR=str(folder / "login"), QWEN_OAUTH_BASE_URL=URL),
        ):
            yield authority, proxy


def renewed_call(folder: Path, form: str, proxied: Proxied, told: Callable[[Authority], Any]) -> str:
    """What comes of a login, and of a call that has to renew one; empty if both succeed.

    Args:
        folder: An empty folder.
        form: One of the four of LiteLLM.
        proxied: The kind of proxy.
        told: Says what is trusted; returns what takes it back.
    """
    import litellm  # noqa: PLC0415  # the module is loaded by drills that need none of it

    folder.mkdir()
    cache = litellm.in_memory_llm_clients_cache
    with office(folder, proxied) as (authority, proxy), variables(ALL_PROXY=proxy), told(authority):
        os.environ["DISABLE_AIOHTTP_TRANSPORT"] = str(proxied is socks5)  # async SOCKS needs it
        litellm.in_memory_llm_clients_cache = type(cache)()  # LiteLLM keeps its clients for an hour
        try:
            start_login(FileStore(folder / "new"), oauth_base_url=URL)
            return "" if ask(form, max_retries=0) else "no answer"
        except Exception as error:  # noqa: BLE001  # named in the row
            return f"{type(error).__name__}: {error}"
        finally:
            litellm.in_memory_llm_clients_cache = cache


@contextmanager
def in_litellm(value: Any) -> Iterator[None]:
    """What `litellm.ssl_verify` or a proxy's `ssl_verify` says."""
    import litellm  # noqa: PLC0415  # as above

    before, litellm.ssl_verify = litellm.ssl_verify, value
    try:
        yield
    finally:
        litellm.ssl_verify = before


WAYS: Mapping[str, Callable[[Authority], AbstractContextManager[None]]] = {
    "SSL_VERIFY": lambda authority: also(SSL_VERIFY=str(authority.file)),
    "SSL_CERT_FILE": lambda authority: also(SSL_CERT_FILE=str(authority.file)),
    "litellm.ssl_verify": lambda authority: in_litellm(str(authority.file)),
    "ssl_verify=False": lambda _authority: in_litellm(False),
}


@contextmanager
def also(**values: str) -> Iterator[None]:
    """One more variable."""
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            del os.environ[name]


def behind(folder: Path, proxied: Proxied, ways: list[str], forms: tuple[str, ...] = FORMS) -> Result:
    """Logins and calls through one kind of proxy, in each form, for each way to say what is trusted."""
    import litellm  # noqa: F401, PLC0415  # seconds that belong to no cell

    wrong, worst = [], 0.0
    for way in ways:
        for form in forms:
            begun = time.monotonic()
            came = renewed_call(folder / f"{way}-{form}", form, proxied, WAYS[way])
            worst = max(worst, time.monotonic() - begun)
            wrong += [f"{way}, {form}: {came}"] * bool(came)
    return Result(len(ways) * len(forms), len(wrong), worst, "; ".join(wrong) or "each logged in and renewed")


@drill(GROUP, "an authority of its own, told in four ways: login, renewal and chat in four forms")
def trust(folder: Path) -> Result:
    return behind(folder, http_proxy, list(WAYS))


@drill(GROUP, "a SOCKS5 proxy: login, renewal and chat in four forms")
def socks(folder: Path) -> Result:
    return behind(folder, socks5, ["SSL_CERT_FILE"])


BROKEN = {
    "SSL_VERIFY": __file__,
    "SSL_CERT_FILE": __file__,
    "SSL_CERTIFICATE": "/nowhere/client.pem",
    "SSL_SECURITY_LEVEL": "no such cipher",
    "HTTPS_PROXY": "http://proxy:port",
    "ALL_PROXY": "socks5://127.0.0.1:9",
}


@drill(GROUP, "a setting that cannot be used: one sentence names it; NO_PROXY=::1/128 hinders nothing")
def settings(folder: Path) -> Result:
    told = {name: started(folder, **{name: value}) for name, value in BROKEN.items()}
    wrong = [f"{name}: {said}" for name, said in told.items() if name not in said or HOST not in said]
    with office(folder) as (authority, proxy):
        odd = {"NO_PROXY": "localhost,::1/128", "HTTPS_PROXY": proxy, "SSL_CERT_FILE": str(authority.file)}
        said = started(folder, **odd)
    wrong += [f"NO_PROXY: {said}"] * bool(said)
    return Result(len(BROKEN) + 1, len(wrong), None, "; ".join(wrong) or "each named")


def started(folder: Path, **values: str) -> str:
    """The error of a login that is started under these variables; empty if there is none."""
    with variables(**values):
        try:
            start_login(FileStore(folder / "login"), anew=True, oauth_base_url=URL)
        except QwenAuthError as error:
            return str(error)
    return ""


_HEAD = b"HTTP/1.1 200 OK\r\n"
#: What comes first, and what comes then for ever.
DRIPS = {
    "headers": (_HEAD + b"X-Slow: ", b"x"),
    "103 for ever": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "chunk extension": (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;x=", b"x"),
    "CONNECT": (_HEAD + b"X-Slow: ", b"x"),
    "TLS": (b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x00"),
}


@drill(GROUP, "an OAuth server that drips before the body, with a timeout of 1 s", bar=2 * DRIP + 1)
def drips(folder: Path) -> Result:  # noqa: ARG001  # one shape for all
    took, wrong = [0.0], []
    for name, (start, more) in DRIPS.items():
        begun = time.monotonic()
        try:
            exchange(name, start, more)
        except TransportError as error:
            wrong += [f"{name}: {error}"] * ("in time" not in str(error))
        else:
            wrong.append(f"{name}: an answer")
        took.append(time.monotonic() - begun)
    return Result(len(DRIPS), len(wrong), max(took), "; ".join(wrong) or "each ended by its deadline")


def exchange(name: str, start: bytes, more: bytes) -> None:
    """One exchange with a server, or a proxy, that drips.

    Raises:
        TransportError: It ended.
    """

    def drip(connection: Any) -> None:
        connection.sendall(start)
        connection.settimeout(0.05)
        while True:
            with contextlib.suppress(TimeoutError):
                if not connection.recv(65536):
                    return
            connection.sendall(more)

    with contextlib.ExitStack() as stack:
        port = stack.enter_context(listening(drip))
        way = {}
        if name == "CONNECT":
            way = {"HTTPS_PROXY": f"http://127.0.0.1:{port}"}
        elif name == "TLS":
            way = {"HTTPS_PROXY": stack.enter_context(http_proxy(port, []))}
        stack.enter_context(variables(**way))
        url = URL if way else f"http://127.0.0.1:{port}"
        httpx_poster(OAuthRequest(f"{url}/api/v1/oauth2/token", {}, {"a": "b"}), DRIP)
