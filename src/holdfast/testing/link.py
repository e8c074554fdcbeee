# A thread with an event loop of its own passes bytes on, so that it serves tests in both colours.
"""A network connection that a test can cut, block and mend."""

from __future__ import annotations

import asyncio
import threading
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
        self._loop = asyncio.new_event_loop()
        #: Whether requests, and replies, are passed on.
        self._open, self._heard = asyncio.Event(), asyncio.Event()
        self._open.set()
        self._heard.set()
        self._delay = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="holdfast-link", daemon=True)
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
        self._do(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _do(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        ends = [writer]
        with suppress(OSError, asyncio.CancelledError):
            await self._open.wait()
            from_server, to_server = await asyncio.open_connection(*self._target)
            ends.append(to_server)
            self._writers.add(to_server)
            await asyncio.gather(self._pass(reader, to_server), self._pass(from_server, writer, replies=True))
        for end in ends:
            end.transport.abort()

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
        if self._server is None:
            await self._listen()

    async def _hang_up(self, *, refuse: bool) -> None:
        if refuse and self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _finish(self) -> None:
        # A connection that was accepted just now takes a few turns to have a task that knows of it. A task that is
        # cancelled before its first turn would leave its connection open.
        for _ in range(8):
            await asyncio.sleep(0)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # What they have aborted is closed now.
