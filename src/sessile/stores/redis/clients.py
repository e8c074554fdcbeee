# Connections belong to a process. uWSGI forks in C, where no hook of Python's runs, so the process id is compared each
# time a client is taken. What was inherited is neither used nor closed: the server would hear, and an event loop's
# selector is shared with the process that we were forked from.
"""The clients of one store: one for synchronous code, one for each event loop, none of another process."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from weakref import WeakKeyDictionary

from sessile.errors import SessionError
from sessile.stores._shared.breaker import Breaker
from sessile.stores.redis.address import Address
from sessile.stores.redis.blocking import Blocking
from sessile.stores.redis.pipelined import Pipelined

__all__ = ["Clients"]

_inherited: list[Any] = []


class Clients:
    """Makes each client when it is first needed."""

    def __init__(self, address: Address, timeout: float, max_connections: int) -> None:
        self._address = address
        self._timeout = timeout
        self._most = max_connections
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        # Those of the sessions and of the index: a failure there says nothing about the sessions.
        self._breakers = Breaker(self._timeout), Breaker(self._timeout)
        self._blocking: Blocking | None = None
        #: The one that was asked for last: nearly always there is one loop.
        self._latest: Pipelined | None = None
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Pipelined] = WeakKeyDictionary()

    def blocking(self) -> Blocking:
        """Return the client for synchronous code."""
        if self._process != os.getpid():
            self._leave_behind()
        client = self._blocking
        if client is None:
            client = self._blocking = Blocking(self._address, self._timeout, self._most, self._breakers)
        return client

    def pipelined(self) -> Pipelined:
        """Return the client for the event loop that runs."""
        if self._process != os.getpid():
            self._leave_behind()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise SessionError(
                "RedisStore needs asyncio, and no event loop of asyncio runs here. Serve the site with asyncio"
            ) from None
        client = self._latest
        if client is not None and client.loop is loop:
            return client
        client = self._by_loop.get(loop)
        if client is None:
            # A client keeps its loop alive, so that the dictionary would keep both.
            for ended in [other for other in list(self._by_loop) if other.is_closed()]:
                self._by_loop.pop(ended, None)
            client = Pipelined(self._address, self._timeout, loop, self._breakers, self._ended)
            self._by_loop[loop] = client
        self._latest = client
        return client

    def close(self) -> None:
        """Close the client for synchronous code."""
        if self._process == os.getpid() and self._blocking is not None:
            client, self._blocking = self._blocking, None
            client.close()

    async def close_async(self) -> None:
        """Close the client of the event loop that runs."""
        client = self._by_loop.get(asyncio.get_running_loop())
        if self._process == os.getpid() and client is not None:
            await client.close()

    def _ended(self, client: Pipelined) -> None:
        self._by_loop.pop(client.loop, None)
        if self._latest is client:
            self._latest = None

    def _leave_behind(self) -> None:
        _inherited.append((self._blocking, self._latest, list(self._by_loop.items())))
        self._begin()
