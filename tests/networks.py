"""Networks for tests: an authority of its own, TLS in front of a server, proxies. All on this machine."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "qwen.test"
"""A host that no resolver knows: only a proxy of ours leads there."""


@contextmanager
def listening(speak: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on a port of this machine; `speak` has each connection in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def guarded(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            speak(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_ones.append(connection)
            threading.Thread(target=guarded, args=(connection,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_ones:
            _end(connection)
        accepting.join(30)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # of a TLS socket too, under its reader's hands


def _pipe(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either side ends."""

    def carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        _end(source)
        _end(target)

    back = threading.Thread(target=carry, args=(other, one), daemon=True)
    back.start()
    carry(one, other)
    back.join(30)


class Authority:
    """A certificate authority that only those trust who are told of it.

    Args:
        folder: Where its files are written.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "authority.pem"
        self._served = folder / "served.pem"
        root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's authority")])
        ours = _certificate(name, root, name, root).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        # From Python 3.13 on an authority is taken as strictly as RFC 5280 (section 4.2.1.3) has it.
        ours = ours.add_extension(_signing_alone(), critical=True)
        theirs = _certificate(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]), leaf, name, root
        ).add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        pem = serialization.Encoding.PEM
        self.file.write_bytes(ours.sign(root, hashes.SHA256()).public_bytes(pem))
        key = leaf.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, encryption_algorithm=serialization.NoEncryption()
        )
        self._served.write_bytes(theirs.sign(root, hashes.SHA256()).public_bytes(pem) + key)

    @contextmanager
    def in_front_of(self, port: int) -> Iterator[int]:
        """TLS for `HOST` in front of a plain server on this machine."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._served)

        def speak(connection: socket.socket) -> None:
            with (
                context.wrap_socket(connection, server_side=True) as inside,
                socket.create_connection(("127.0.0.1", port)) as behind,
            ):
                _pipe(inside, behind)

        with listening(speak) as front:
            yield front


def _signing_alone() -> x509.KeyUsage:
    return x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issued_with: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issued_with.public_key()), critical=False
        )
    )


@contextmanager
def socks5(port: int, asked: list[str]) -> Iterator[str]:
    """A SOCKS5 proxy (RFC 1928, no authentication) that leads everybody to one port of this machine.

    Args:
        port: Where to, whatever was asked for.
        asked: Gets the hosts that were asked for.
    """

    def speak(connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        version, methods = stream.read(2)
        if version != 5:
            stream.close()
            return
        stream.read(methods)
        connection.sendall(b"\x05\x00")
        kind = stream.read(4)[3]
        size = {1: 4, 4: 16}.get(kind) or stream.read(1)[0]
        host = stream.read(size)
        stream.read(2)
        asked.append(host.decode() if kind == 3 else socket.inet_ntop(socket.AF_INET, host))
        with socket.create_connection(("127.0.0.1", port)) as behind:
            connection.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
            _pipe(connection, behind)

    with listening(speak) as front:
        yield f"socks5://127.0.0.1:{front}"


@contextmanager
def http_proxy(port: int, asked: list[str], answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Iterator[str]:
    """A proxy for CONNECT (RFC 9110 section 9.3.6) that leads everybody to one port of this machine.

    Args:
        port: Where to, whatever was asked for.
        asked: Gets what was asked for, as `host:port`.
        answer: What it says to CONNECT; another status than 200 ends the connection.
    """

    def speak(connection: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                return
            head += byte
        asked.append(head.split()[1].decode())
        connection.sendall(answer)
        if b" 200 " in answer:
            with socket.create_connection(("127.0.0.1", port)) as behind:
                _pipe(connection, behind)

    with listening(speak) as front:
        yield f"http://127.0.0.1:{front}"
