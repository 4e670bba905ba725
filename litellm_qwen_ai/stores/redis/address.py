"""Where the store is: what `QWEN_STORE` says, read and checked. A password leaves here for redis-py only."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

import redis
from redis.cluster import ClusterNode
from redis.connection import parse_url

from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.oauth.urls import is_loopback
from litellm_qwen_ai.settings import LITELLM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PORT, _SENTINEL_PORT = 6379, 26379
_FORMS = (
    "redis://[user:password@]host[:6379][/0], rediss:// for TLS, unix:///path, "
    "redis+sentinel://[user:password@]host:26379,host:26379/service[/0], or the word litellm"
)
#: What LiteLLM reads from `REDIS_...` and a connection takes, by redis-py's names.
_CONNECTION = ("username", "password", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs")
_YES = frozenset({"true", "1", "yes"})


@dataclass(frozen=True)
class Address:
    """One server, or those that know which one it is.

    Attributes:
        shown: For messages: hosts, port and database only.
        options: For redis-py's connections.
        nodes: Sentinels, or nodes of a cluster; none for a single server.
        service: What the sentinels call the server; None: the nodes are a cluster's.
        sentinel_options: For the connections to sentinels.
    """

    shown: str
    options: dict[str, Any] = field(repr=False)
    nodes: tuple[tuple[str, int], ...] = ()
    service: str | None = None
    sentinel_options: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_private(self) -> bool:
        """Whether what is sent is encrypted on its way, or does not leave this machine."""
        hosts = [host for host, _ in self.nodes] or [self.options.get("host", "")]
        return "unix_socket_path" in self.options or "ssl" in self.options or all(map(is_loopback, hosts))

    def without_secrets(self, text: str) -> str:
        """A text without the passwords of this address."""
        for options in (self.options, self.sentinel_options):
            if password := options.get("password"):
                text = text.replace(password, "***")
        return text

    def client(self, *, is_cluster: bool, **options: Any) -> Any:
        """A client of redis-py.

        Args:
            is_cluster: The server has said that it is one node of a cluster.
            options: More for every connection.

        Raises:
            redis.RedisError: A cluster cannot be reached; all others are reached later.
        """
        made: dict[str, Any] = {**self.options, **options}
        library: Any = redis  # not all of it is typed
        if self.service is not None:
            known = library.Sentinel(
                list(self.nodes), sentinel_kwargs={**options, **self.sentinel_options}, **made
            )
            return known.master_for(self.service)
        if not self.nodes and not is_cluster:
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
        ConfigurationError: It is no address.
    """
    found, named = None, "QWEN_STORE"
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):  # they may hold the password
        if text == LITELLM:
            named = "What REDIS_URL, REDIS_HOST and the like say"
            found = _of_litellm(litellm)
        else:
            found = _of_url(text)
    if found is None:
        raise ConfigurationError(
            f"{named} is no address of a store: {_FORMS} is expected, with special characters of a password "
            "percent-encoded (@ is %40, / is %2F). `litellm` means what REDIS_URL says, or REDIS_HOST and "
            "REDIS_PORT, REDIS_CLUSTER_NODES, or REDIS_SENTINEL_NODES with REDIS_SERVICE_NAME; a proxy also "
            "uses its config (cache_params, router_settings), which commands cannot see: "
            "they need the variables."
        )
    return found


def _of_url(text: str) -> Address | None:
    parts = urlsplit(text)
    scheme, _, kind = parts.scheme.partition("+")
    if (scheme, kind) == ("unix", ""):
        options = parse_url(text)  # type: ignore[no-untyped-call]  # redis-py's
        path = options.pop("path")
        return Address(f"unix://{path}", _plain({**options, "unix_socket_path": path}))
    if scheme not in {"redis", "rediss"} or kind not in {"", "sentinel"} or parts.fragment:
        return None
    user, at, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").rpartition("/") if not kind else _service(parts.path)
    nodes = tuple(_node(host, _SENTINEL_PORT if kind else _PORT) for host in hosts.split(","))
    if (
        (database and not database.isdecimal())
        or (len(nodes) > 1 and not kind)
        or bool(service) != bool(kind)
    ):
        return None
    single = urlunsplit(("redis", f"{user}{at}host", f"/{database}", parts.query, ""))
    options = _plain(parse_url(single))  # type: ignore[no-untyped-call]  # redis-py's
    if scheme == "rediss":
        options["ssl"] = True
    if not kind:
        return _single(nodes[0], options)
    asked = {
        name: options.pop(f"sentinel_{name}")
        for name in ("username", "password")
        if f"sentinel_{name}" in options
    }
    return _sentinels(nodes, service, options, asked)


def _service(path: str) -> tuple[str, str, str]:
    return path.strip("/").partition("/")


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Without redis-py's classes, and without the host that stood for another."""
    return {
        name: value for name, value in options.items() if name not in {"connection_class", "host", "port"}
    }


def _node(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("no host")
    return unquote(parts.hostname), parts.port or port


def _hosts(nodes: Iterable[tuple[str, int]]) -> str:
    return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in nodes)


def _single(node: tuple[str, int], options: dict[str, Any]) -> Address:
    scheme = "rediss" if "ssl" in options else "redis"
    shown = f"{scheme}://{_hosts([node])}/{options.get('db', 0)}"
    return Address(shown, {**options, "host": node[0], "port": node[1]})


def _sentinels(
    nodes: tuple[tuple[str, int], ...], service: str, options: dict[str, Any], asked: dict[str, Any]
) -> Address:
    scheme = "redis"
    if "ssl" in options:
        scheme, asked = "rediss", {**asked, "ssl": True}
    shown = f"{scheme}+sentinel://{_hosts(nodes)}/{service}/{options.get('db', 0)}"
    return Address(shown, options, nodes, service, asked)


def _of_litellm(told: Mapping[str, str]) -> Address | None:
    """The Redis that LiteLLM's environment names, in LiteLLM's order: cluster, sentinels, address, host."""
    options: dict[str, Any] = {name: told[name] for name in _CONNECTION if name in told}
    if told.get("ssl", "").lower() in _YES:
        options["ssl"] = True
    if "cluster_nodes" in told:
        nodes = tuple((node["host"], int(node["port"])) for node in json.loads(told["cluster_nodes"]))
        return Address(f"redis cluster {_hosts(nodes)}", options, nodes)
    options["db"] = int(told.get("db", 0))
    if "sentinel_nodes" in told:
        nodes = tuple((host, int(port)) for host, port in json.loads(told["sentinel_nodes"]))
        asked = {"password": told["sentinel_password"]} if "sentinel_password" in told else {}
        return _sentinels(nodes, told["service_name"], options, asked)
    if "url" in told:
        return _of_url(told["url"])
    return _single((told["host"], int(told.get("port", _PORT))), options)
