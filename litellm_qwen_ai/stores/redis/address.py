"""Where the store is: what `QWEN_STORE` says, read and checked. A password leaves here for redis-py only."""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
from redis.cluster import ClusterNode

from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.oauth.urls import is_loopback
from litellm_qwen_ai.plans import wrapping
from litellm_qwen_ai.settings import LITELLM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_PORT, _SENTINEL_PORT, _LAST_PORT = 6379, 26379, 65535
_YES = frozenset({"true", "1", "yes"})
_DEMANDS = {"none": "none", "optional": "optional", "required": "required"}
_NO_ADDRESS = (
    "QWEN_STORE is no address of a store. Expected is redis://[user:password@]host[:6379][/0], rediss:// for "
    "TLS, unix:///path, redis+sentinel://[user:password@]host:26379,host:26379/service[/0], or the word "
    "litellm; special characters of a password are percent-encoded (@ is %40, / is %2F, ? is %3F, # is %23)."
)
_NO_REDIS = (
    "QWEN_STORE=litellm finds no Redis: it means what REDIS_URL says, or REDIS_HOST and REDIS_PORT, "
    "REDIS_CLUSTER_NODES, or REDIS_SENTINEL_NODES with REDIS_SERVICE_NAME. A proxy also uses its config "
    "(cache_params, router_settings), which commands cannot see: they need the variables."
)


class _FaultError(ValueError):
    """What is wrong with an option; no secret is in the text."""


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError
    return int(text)


def _file(path: str) -> str:
    with Path(path).open("rb"):
        return path


def _authorities(path: str) -> str:
    ssl.create_default_context(cafile=path)
    return path


#: The options that an address or LiteLLM may name: how each is read, and what is wrong if that fails.
_OPTIONS: dict[str, tuple[Callable[[str], Any], str]] = {
    **dict.fromkeys(("username", "password", "sentinel_username", "sentinel_password"), (str, "")),
    "ssl_password": (str, ""),
    "ssl_check_hostname": (lambda text: text.lower() in _YES, ""),
    "ssl_cert_reqs": (_DEMANDS.__getitem__, "is neither none, optional nor required"),
    "ssl_ca_certs": (_authorities, "names no file with certificates in PEM that can be read"),
    **dict.fromkeys(("ssl_certfile", "ssl_keyfile"), (_file, "names no file that can be read")),
    "db": (_number, "is no number"),
}
#: Options of redis-py about what is ours to decide: how often to try, how long to wait, how answers are read.
_OURS = (
    *("decode_responses", "encoding", "encoding_errors", "legacy_responses", "protocol", "client_name"),
    *("retry", "retry_on_error", "retry_on_timeout", "health_check_interval", "max_connections"),
    *("timeout", "socket_timeout", "socket_connect_timeout", "socket_keepalive", "socket_read_size"),
    "single_connection_client",
)


@dataclass(frozen=True)
class Address:
    """One server, or those that know which one it is.

    Attributes:
        shown: For messages: hosts, port and database only.
        options: For redis-py's connections; `sentinel_...` are for those to sentinels.
        nodes: Sentinels, or nodes of a cluster; none for a single server.
        service: What the sentinels call the server; None: the nodes are a cluster's.
    """

    shown: str
    options: dict[str, Any] = field(repr=False)
    nodes: tuple[tuple[str, int], ...] = ()
    service: str | None = None

    @property
    def is_private(self) -> bool:
        """Whether what is sent is encrypted on its way, or does not leave this machine."""
        hosts = [host for host, _ in self.nodes] or [self.options.get("host", "")]
        return "unix_socket_path" in self.options or "ssl" in self.options or all(map(is_loopback, hosts))

    def without_secrets(self, text: str) -> str:
        """A text without the passwords of this address."""
        for name, value in self.options.items():
            if name.endswith("password") and value:
                text = text.replace(value, "***")
        return text

    def client(self, *, is_cluster: bool, **options: Any) -> Any:
        """A client of redis-py.

        Args:
            is_cluster: It is one, or the server has said that it is part of one.
            options: More for every connection.

        Raises:
            redis.RedisError: A cluster cannot be reached; all others are reached later.
        """
        made, asking = {**options}, {**options}
        for name, value in self.options.items():
            if name.startswith(("sentinel_", "ssl")):
                asking[name.removeprefix("sentinel_")] = value
            if not name.startswith("sentinel_"):
                made[name] = value
        library: Any = redis  # not all of it is typed
        if self.service is not None:
            return library.Sentinel(list(self.nodes), sentinel_kwargs=asking, **made).master_for(self.service)
        if not is_cluster:
            return library.Redis(**made)
        node: Any = ClusterNode
        nodes = self.nodes or ((made["host"], made["port"]),)
        for name in ("host", "port", "db"):
            made.pop(name, None)
        return library.RedisCluster(startup_nodes=[node(host, port) for host, port in nodes], **made)


def address_of(text: str, litellm: Mapping[str, str]) -> Address:
    """What `QWEN_STORE` says.

    Args:
        text: The variable.
        litellm: What LiteLLM's own variables say, by their names without `REDIS_`, in lower case.

    Raises:
        ConfigurationError: It is no address, or an option in it cannot be used.
    """
    try:
        return _of_litellm(litellm) if text == LITELLM else _of_url(text)
    except _FaultError as found:
        fault = f"QWEN_STORE{'=litellm' if text == LITELLM else ''} cannot be used: {found}."
    except (ValueError, TypeError, KeyError, AttributeError):
        fault = _NO_REDIS if text == LITELLM else _NO_ADDRESS
        if around := wrapping(text, surely=True):
            fault = f"QWEN_STORE stands {around}. Give the address alone."
    raise ConfigurationError(fault)  # outside of `except`: what was caught may hold the password


def _of_url(text: str) -> Address:
    # urlsplit() is for one host: of several, Python 3.14 refuses those in brackets. It gets the rest alone.
    kinds, mark, after = text.partition("://")
    place = re.split("[/?#]", after, maxsplit=1)[0]
    parts = urlsplit(f"{kinds}{mark}{after[len(place) :]}")
    scheme, _, kind = parts.scheme.partition("+")
    login, _, hosts = place.rpartition("@")
    # A raw / ? or # in a password ends the part of the address that it stands in, and its @ comes after that.
    rest = parts.query + (parts.path if place else "")
    if scheme not in {"redis", "rediss", "unix"} or "@" in rest or parts.fragment:
        raise ValueError("no address, or a password that is not percent-encoded")
    user, _, password = login.partition(":")
    named = {"username": unquote(user), "password": unquote(password)}
    told = {name: value for name, value in named.items() if value}
    told.update(parse_qsl(parts.query, keep_blank_values=True))
    if scheme == "unix":
        if kind or hosts or not parts.path:
            raise ValueError("no path")
        return _socket(unquote(parts.path), _options(told))
    service, _, database = parts.path.strip("/").partition("/") if kind else ("", "", parts.path.strip("/"))
    nodes = [_node(host, _SENTINEL_PORT if kind else _PORT) for host in hosts.split(",")]
    if kind not in {"", "sentinel"} or bool(service) != bool(kind):
        raise ValueError("no address")
    if database:
        told.setdefault("db", str(int(database)))
    return _address(nodes, _options(told, tls=scheme == "rediss"), service)


def _options(told: Mapping[str, str], *, tls: bool = False) -> dict[str, Any]:
    """The options of a connection; a `_FaultError` if one cannot be used."""
    found: dict[str, Any] = {"ssl": True} if tls else {}
    for name, text in told.items():
        if name in _OURS:
            continue
        if name not in _OPTIONS:  # a raw & in a password would make a name of what follows
            named = "of its options" if any("password" in one for one in told) else repr(name)
            raise _FaultError(f"it knows no option {named}; docs/fleet.md names those that it takes")
        if name.startswith("ssl_") and not tls:
            raise _FaultError(f"its option {name} needs TLS, which is rediss://")
        read, fault = _OPTIONS[name]
        try:
            found[name] = read(text)
        except (ValueError, LookupError, OSError):
            raise _FaultError(f"its option {name} {fault}") from None
    return found


def _node(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return _checked(unquote(parts.hostname or ""), parts.port or port)


def _checked(host: str, port: Any) -> tuple[str, int]:
    if not host or not 0 < int(port) <= _LAST_PORT:
        raise ValueError("no host, or no port")
    return host, int(port)


def _hosts(nodes: Iterable[tuple[str, int]]) -> str:
    return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in nodes)


def _address(nodes: list[tuple[str, int]], options: dict[str, Any], service: str = "") -> Address:
    """Of one server, or of the sentinels of a service."""
    scheme = "rediss" if "ssl" in options else "redis"
    if service:
        shown = f"{scheme}+sentinel://{_hosts(nodes)}/{service}/{options.get('db', 0)}"
        return Address(shown, options, tuple(nodes), service)
    ((host, port),) = nodes
    return Address(
        f"{scheme}://{_hosts(nodes)}/{options.get('db', 0)}", {**options, "host": host, "port": port}
    )


def _socket(path: str, options: dict[str, Any]) -> Address:
    database = options.get("db", 0)
    shown = f"unix://{path}" + (f"?db={database}" if database else "")
    return Address(shown, {**options, "unix_socket_path": path})


def _of_litellm(told: Mapping[str, str]) -> Address:
    """The Redis that LiteLLM's environment names, in LiteLLM's order: cluster, address, sentinels, host.

    A socket counts beside a host only, and takes its place.
    """
    tls = told.get("ssl", "").lower() in _YES
    named = {name: told[name] for name in _OPTIONS if name in told and (tls or not name.startswith("ssl_"))}
    options = _options(named, tls=tls)
    if "cluster_nodes" in told:
        nodes = [_checked(node["host"], node["port"]) for node in json.loads(told["cluster_nodes"])]
        return Address(f"redis cluster {_hosts(nodes)}", options, tuple(nodes))
    if "url" in told:
        return _of_url(told["url"])
    if "sentinel_nodes" in told:
        nodes = [_checked(host, port) for host, port in json.loads(told["sentinel_nodes"])]
        return _address(nodes, options, told["service_name"])
    host = _checked(told["host"], told.get("port", _PORT))
    if "unix_socket_path" in told:
        plain = {name: value for name, value in options.items() if not name.startswith("ssl")}
        return _socket(told["unix_socket_path"], plain)
    return _address([host], options)
