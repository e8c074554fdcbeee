"""A proxy before a Redis that counts what passes: round trips, commands and bytes."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType

from sessile.stores.redis.resp import INCOMPLETE, PythonReader

#: What is sent without waiting for the answer.
UNAWAITED = {"PEXPIREAT"}


class Tap:
    """Passes on what it gets between a client, at ``port``, and the server at ``target``."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self.connections = 0
        #: Of how many connections, the oldest, nothing is passed on.
        self.forgotten = 0
        self.reset()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Count from zero."""
        #: The names of the commands of each write of a client.
        self.writes: list[list[str]] = []
        self.sent = self.received = 0

    def forget(self) -> None:
        """Let what is sent on the present connections go nowhere, as a firewall does that has forgotten them."""
        self.forgotten = self.connections

    @property
    def commands(self) -> list[str]:
        """The names of all commands."""
        return [name for write in self.writes for name in write]

    @property
    def awaited(self) -> list[str]:
        """The names of the commands whose answers somebody waited for."""
        return [name for name in self.commands if name not in UNAWAITED]

    @property
    def trips(self) -> int:
        """How many writes there were whose answer somebody waited for."""
        return sum(any(name not in UNAWAITED for name in write) for write in self.writes)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                for each in (near, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets += [near, far]
                self.connections += 1
                threading.Thread(target=self._up, args=(near, far, self.connections), daemon=True).start()
                threading.Thread(target=self._down, args=(far, near, self.connections), daemon=True).start()

    def _up(self, near: socket.socket, far: socket.socket, number: int) -> None:
        reader = PythonReader()
        with near, far, suppress(OSError):
            while data := near.recv(1 << 20):
                if number <= self.forgotten:
                    continue
                self.sent += len(data)
                reader.feed(data)
                names = []
                while (command := reader.gets()) is not INCOMPLETE:
                    names.append(command[0].decode())
                self.writes.append(names)
                far.sendall(data)
            far.shutdown(socket.SHUT_RDWR)

    def _down(self, far: socket.socket, near: socket.socket, number: int) -> None:
        with suppress(OSError):
            while data := far.recv(1 << 20):
                if number <= self.forgotten:
                    continue
                self.received += len(data)
                near.sendall(data)
            near.shutdown(socket.SHUT_RDWR)
