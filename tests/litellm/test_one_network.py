"""One network for chat and for the renewal of a login: a TLS server that only a proxy leads to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox
from tests.litellm.conftest import closing
from tests.networks import HOST, Authority, http_proxy, socks5

Proxied = Callable[[int, list[str]], AbstractContextManager[str]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def _clients_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """LiteLLM keeps its clients for an hour, whatever the variables say meanwhile."""
    cache = type(litellm.in_memory_llm_clients_cache)()
    monkeypatch.setattr(litellm, "in_memory_llm_clients_cache", cache)
    yield
    for handler in cache.cache_dict.values():
        if isinstance(getattr(handler, "client", None), httpx.Client):
            handler.client.close()


@pytest.fixture
def office(authority: Authority, token_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a Qwen behind TLS, and an expired login at it."""
    for name in ("NO_PROXY", "no_proxy", "SSL_VERIFY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    with Sandbox(resource_url=f"https://{HOST}/v1") as sandbox:
        sandbox.write_credentials(token_dir, lifetime=-60)
        monkeypatch.setenv("QWEN_TOKEN_DIR", str(token_dir))
        monkeypatch.setenv("QWEN_OAUTH_BASE_URL", f"https://{HOST}")
        with authority.in_front_of(int(sandbox.url.rpartition(":")[2])) as port:
            yield port


def test_an_authority_that_litellm_was_told_of_is_trusted_by_the_renewal(
    office: int, authority: Authority, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litellm, "ssl_verify", str(authority.file))
    asked: list[str] = []
    with http_proxy(office, asked) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        assert ask("ping").choices[0].message.content
    assert set(asked) == {f"{HOST}:443"}
    assert len(asked) == 2


def test_ssl_verify_false_is_honoured_by_both_and_warned_of(
    office: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ask: Any
) -> None:
    monkeypatch.setattr("litellm_qwen_ai.oauth.network._warned", set())
    monkeypatch.setattr(litellm, "ssl_verify", False)
    with http_proxy(office, []) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        assert ask("ping").choices[0].message.content
    (warned,) = [text for text in caplog.messages if "certificates are not checked" in text]
    assert warned.startswith("litellm.ssl_verify")


def completes(stream: bool) -> None:
    list(litellm.completion(**ASKED, stream=stream))


def acompletes(stream: bool) -> None:
    async def run() -> None:
        answer = await litellm.acompletion(**ASKED, stream=stream)
        async for _ in answer:
            pass

    asyncio.run(closing(run()))


ASKED: dict[str, Any] = {
    "model": "qwen_ai/coder-model",
    "messages": [{"role": "user", "content": "ping"}],
    "api_key": "k",
    "api_base": f"https://{HOST}/v1",
    "max_retries": 0,
}


@pytest.mark.usefixtures("office")
def test_a_broken_file_of_certificates_is_named(
    ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    monkeypatch.setattr(litellm, "ssl_verify", str(tmp_path / "ca.pem"))
    with pytest.raises(litellm.ServiceUnavailableError) as failed:
        ask("ping", max_retries=0)
    assert (
        "litellm.ssl_verify, SSL_VERIFY or SSL_CERT_FILE or SSL_SECURITY_LEVEL names cannot be used"
        in str(failed.value)
    )
    assert "Traceback" not in str(failed.value)


@pytest.mark.parametrize("proxied", [socks5, http_proxy])
def test_chat_goes_through_the_proxy_that_the_renewal_went_through(
    office: int, authority: Authority, proxied: Proxied, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv("DISABLE_AIOHTTP_TRANSPORT", "True")  # async SOCKS needs it: aiohttp speaks none
    asked: list[str] = []
    with proxied(office, asked) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy)
        assert ask("ping").choices[0].message.content
    assert len(asked) == 2


def test_the_error_of_async_chat_through_socks_says_what_it_needs(
    office: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISABLE_AIOHTTP_TRANSPORT", raising=False)
    with socks5(office, []) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy)
        for stream in (False, True):
            with pytest.raises(litellm.APIConnectionError) as failed:
                acompletes(stream)
            assert str(failed.value).endswith(
                "of ALL_PROXY. aiohttp, which asynchronous calls use, speaks no SOCKS: "
                "Set DISABLE_AIOHTTP_TRANSPORT=True."
            )


NO_WAY = [
    (
        {"HTTPS_PROXY": "http://me:hunter2@127.0.0.1:9"},
        "through the proxy 127.0.0.1:9 of HTTPS_PROXY. Check HTTPS",
    ),
    ({"HTTPS_PROXY": "http://me:hunter2@host:port"}, "HTTPS_PROXY names no proxy that can be used"),
    ({"HTTPS_PROXY": "http://me:hun/ter2@[::1"}, "HTTPS_PROXY names no proxy that can be used"),
    ({"HTTPS_PROXY": "http://[bad]:80"}, "HTTPS_PROXY names no proxy that can be used"),
    ({"ALL_PROXY": "ftp://me:hunter2@127.0.0.1:9"}, "ALL_PROXY"),
]
NO_SYNC_CLIENT = [
    ({"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "::1/128"}, "NO_PROXY holds '::1/128'"),
    ({"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "[,http://[::"}, "NO_PROXY holds 'http://[::'"),
    ({"HTTP_PROXY": "http://proxy:port"}, "HTTP_PROXY names no proxy that can be used"),
    ({"SSL_CERTIFICATE": "/nowhere"}, "SSL_CERTIFICATE=/nowhere cannot be used (No such file"),
]
NO_CLIENT = [
    ({"SSL_SECURITY_LEVEL": "nonsense"}, "SSL_SECURITY_LEVEL names cannot be used"),
    ({"SSL_CERT_FILE": __file__}, "SSL_CERT_FILE or SSL_SECURITY_LEVEL names cannot be used"),
]


@pytest.mark.filterwarnings("ignore:.*cert=:DeprecationWarning")  # LiteLLM's sync client is made so
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("call", "variables", "told"),
    [(call, *row) for call in (completes, acompletes) for row in NO_WAY + NO_CLIENT]
    + [(completes, *row) for row in NO_SYNC_CLIENT],
)
def test_an_error_of_chat_names_the_variable_and_no_password(
    call: Any, variables: dict[str, str], told: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(litellm.APIConnectionError) as failed:
        call(stream)
    text = str(failed.value)
    assert told in text
    assert "hun" not in text
    assert "Traceback" not in text


def test_an_untrusted_certificate_is_told_with_the_file_to_put_its_authority_into(
    office: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_proxy(office, []) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        for call in (completes, acompletes):
            with pytest.raises(litellm.APIConnectionError, match="put its certificate into the file that"):
                call(False)
