# A thread with an event loop of its own passes bytes on, so that it serves synchronous tests and async ones.
#
# It accepts connections itself. When a server of asyncio's is closed in the turn in which it accepts a connection, the
# transport fails half-made (`Server._attach` asserts that the server is open), and nobody closes its socket.
"""A network connection that a test can cut, block and mend."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress

__all__ = ["Link"]


class Link:
    """Stands between a client and the server at ``port``, and fails when it is told to.

    A client that connects to ``link.port`` reaches the server, until ``silence``, ``mute``, ``refuse`` or ``cut``. Use
    it in a ``with`` block, or ``close`` it.

    >>> with Link(6379) as link:
    ...     link.port != 6379
    True
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._loop = asyncio.SelectorEventLoop()  # That of Windows has no add_reader.
        #: Whether requests, and replies, are passed on.
        self._open, self._heard = asyncio.Event(), asyncio.Event()
        self._open.set()
        self._heard.set()
        self._delay = 0.0
        #: What serves each connection, from the moment when it is accepted.
        self._served: dict[asyncio.Task[None], socket.socket] = {}
        self._listener: socket.socket | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="sessile-link", daemon=True)
        self._thread.start()
        #: Where to connect to.
        self.port = 0
        self._do(self._listen())

    def silence(self) -> None:
        """Pass nothing on, in either direction: connections stay, new ones are made, and nobody answers."""
        self._do(self._block())

    def mute(self) -> None:
        """Pass requests on and hold replies back: the server does what it is asked, and nobody hears of it."""
        self._do(self._block_replies())

    def delay(self, seconds: float) -> None:
        """Let each reply come so many seconds late from now on; 0: at once."""
        self._delay = seconds

    def refuse(self) -> None:
        """Break all connections, and refuse new ones: as if the server were gone."""
        self._do(self._hang_up(refuse=True))

    def cut(self) -> None:
        """Break all connections, and let new ones be made: as if the server had been restarted."""
        self._do(self._hang_up(refuse=False))

    def resume(self) -> None:
        """Work again. What was held back arrives now, as after a network has healed."""
        self._do(self._mend())

    def close(self) -> None:
        """Stop."""
        self._do(self._hang_up(refuse=True))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _do(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._loop.add_reader(self._listener, self._accept, self._listener)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # There are no more, or a client has gone again.
            while True:
                connection, _ = listener.accept()
                connection.setblocking(False)
                task = self._loop.create_task(self._serve(connection))
                self._served[task] = connection
                task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        # If it was cancelled before its first turn, nobody else has closed its connection.
        self._served.pop(task).close()

    async def _serve(self, connection: socket.socket) -> None:
        ends: list[asyncio.StreamWriter] = []
        with suppress(OSError, asyncio.CancelledError):
            reader, writer = await asyncio.open_connection(sock=connection)
            ends.append(writer)
            await self._open.wait()
            from_server, to_server = await asyncio.open_connection(*self._target)
            ends.append(to_server)
            await asyncio.gather(self._pass(reader, to_server), self._pass(from_server, writer, replies=True))
        for end in ends:
            end.transport.abort()
        await asyncio.sleep(0)  # What was aborted is closed in the next turn.

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool = False) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._open.wait()
                if replies:
                    await self._heard.wait()
                    await asyncio.sleep(self._delay)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _block(self) -> None:
        self._open.clear()

    async def _block_replies(self) -> None:
        self._heard.clear()

    async def _mend(self) -> None:
        self._open.set()
        self._heard.set()
        if self._listener is None:
            await self._listen()

    async def _hang_up(self, *, refuse: bool) -> None:
        if self._listener is not None:
            self._accept(self._listener)  # To a client a connection is made before we have accepted it.
        if refuse and self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        tasks = list(self._served)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
