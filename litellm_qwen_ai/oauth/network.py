"""How servers are reached for logins, renewals and commands: what is trusted, and through which proxy.

The variables mean what they mean to LiteLLM, so that one set-up serves chat and login alike. In a program
that uses LiteLLM, what that was told in Python or in a config comes first: `route/` hands it in (`use`).
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from litellm_qwen_ai.oauth.urls import is_loopback

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    import httpx

CONNECT = 10.0  # seconds for each of a host's addresses: the next one may answer
#: What to do where LiteLLM's asynchronous client, of aiohttp, does less than httpx.
AIOHTTP_OFF = "Set DISABLE_AIOHTTP_TRANSPORT=True"
_NOT_IN_TIME, _NOT_TRUSTED = "no whole answer in time", "its certificate is not trusted"
_SLOW = (_NOT_IN_TIME, "Check the network and any firewall")
_CUT = ("the connection ended early, or what came is no HTTP", "Try again, and check the address")
_UNKNOWN = ("the connection failed", "Check the network and any proxy")
#: By an exception's name or its base's, the first that is found: what is wrong, and what to do about it.
_FAULTS = {
    "gaierror": ("its name is not known to the DNS", "Check the network and the name"),
    "SSLCertVerificationError": (_NOT_TRUSTED, ""),
    "SSLError": ("TLS failed", "Check the address, and what stands between"),
    "TimeoutError": _SLOW,
    "TimeoutException": _SLOW,
    "ProxyError": ("the proxy did not connect", ""),
    "ConnectionRefusedError": ("the connection was refused", "Check the address and the network"),
    "ProtocolError": _CUT,
    "ReadError": _CUT,
}
# Patterns, compiled when they are needed: this is loaded with every `import litellm`.
_PATH = r"(?s)[/?#].*"
_NAME = r"(\*?\.?[\w.-]+|\*)(:\d+)?"  # what an entry of NO_PROXY may be, but for addresses
_log = logging.getLogger(__name__)
_warned: set[str] = set()


class TransportError(Exception):
    """No answer came: no way there, a broken one, or none in time. Inside this package only.

    Nothing that a server sent, and nothing of the request, is in it: only what is wrong (no sentence), what a
    person can do about it (no full stop), and the server with the way to it.
    """

    def __init__(self, fault: str, fix: str = "", where: str = "") -> None:
        told = f"{fault}. {fix}" if fix else fault  # unpickled, it is given its whole text alone
        super().__init__(f"no answer from {where}: {told}" if where else told)
        self.fault, self.fix = fault, fix


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable that names it."""

    address: str
    variable: str

    def __str__(self) -> str:
        """For messages: without the password that it may hold."""
        host = re.sub(_PATH, "", self._after_scheme().rpartition("@")[2])
        return f"{host.encode('ascii', 'backslashreplace').decode()} of {self.variable}"

    def secrets(self) -> list[str]:
        """The name and password that it may hold, as they are written, and the password as it is meant."""
        user = self._after_scheme().rpartition("@")[0]
        return [user, unquote(user.partition(":")[2])] if user else []

    def _after_scheme(self) -> str:
        return self.address.partition("://")[2]  # urlsplit() refuses some of what people write


@dataclass(frozen=True, slots=True)
class Network:
    """One way to reach servers.

    Attributes:
        trust: True for the certificates that httpx brings along (certifi's), a file with others in their
            place (PEM), a context that LiteLLM made, or False to check nothing.
        said_by: The variable or setting that says so, for messages.
        certificate: A file (PEM) with a certificate of our own and its key, or None.
        ciphers: An OpenSSL list of ciphers, or None.
        proxies: Pairs of a scheme, or `all`, and the proxy for it.
        direct: The hosts that need none, as `NO_PROXY` lists them.
    """

    trust: bool | str | ssl.SSLContext = True
    said_by: str = ""
    certificate: str | None = None
    ciphers: str | None = None
    proxies: tuple[tuple[str, Proxy], ...] = ()
    direct: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls) -> Network:
        """What the environment says now; of proxies, also what macOS and Windows have in their settings."""
        from urllib.request import getproxies  # noqa: PLC0415  # 10 ms of import, as `ssl` below

        trust, said_by = _trust()
        found = getproxies()
        return cls(
            trust=trust,
            said_by=said_by,
            certificate=os.environ.get("SSL_CERTIFICATE") or None,
            ciphers=os.environ.get("SSL_SECURITY_LEVEL") or None,
            proxies=tuple(
                (scheme, Proxy(address if "://" in address else f"http://{address}", _variable(scheme)))
                for scheme, address in found.items()
                if scheme in {"http", "https", "all"} and address
            ),
            direct=tuple(filter(None, map(str.strip, found.get("no", "").lower().split(",")))),
        )

    def proxy_for(self, url: str) -> Proxy | None:
        """The proxy on the way to a URL; never one to this machine, which the request must not leave."""
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        if is_loopback(host) or any(_names(entry, host, parts.port) for entry in self.direct):
            return None
        proxies = dict(self.proxies)
        return proxies.get(parts.scheme) or proxies.get("all")

    def client(self, url: str, timeout: float) -> httpx.Client:
        """A client for one URL, which follows no redirect and reads no variable of its own.

        Raises:
            TransportError: It cannot be made; the text names the variable.
        """
        import httpx  # noqa: PLC0415  # 200 ms of import that no command needs before it talks to a server

        proxy = self.proxy_for(url)
        # Loopback's http needs no certificates: reading them takes 17 ms.
        verify = self._context() if urlsplit(url).scheme == "https" else False
        try:
            return httpx.Client(
                timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT)),
                verify=verify,
                proxy=None if proxy is None else proxy.address,
                follow_redirects=False,
                trust_env=False,
            )
        except ImportError:
            raise TransportError("the package socksio is missing", "pip install 'httpx[socks]'") from None
        except (ValueError, httpx.InvalidURL):
            variable = proxy.variable if proxy else "the proxy's variable"
        # Raised outside of `except`: httpx's error holds the proxy's address, and with it a password.
        fix = f"Write http://host:port or socks5://host:port into {variable}, or unset it"
        raise TransportError(f"{variable} names no proxy that can be used", fix)

    def faults_of_no_proxy(self) -> Iterator[tuple[str, str]]:
        """What is wrong with entries of `NO_PROXY`, and what to do about it (no sentences)."""
        for entry in self.direct:
            if _breaks_httpx(entry):
                fix = "Write an address without its /number" if _network(entry) else "Take it out"
                yield f"NO_PROXY holds {entry!r}, with which LiteLLM can make no synchronous client", fix
            elif not _network(entry) and not re.fullmatch(_NAME, entry.rpartition("://")[2]):
                yield f"NO_PROXY holds {entry!r}, which names no host and is passed over", "Take it out"

    def explained(self, error: BaseException, proxy: Proxy | None, seconds: float = 0.0) -> TransportError:
        """What httpx's `error` means, without a word of the other side's or of the request.

        Args:
            error: What came.
            proxy: The one on the way.
            seconds: How long was waited.
        """
        causes = _causes(error)
        kinds = {kind.__name__ for one in causes for kind in type(one).__mro__}
        fault, fix = next((told for name, told in _FAULTS.items() if name in kinds), _UNKNOWN)
        detail = next(filter(None, map(_detail, causes)), type(error).__name__)
        if fault is _NOT_IN_TIME:
            detail = f"{seconds:g} s"
        if fault is _NOT_TRUSTED:
            fix = self._trust_fix()
        elif proxy is not None:
            fix = f"Check {proxy.variable} and NO_PROXY"
        return TransportError(f"{fault} ({detail})", fix)

    def _trust_fix(self) -> str:
        if isinstance(self.trust, str):
            return f"Put the certificate of its authority into {self.trust} ({self.said_by})"
        where = f"the file that {self.said_by} names" if self.said_by else "a file that SSL_CERT_FILE names"
        return (
            f"If your network inspects TLS, put its certificate into {where}, together with the public ones; "
            "check the clock too"
        )

    def _context(self) -> ssl.SSLContext:
        """What TLS is spoken with."""
        import ssl  # noqa: PLC0415  # as above

        import httpx  # noqa: PLC0415  # as above

        if self.trust is False and self.said_by not in _warned:
            _warned.add(self.said_by)
            _log.warning(
                "%s is False: certificates are not checked, and whoever is on the way can read the login. "
                "To trust a certificate of your own, name its file there instead.",
                self.said_by,
            )
        if isinstance(self.trust, str):
            with setting(f"{self.said_by}={self.trust}", "Name a readable file of certificates (PEM)"):
                context = ssl.create_default_context(cafile=self.trust)
        elif isinstance(self.trust, bool):
            context = httpx.create_ssl_context(verify=self.trust, trust_env=False)
        else:
            context = self.trust
        if self.ciphers is not None:
            with setting(
                f"SSL_SECURITY_LEVEL={self.ciphers}", "Write a list of ciphers as OpenSSL knows them"
            ):
                context.set_ciphers(self.ciphers)
        if self.certificate is not None:
            fix = "Name a readable file with a certificate and its key (PEM)"
            with setting(f"SSL_CERTIFICATE={self.certificate}", fix):
                context.load_cert_chain(self.certificate)
        return context


_source: Callable[[], Network] = Network.from_environment


def current() -> Network:
    """The network of this process as it is now."""
    return _source()


def use(source: Callable[[], Network]) -> None:
    """Let another function say what the network of this process is; asked before each exchange."""
    global _source  # noqa: PLW0603  # one process has one network
    _source = source


@contextlib.contextmanager
def setting(name: str, fix: str) -> Iterator[None]:
    """Turn what a setting's use raises into a `TransportError` that names it, with what to do about it."""
    try:
        yield
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise TransportError(f"{name} cannot be used ({reason})", fix) from None


def _trust() -> tuple[bool | str, str]:
    """What `SSL_VERIFY` and `SSL_CERT_FILE` say, read as LiteLLM reads them: it ignores what is not there."""
    said, file = os.environ.get("SSL_VERIFY", ""), os.environ.get("SSL_CERT_FILE", "")
    if is_there(said):
        return said, "SSL_VERIFY"
    if said.strip().lower() == "false":
        return False, "SSL_VERIFY"
    return (file, "SSL_CERT_FILE") if is_there(file) else (True, "")


def is_there(path: str) -> bool:
    """Whether there is such a file, by LiteLLM's rule: one that cannot be looked at is not."""
    return bool(path) and os.path.exists(path)  # noqa: PTH110  # Path.exists() raises for some of those


def _variable(scheme: str) -> str:
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())  # in the order of Python's getproxies()
    return next((name for name in names if os.environ.get(name)), "the system's settings")


def _names(entry: str, host: str, port: int | None) -> bool:
    """Whether an entry of `NO_PROXY` means a host: by its name or one above it, its address, or a network."""
    entry = entry.rpartition("://")[2]
    if entry == "*":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host) in (_network(entry.strip("[]")) or ())
    name, _, number = entry.partition(":")
    name = name.lstrip("*").lstrip(".")
    below = host == name or host.endswith(f".{name}")
    return bool(name) and below and number in {"", str(port or 443)}


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The network, or the one address, that an entry of `NO_PROXY` is."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_network(entry, strict=False)
    return None


def _breaks_httpx(entry: str) -> bool:
    """Whether no httpx client can be made, in LiteLLM as anywhere, with this in `NO_PROXY`."""
    import httpx  # noqa: PLC0415  # as above

    found = _network(entry)
    if found is not None:
        pattern = f"all://[{entry}]" if ":" in entry else "all://1.2.3.4"
    else:
        pattern = entry if "://" in entry else f"all://*{entry}"
    try:
        httpx.URL(pattern)
    except httpx.InvalidURL:
        return True
    return False


def _detail(error: BaseException) -> str:
    """More about an exception, if it says anything that no server chose."""
    import ssl  # noqa: PLC0415  # as above

    if isinstance(error, ssl.SSLCertVerificationError):
        return getattr(error, "verify_message", "").rstrip(".")
    if isinstance(error, ssl.SSLError):
        return getattr(error, "reason", "") or ""
    if isinstance(error, OSError) and (error.errno or 0) > 0:
        return os.strerror(error.errno or 0)
    status = str(error)[:3]
    return f"HTTP {status}" if type(error).__name__ == "ProxyError" and status.isdigit() else ""


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found
