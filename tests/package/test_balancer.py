"""The balancer of examples/compose.yaml: a real Caddy, and a name server that changes its mind."""

from __future__ import annotations

import contextlib
import http.server
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import deployments
from tests.valkey import free_port
from tests.waiting import until

PATIENCE = 60.0  # seconds; the name is asked for every 2 s, and Caddy tells nobody when it has
CADDY = Path(sys.executable).with_name("caddy")


class Names:
    """A name server on loopback that knows one name (RFC 1035), as Compose's knows a service's."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                asked, whom = self._socket.recvfrom(512)
                if asked:
                    self._socket.sendto(self._answer(asked), whom)

    def _answer(self, asked: bytes) -> bytes:
        question = asked[12 : asked.index(0, 12) + 5]
        wants_ipv4 = question[-4:-2] == b"\0\1"
        records = [socket.inet_aton(one) for one in self.addresses] if wants_ipv4 else []
        head = asked[:2] + struct.pack("!HHHHH", 0x8180, 1, len(records), 0, 0)
        answers = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + one for one in records)
        return head + question + answers


@contextlib.contextmanager
def serving(address: str, port: int) -> Iterator[None]:
    """A proxy, for what a balancer knows: it says at which address it is asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the base class names it
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", str(len(address)))
            self.send_header("connection", "close")  # else a connection outlives the server
            self.end_headers()
            self.wfile.write(address.encode())

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer((address, port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def names() -> Iterator[Names]:
    made = Names()
    yield made
    made.close()


@pytest.mark.skipif(not CADDY.exists(), reason="caddyserver is in the group dev alone")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_the_balancer_follows_proxies_to_new_addresses_and_passes_over_those_that_are_gone(
    names: Names, tmp_path: Path
) -> None:
    port, proxies = free_port(), free_port()
    config = deployments.compose()["configs"]["balancer"]["content"]
    config = config.replace(":4000 {", f":{port} {{").replace("port 4000", f"port {proxies}")
    config = config.replace("name proxy", f"name proxy\nresolvers 127.0.0.1:{names.port}")
    (tmp_path / "Caddyfile").write_text(config)
    command = [CADDY, "run", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    balancer = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def asked() -> str:
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json={}, timeout=PATIENCE)
            return answer.text if answer.is_success else ""
        return ""

    try:
        names.addresses = ["127.0.0.2", "127.0.0.3"]
        with serving("127.0.0.2", proxies):
            with serving("127.0.0.3", proxies):
                until(lambda: asked() != "", "the balancer serves")
                assert {asked() for _ in range(40)} == {"127.0.0.2", "127.0.0.3"}
            assert [asked() for _ in range(20)] == ["127.0.0.2"] * 20  # its name is still given
            names.addresses = ["127.0.0.2", "127.0.0.4"]
            with serving("127.0.0.4", proxies):
                until(lambda: asked() == "127.0.0.4", "the new address is used")
    finally:
        balancer.terminate()
        balancer.wait(PATIENCE)
