# Drivers have pools too, or have none; those that have one wait for a server that is gone, by rules of their own, when
# the answer should be "it is gone", and the first call after its return should be served. So this one is as simple as
# that: a connection that is idle, or else a new one, now. A connection serves one call at a time. It stays only if the
# driver says that nothing is left to be read from it; of a call that was given up there may be.
#
# A connection that the server has closed meanwhile, because it was restarted, can be read from: there is its end. To
# look costs a microsecond, and saves a request that may not be made twice.
"""A few connections to a database server, for one thread after the other or for one event loop."""

from __future__ import annotations

import asyncio
import select
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from holdfast.dual import Steps, run_async

__all__ = ["AsyncPool", "Driver", "Pool", "is_silent", "limited", "time_left"]

T = TypeVar("T")

#: Firewalls forget connections that are idle for some minutes, and tell nobody.
MOST_IDLE_SECONDS = 240.0

_limit = threading.local()


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Give what this thread does within the block so much time. A driver asks for ``time_left`` when it waits."""
    _limit.until = time.monotonic() + seconds
    try:
        yield
    finally:
        del _limit.until


def time_left() -> float:
    """Return how many seconds are left of those that ``limited`` gave; 0 if it is none, without end if it gave none."""
    until: float | None = getattr(_limit, "until", None)
    return float("inf") if until is None else max(0.0, until - time.monotonic())


def is_silent(file_descriptor: int) -> bool:
    """Tell whether there is nothing to read from a connection, not even its end."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(file_descriptor, select.POLLIN)
    return not poll.poll(0)


class Driver(Protocol):
    """What a pool has to know of a driver, in one colour."""

    def connect(self) -> Any:
        """Return a new connection, or an awaitable of one."""

    def is_sound(self, connection: Any) -> bool:
        """Tell whether an idle connection can be used."""

    def is_clean(self, connection: Any, error: Exception) -> bool:
        """Tell whether a connection can be used again after ``error``."""

    def shut(self, connection: Any) -> None:
        """Close a connection at once, whatever state it is in."""

    def leave(self, connection: Any) -> Any:
        """Close an idle connection as the server likes it. May be awaitable."""


class Pool:
    """Lends at most ``size`` connections at a time, to threads."""

    def __init__(self, driver: Driver, size: int) -> None:
        self._driver = driver
        self._seats: threading.Semaphore | asyncio.Semaphore = self._make_seats(size)
        self._idle: deque[tuple[Any, float]] = deque()
        #: Whether ``close`` was called. What is still in use then is closed after use.
        self.closed = False

    def use(self, work: Callable[[Any], Steps[T]]) -> Steps[T]:
        """Run ``work`` with a connection that is nobody else's meanwhile."""
        if not (yield self._take_seat()):
            raise TimeoutError("all connections were in use")
        try:
            connection = self._take()
            if connection is None:
                connection = yield self._driver.connect()
            try:
                answer = yield from work(connection)
            except BaseException as error:
                if isinstance(error, Exception) and self._driver.is_clean(connection, error):
                    self._give(connection)
                else:
                    self._driver.shut(connection)
                raise
            self._give(connection)
            return answer
        finally:
            self._seats.release()

    def close(self) -> Steps[None]:
        """Close what is idle now, and what is in use afterwards."""
        self.closed = True
        while self._idle:
            connection, _ = self._idle.pop()
            yield self._driver.leave(connection)

    def _make_seats(self, size: int) -> threading.Semaphore | asyncio.Semaphore:
        return threading.Semaphore(size)

    def _take_seat(self) -> Any:
        assert isinstance(self._seats, threading.Semaphore)
        return self._seats.acquire(timeout=min(time_left(), threading.TIMEOUT_MAX))

    def _take(self) -> Any:
        """Return the connection that was used last, or None if none can be used."""
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                return None
            if time.monotonic() - since < MOST_IDLE_SECONDS and self._driver.is_sound(connection):
                return connection
            self._driver.shut(connection)

    def _give(self, connection: Any) -> None:
        if self.closed:
            self._driver.shut(connection)
        else:
            self._idle.append((connection, time.monotonic()))


class AsyncPool(Pool):
    """Lends at most ``size`` connections at a time, to the tasks of the running event loop; it ends with that."""

    def __init__(self, driver: Driver, size: int) -> None:
        super().__init__(driver, size)
        self._end = self._close_at_end()
        self._begun = False

    def use(self, work: Callable[[Any], Steps[T]]) -> Steps[T]:
        """Run ``work`` with a connection that is nobody else's meanwhile."""
        if not self._begun:
            self._begun = True
            yield self._end.__anext__()
        return (yield from super().use(work))

    def close(self) -> Steps[None]:
        """Close what is idle now, and what is in use afterwards."""
        yield self._end.aclose()
        yield from super().close()

    async def _close_at_end(self) -> AsyncGenerator[None, None]:
        # A loop that ends closes the generators that were begun on it; there is no other way to be told.
        try:
            yield
        finally:
            await run_async(Pool.close(self))

    def _make_seats(self, size: int) -> threading.Semaphore | asyncio.Semaphore:
        return asyncio.Semaphore(size)

    def _take_seat(self) -> Any:
        return self._seats.acquire()
