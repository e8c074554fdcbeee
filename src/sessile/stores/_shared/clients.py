# A connection on which somebody waits for a reply must never be used by anybody else: they would read it. Threads and
# tasks are kept apart by the drivers' pools. Processes are not: a fork copies the pool, and both sides then write to
# the same sockets. `os.register_at_fork` tells of forks that Python makes; uWSGI forks in C, and Python hears nothing.
# So the id of the process is compared wherever a client is taken. What belonged to the parent is left exactly as it is:
# to close it could tell the server something, or take the parent's sockets out of the event loop that both share.
"""The clients of a store: one for synchronous code and one for each event loop, in each process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from sessile.dual import Steps, run_async
from sessile.stores._shared.breaker import Breaker

__all__ = ["Clients", "Here"]


class Here:
    """What one process has: its clients, and what it knows of the server."""

    def __init__(self, timeout: float, name: str) -> None:
        self._timeout = timeout
        self._plain: list[Any] = []
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Any, AsyncGenerator[None, None]]]
        self._of_loops = WeakKeyDictionary()
        #: Tells of a server that does not answer to what is asked about sessions.
        self.breaker = Breaker(timeout, name)
        #: Tells the same of the index.
        self.index_breaker = Breaker(timeout, name)
        #: Calls that go on though nobody waits for them.
        self.left: set[asyncio.Task[Any]] = set()

    def plain(self, connect: Callable[[], Any]) -> object:
        """Return the client for synchronous code, made by ``connect`` if there is none."""
        clients = self._plain
        if not clients:
            clients.append(connect())
        return clients[0]

    def take_plain(self) -> list[Any]:
        """Return the clients for synchronous code, to be closed. There is more than one if threads raced for it."""
        clients, self._plain = self._plain, []
        return clients

    def of_loop(
        self,
        loop: asyncio.AbstractEventLoop,
        connect: Callable[[], Any],
        disconnect: Callable[[Any], Steps[None]],
    ) -> object:
        """Return the client for ``loop``, which is running, made by ``connect`` if there is none.

        ``disconnect`` is called with it when the loop ends, if the store was not closed before.
        """
        known = self._of_loops.get(loop)
        if known is not None:
            return known[0]
        # A client keeps its loop alive, so that the dictionary would keep both.
        for ended in [other for other in list(self._of_loops) if other.is_closed()]:
            self._of_loops.pop(ended, None)
        client = connect()
        ending = self._until_the_end(client, disconnect)
        # It begins without waiting for anything, so it can be begun here, and its loop has noted it.
        with suppress(StopIteration):
            ending.__anext__().__await__().__next__()
        self._of_loops[loop] = client, ending
        return client

    async def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Disconnect the client for ``loop``, if there is one."""
        known = self._of_loops.pop(loop, None)
        if known is not None:
            await known[1].aclose()

    async def _until_the_end(self, client: Any, disconnect: Callable[[Any], Steps[None]]) -> AsyncGenerator[None, None]:
        # A loop that ends closes the generators that were begun on it; there is no other way to be told.
        try:
            yield
        finally:
            with suppress(Exception):
                await asyncio.wait_for(run_async(disconnect(client)), self._timeout)

    def count(self) -> int:
        """Return how many clients there are."""
        return len(self._plain) + len(self._of_loops)


class Clients:
    """What each process has of a store that was made with this ``timeout`` and is called ``name``."""

    def __init__(self, timeout: float, name: str) -> None:
        self._timeout = timeout
        self._name = name
        self._by_process: dict[int, Here] = {}

    def here(self) -> Here:
        """Return what this process has. What its parents had is kept, and never touched."""
        process = os.getpid()
        # Threads may race: setdefault is one step, and takes no lock, which a thread of the parent's could have held.
        return self._by_process.get(process) or self._by_process.setdefault(process, Here(self._timeout, self._name))
