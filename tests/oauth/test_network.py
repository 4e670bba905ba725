from __future__ import annotations

import errno
import os
import pickle
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from litellm_qwen_ai.oauth import network
from litellm_qwen_ai.oauth.errors import LoginError
from litellm_qwen_ai.oauth.login import _Nowhere
from litellm_qwen_ai.oauth.network import Network, Proxy, TransportError
from litellm_qwen_ai.oauth.pending import start_login
from litellm_qwen_ai.oauth.protocol import OAuthRequest
from litellm_qwen_ai.oauth.transport import httpx_poster
from litellm_qwen_ai.sandbox import Sandbox
from tests.networks import HOST, Authority, http_proxy, listening, socks5

URL = f"https://{HOST}"
VARIABLES = ("SSL_VERIFY", "SSL_CERTIFICATE", "SSL_SECURITY_LEVEL", "NO_PROXY", "no_proxy")


@pytest.fixture(autouse=True)
def _of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(network, "_warned", set())
    monkeypatch.setattr(network, "_source", Network.from_environment)  # as in a program without LiteLLM


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secure(authority: Authority) -> Iterator[int]:
    """The port of a sandbox behind TLS, as `HOST`."""
    with Sandbox() as sandbox, authority.in_front_of(int(sandbox.url.rpartition(":")[2])) as port:
        yield port


def log_in() -> str:
    """The user code of a login that was started."""
    return start_login(_Nowhere(), oauth_base_url=URL).user_code


# -- trust -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SSL_VERIFY", "SSL_CERT_FILE"])
def test_an_authority_that_a_variable_names_is_trusted(
    secure: int, authority: Authority, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    with http_proxy(secure, asked) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(LoginError, match="its certificate is not trusted") as refused:
            log_in()
        assert HOST in str(refused.value)
        assert "SSL_CERT_FILE" in str(refused.value)
        monkeypatch.setenv(name, str(authority.file))
        assert log_in()
    assert asked == [f"{HOST}:443"] * 2


def test_what_litellm_was_told_comes_before_the_environment(
    secure: int, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = ssl.create_default_context(cafile=authority.file)
    monkeypatch.setattr(network, "_source", lambda: replace(Network.from_environment(), trust=trusted))
    with http_proxy(secure, []) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        assert log_in()


def test_to_check_nothing_is_done_and_said_once(
    secure: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SSL_VERIFY", "False")
    with http_proxy(secure, []) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        assert log_in()
        assert log_in()
    (warned,) = caplog.messages
    assert warned.startswith("SSL_VERIFY is False: certificates are not checked")


@pytest.mark.parametrize("name", ["SSL_VERIFY", "SSL_CERT_FILE"])
@pytest.mark.parametrize("value", ["/nowhere/ca.pem", "x" * 5000, ""])
def test_a_file_that_is_not_there_is_ignored_as_litellm_does(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.setenv(name, value)
    assert Network.from_environment().trust is True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSL_VERIFY", __file__),
        ("SSL_CERT_FILE", __file__),
        ("SSL_CERT_FILE", str(Path(__file__).parent)),
        ("SSL_CERTIFICATE", "/nowhere/client.pem"),
        ("SSL_CERTIFICATE", __file__),
        ("SSL_SECURITY_LEVEL", "no such cipher"),
        ("HTTPS_PROXY", "http://[half:1"),
        ("HTTPS_PROXY", "http://proxy:port"),
        ("HTTPS_PROXY", "ftp://proxy"),
        ("HTTPS_PROXY", "http://[bad]:80"),
        ("HTTPS_PROXY", "http://user:pw@[::1"),
        ("https_proxy", "http://:3128"),
        ("ALL_PROXY", "socks://127.0.0.1:9"),
        ("ALL_PROXY", "http://\u202eproxy\udc80"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(LoginError) as refused:
        log_in()
    told = str(refused.value)
    assert name in told
    assert "the connection failed" not in told
    assert f"no answer from {HOST}" in told
    assert "Traceback" not in told
    assert len(told) < 400


@pytest.mark.parametrize("host", ["proxy:1", "[::1", "[bad]:80"])
@pytest.mark.parametrize("password", ["secret", "se/cret", "se@cr#et"])
def test_an_address_of_a_proxy_is_shown_without_its_password(host: str, password: str) -> None:
    assert str(Proxy(f"http://me:{password}@{host}/path", "ALL_PROXY")) == f"{host} of ALL_PROXY"


def test_a_password_of_a_proxy_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_proxy(9, [], b"HTTP/1.1 407 secret-reason\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.replace("//", "//me:secret-word@"))
        with pytest.raises(TransportError) as refused:
            httpx_poster(OAuthRequest(f"{URL}/x", {}, {}), 10)
    assert "secret" not in str(refused.value)
    assert "the proxy did not connect (HTTP 407)" in str(refused.value)
    assert "HTTPS_PROXY" in str(refused.value)


# -- proxies -----------------------------------------------------------------


def test_socks_works_as_installed(secure: int, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with socks5(secure, asked) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy)
        assert log_in()
    assert asked == [HOST]


def test_a_socks_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(LoginError) as refused:
        log_in()
    assert f"no answer from {HOST} (set by" in str(refused.value)
    assert "through the proxy 127.0.0.1:9 of ALL_PROXY: the connection was refused" in str(refused.value)


@pytest.mark.parametrize(
    ("listed", "direct"),
    [
        ("qwen.ai", True),
        (".qwen.ai", True),
        ("*.qwen.ai", True),
        ("CHAT.qwen.ai", True),
        ("chat.qwen.ai:443", True),
        ("https://chat.qwen.ai", True),
        ("chat.qwen.ai:8443", False),
        ("wen.ai", False),
        ("other.example, qwen.ai ,", True),
        ("*", True),
        ("::1/128", False),
        ("::1/128,qwen.ai", True),
        ("[::1", False),
        ("10.0.0.0/8", False),
        ("nonsense/99", False),
        ("", False),
    ],
)
def test_hosts_that_need_no_proxy(listed: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", listed)
    found = Network.from_environment().proxy_for("https://chat.qwen.ai/api")
    assert found == (None if direct else Proxy("http://proxy.example:3128", "HTTPS_PROXY"))


@pytest.mark.parametrize(
    ("url", "listed", "direct"),
    [
        ("https://10.1.2.3/v1", "10.0.0.0/8", True),
        ("https://11.1.2.3/v1", "10.0.0.0/8", False),
        ("https://[fd00::1]/v1", "fd00::/8", True),
        ("https://[fd00::1]/v1", "[fd00::1]", True),
        ("http://127.0.0.1:9/v1", "", True),
        ("http://localhost:9/v1", "", True),
    ],
)
def test_addresses_that_need_no_proxy(
    url: str,
    listed: str,
    direct: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", listed)
    assert (Network.from_environment().proxy_for(url) is None) is direct


def test_a_no_proxy_that_httpx_cannot_read_hinders_no_login(
    secure: int, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv("NO_PROXY", "::1/128")
    with pytest.raises(httpx.InvalidURL):
        httpx.Client()
    with http_proxy(secure, []) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        assert log_in()


def test_what_is_missing_for_socks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: object) -> None:
        raise ImportError("socksio")

    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    way = Network.from_environment()
    monkeypatch.setattr(httpx, "Client", missing)
    with pytest.raises(TransportError, match=r"httpx\[socks\]"):
        way.client(URL, 1)


def test_a_server_that_speaks_no_tls_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        listening(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port,
        http_proxy(port, []) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(LoginError, match="TLS failed"):
            log_in()


# -- what went wrong -----------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (OSError(-2, "x"), "the connection failed (ConnectError)"),
        (OSError(errno.ENETUNREACH, "x"), os.strerror(errno.ENETUNREACH)),
        (socket.gaierror(-2, "unknown"), "not known to the DNS"),
        (ssl.SSLCertVerificationError(1, "self-signed"), "certificate is not trusted"),
        (ssl.SSLError(1, "wrong version"), "TLS failed"),
        (ConnectionRefusedError(111, "no"), "refused"),
        (TimeoutError(), "no whole answer in time (5 s)"),
    ],
)
def test_what_is_wrong_on_the_way_is_explained(cause: BaseException, told: str) -> None:
    error = httpx.ConnectError("secret-of-the-request")
    error.__cause__ = cause
    found = Network().explained(error, None, 5)
    assert told in found.fault
    assert "secret-of-the-request" not in str(found)
    assert found.fix
    proxy = Proxy("http://me:pw@proxy.test:1", "ALL_PROXY")
    assert "ALL_PROXY" in Network().explained(httpx.ConnectError("x"), proxy, 5).fix


@pytest.mark.parametrize(
    ("way", "told"),
    [
        (Network(), "into a file that SSL_CERT_FILE names, together with the public ones"),
        (Network(said_by="SSL_CERTIFICATE"), "into the file that SSL_CERTIFICATE names, together"),
        (Network(trust="/ca.pem", said_by="SSL_VERIFY"), "into /ca.pem (SSL_VERIFY)"),
    ],
)
def test_where_a_certificate_belongs_that_is_not_trusted_is_named(way: Network, told: str) -> None:
    error = httpx.ConnectError("x")
    error.__cause__ = ssl.SSLCertVerificationError(1, "self-signed")
    assert told in way.explained(error, None).fix


def test_an_error_of_the_network_is_pickled_whole_and_that_of_an_earlier_version_is_read() -> None:
    error = TransportError("it is off", "Switch it on", "qwen.example")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
    assert (str(copy), copy.fault, copy.fix) == (str(error), "it is off", "Switch it on")
    old = b"clitellm_qwen_ai.oauth.network\nTransportError\n(Vno answer\ntR."
    assert str(pickle.loads(old)) == "no answer"  # noqa: S301  # our own
