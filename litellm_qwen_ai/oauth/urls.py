"""Which URLs a token may travel to: https, or http on this machine; no name or password inside.

For a key, whose user chooses the address, plain http to another machine is one of them.
"""

from __future__ import annotations

import functools
import ipaddress
from urllib.parse import urlsplit

from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.plans import completed, wrapping

_UNICAST = ipaddress.ip_network("2000::/3")  # all that IPv6 gives out to the public (RFC 4291 section 2.4)
#: No public addresses, though some versions of Python say so (IANA's special-purpose registries).
_SPECIAL = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2002::/16", "3fff::/20")))


def is_loopback(host: str) -> bool:
    """True for `localhost`, 127.0.0.0/8 and ::1."""
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def checked_url(url: str, name: str) -> str:
    """The URL without trailing slashes, if a token may be sent there.

    Args:
        url: An absolute URL.
        name: What to call it in the message, e.g. `QWEN_OAUTH_BASE_URL`.

    Raises:
        ConfigurationError: It is no such URL; the message says why. A password in it is not shown.
    """
    fault = _fault(url)
    if fault:
        raise ConfigurationError(f"{name} cannot be used: {fault}.")
    return url.rstrip("/")


@functools.lru_cache(maxsize=64)  # asked at every call
def own_url(base_url: str, name: str = "The key's base URL") -> str:
    """The base URL of a key, as `own_base` made it; `name` is what a message calls it.

    Raises:
        ConfigurationError: It is none.
    """
    fault = _fault(base_url, own=True)
    if fault:
        raise ConfigurationError(f"{name} cannot be used: {fault}.")
    return base_url


def own_base(typed: str, name: str = "The key's base URL") -> str:
    """The base URL that a user means for a key, read as a call's `api_base` is.

    A missing scheme becomes https (http on this machine), an empty path `/v1`, and Model Studio's own address
    that of its OpenAI-compatible API.

    Raises:
        ConfigurationError: It is no URL that a key can be sent to.
    """
    text = typed.strip()
    if "://" not in text:
        text = f"{'http' if leads_here(text) else 'https'}://{text}"
    url = completed(own_url(text, name).rstrip("/").removesuffix("/chat/completions"))
    return url if urlsplit(url).path else f"{url}/v1"


@functools.lru_cache(maxsize=256)  # asked at every call: saves it 20 us
def api_base_of(resource_url: str) -> str:
    """The chat base URL behind a login's `resource_url`: `portal.qwen.ai` -> `https://portal.qwen.ai/v1`.

    A server wrote it, so it may not lead into the user's own network: besides a name (which is not looked up)
    only a public address or one of this machine is taken. `QWEN_API_BASE` is the user's and may name any.

    Raises:
        ConfigurationError: No token may be sent there.
    """
    absolute = resource_url if "://" in resource_url else f"https://{resource_url}"
    url = completed(checked_url(absolute, "the login's resource_url"))
    host = urlsplit(url).hostname or ""
    if _is_private(host):
        raise ConfigurationError(
            f"the login's resource_url cannot be used: {host!r} is no public address. If it is right all the "
            "same, set QWEN_API_BASE to it."
        )
    return url if url.endswith("/v1") else f"{url}/v1"


def leads_here(resource_url: str) -> bool:
    """Whether a login's `resource_url` leads to this machine, whatever its scheme."""
    try:
        host = urlsplit(resource_url if "://" in resource_url else f"//{resource_url}").hostname or ""
    except ValueError:
        return False  # refused as no URL, later
    return is_loopback(host.rstrip(".")) or host.rstrip(".").endswith(".localhost")


def _is_private(host: str) -> bool:
    """Whether a host is an address of a private network, or a number that a resolver could take for one."""
    address = _address(host)
    if address is None:
        last = host.rstrip(".").rpartition(".")[2].lower()
        return last.isdigit() or last.startswith("0x")  # 10.1, 0x0a000001: old spellings of addresses
    if address.is_loopback:
        return False
    if address.version == 6 and address not in _UNICAST:  # noqa: PLR2004  # the protocol's version
        return True  # NAT64, IPv4 inside IPv6, site-local: ways into networks that are nobody's or one's own
    return not address.is_global or address.is_multicast or any(address in one for one in _SPECIAL)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is, an IPv4 one also if it is written as `::ffff:...`; None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _fault(url: str, *, own: bool = False) -> str | None:
    """What keeps a URL from being used, in words; `own`: its user chose it, and may choose plain http."""
    if around := wrapping(url, surely=True):
        return f"it stands {around}"
    # urlsplit drops tabs and line ends silently, so they are looked for first.
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "it holds characters that no URL has"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is no URL"
    if "@" in parts.netloc:
        return "it holds a user name or password"
    return _form_fault(url, parts.scheme, host or "", own=own)


def _form_fault(url: str, scheme: str, host: str, *, own: bool) -> str | None:
    if scheme not in {"http", "https"} or not host:
        return f"{url!r} is not of the form https://host"
    if "?" in url or "#" in url:
        return f"what follows {scheme}://{host} has a query or a fragment"  # which may be a secret
    if scheme == "http" and not own and not is_loopback(host):
        return f"{url!r} is plain http to another machine; only https is allowed there"
    return None
