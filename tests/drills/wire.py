"""A TCP proxy on loopback that can be cut or deaf: the network between a host and the store."""

from __future__ import annotations

import contextlib
import socket
import threading


class Wire:
    """Carries bytes to a port of this machine, as long as it is told to."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._open = threading.Event()
        self._open.set()
        self.is_cut = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection, and take no new one."""
        self.is_cut = True
        self._drop()

    def mend(self) -> None:
        """All is well again; what was held back arrives now."""
        self.is_cut = False
        self._open.set()

    def go_deaf(self) -> None:
        """Take connections and bytes, and carry none."""
        self._open.clear()

    def close(self) -> None:
        self.cut()
        self._open.set()
        self._listening.close()

    def _drop(self) -> None:
        with self._lock:
            ended, self._sockets = self._sockets, set()
        for one in ended:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if self.is_cut:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                with self._lock:
                    self._sockets |= {near, far}
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                self._open.wait()
                target.sendall(piece)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
