# The store needs a meta command: only `mg` tells how long a record has left to live. No driver of Python speaks those
# in both colours (pymemcache, emcache and aiomcache know none of them). The store uses five commands, one request and
# one reply at a time, so this is all there is to it; and it is no slower than they are.
#
#   1. A connection serves one call at a time. One that did not read its reply to the end is closed: by a deadline, an
#      error, or a request that was cancelled. The next visitor never reads it.
#   2. A connection that the server has closed while it was idle is not used again, so a restart costs nobody anything.
#      Nor is one that was idle for minutes: a firewall may have forgotten it, and tells nobody.
#   3. There are at most LIMIT connections under asyncio; in synchronous code there is one for each thread at work.
"""Connections to a memcached server, in both colours."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from dataclasses import dataclass

from sessile.stores._shared.pool import MOST_IDLE_SECONDS

__all__ = ["AsyncClient", "Client", "Reply", "parse"]

#: How many connections a client opens at most under asyncio. A memcached allows 1024 in all by default.
LIMIT = 32

_CHUNK = 65_536

#: For how many seconds a socket is looked at though the time is over, and how often: a large reply comes in pieces.
LAST_LOOK, MOST_LATE = 0.05, 20

#: Where there is no such clock, the other one has to do.
_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


@dataclass(frozen=True)
class Reply:
    """What the server said: a line of words, and perhaps a value."""

    line: str
    value: bytes = b""

    @property
    def word(self) -> str:
        """The first word: what came of the command."""
        return self.line.partition(" ")[0]

    def field(self, name: str) -> str:
        """Return what stands behind the flag or the setting ``name``."""
        for word in self.line.split(" ")[1:]:
            if word.startswith(name):
                return word[len(name) :]
        for line in self.value.decode("ascii", "replace").split("\r\n"):
            if line.startswith(f"STAT {name} "):
                return line.rpartition(" ")[2]
        return ""


def parse(received: bytes | bytearray) -> Reply | None:
    """Return the reply that was received, or None if there is more to come.

    >>> parse(b"VA 2 t60\\r\\n{}\\r\\n")
    Reply(line='VA 2 t60', value=b'{}')
    """
    end = received.find(b"\r\n")
    if end < 0:
        return None
    line = received[:end].decode("ascii", "replace")
    if line.startswith("STAT "):
        return Reply("STAT", bytes(received)) if received.endswith(b"\r\nEND\r\n") else None
    if not line.startswith("VA "):
        return Reply(line)
    start, size = end + 2, int(line.split(" ")[1])
    if len(received) < start + size + 2:
        return None
    return Reply(line, bytes(received[start : start + size]))


class Client:
    """Keeps connections for threads."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        self._address = address
        self._idle: list[tuple[socket.socket, float]] = []

    def ask(self, command: bytes, until: float) -> Reply:
        """Send ``command`` and return the reply, before ``time.monotonic()`` is ``until``. Raises OSError."""
        connection = self._take() or self._open(until)
        try:
            connection.settimeout(_left(until))
            connection.sendall(command)
            reply = self._receive(connection, until)
        except BaseException:
            connection.close()
            raise
        if reply.word.endswith("ERROR"):
            connection.close()  # There may be more behind it.
        else:
            self._idle.append((connection, _now()))
        return reply

    def _receive(self, connection: socket.socket, until: float) -> Reply:
        received = bytearray()
        late = 0
        while (reply := parse(received)) is None:
            # A process that was frozen is late, and the reply lies in the socket: so that is looked at all the same.
            late += time.monotonic() >= until
            if late > MOST_LATE:
                raise TimeoutError("no answer in time")
            connection.settimeout(_left(until))
            try:
                chunk = connection.recv(_CHUNK)
            except TimeoutError:
                if late:
                    raise
                continue
            if not chunk:
                raise ConnectionResetError("the server closed the connection")
            received += chunk
        return reply

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop()[0].close()

    def __del__(self) -> None:
        self.close()

    def _take(self) -> socket.socket | None:
        """Return a connection that is idle, and that the server has not closed meanwhile."""
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                return None
            if _now() - since < MOST_IDLE_SECONDS:
                connection.settimeout(0)
                try:
                    connection.recv(1, socket.MSG_PEEK)
                except BlockingIOError:
                    return connection
                except OSError:
                    pass
            connection.close()

    def _open(self, until: float) -> socket.socket:
        if not isinstance(self._address, str):
            connection = socket.create_connection(self._address, _left(until))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(_left(until))
            connection.connect(self._address)
        except BaseException:
            connection.close()
            raise
        return connection


def _now() -> float:
    """Return the time for what is idle. A machine that was suspended has been idle, which time.monotonic leaves out."""
    return time.clock_gettime(_CLOCK) if _CLOCK is not None else time.monotonic()


def _left(until: float) -> float:
    return max(until - time.monotonic(), LAST_LOOK)


class AsyncClient:
    """Keeps connections for one event loop. Whoever does not wait any more cancels."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        self._address = address
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []
        self._places = asyncio.Semaphore(LIMIT)

    async def ask(self, command: bytes, until: float) -> Reply:
        """Send ``command`` and return the reply. The deadline is the caller's to keep. Raises OSError."""
        async with self._places:
            reader, writer = self._take() or await self._open()
            try:
                writer.write(command)
                await writer.drain()
                received = bytearray()
                while (reply := parse(received)) is None:
                    chunk = await reader.read(_CHUNK)
                    if not chunk:
                        raise ConnectionResetError("the server closed the connection")
                    received += chunk
            except BaseException:
                writer.transport.abort()
                raise
            if reply.word.endswith("ERROR"):
                writer.transport.abort()  # There may be more behind it.
            else:
                self._idle.append((reader, writer, _now()))
            return reply

    async def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            _, writer, _ = self._idle.pop()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _take(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        while self._idle:
            reader, writer, since = self._idle.pop()
            is_open = not reader.at_eof() and reader.exception() is None and not writer.is_closing()
            if is_open and _now() - since < MOST_IDLE_SECONDS:
                return reader, writer
            writer.transport.abort()
        return None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._address, str):
            return await asyncio.open_unix_connection(self._address)
        return await asyncio.open_connection(*self._address)
