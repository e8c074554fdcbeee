# Drivers have pools too, or have none; those that have one wait for a server that is gone, by rules of their own, when
# the answer should be "it is gone", and the first call after its return should be served. So this one is as simple as
# that: a connection that is idle, or else a new one, now. A connection serves one call at a time. It stays only if the
# driver says that nothing is left to be read from it; of a call that was given up there may be.
#
# A connection that the server has closed meanwhile, because it was restarted, can be read from: there is its end. To
# look costs a microsecond, and saves a request that may not be made twice.
"""A few connections to a database server, for one thread after the other or for one event loop."""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from holdfast.dual import Steps

__all__ = ["Driver", "Pool", "is_silent", "limited", "time_left"]

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
    """Lends at most ``size`` connections at a time.

    ``acquire`` and ``release`` are those of a semaphore of ``size``; ``acquire`` answers False when time is up.
    """

    def __init__(self, driver: Driver, acquire: Callable[[], Any], release: Callable[[], None]) -> None:
        self._driver = driver
        self._acquire = acquire
        self._release = release
        self._idle: deque[tuple[Any, float]] = deque()
        #: Whether ``close`` was called. What is still in use then is closed after use.
        self.closed = False

    def use(self, work: Callable[[Any], Steps[T]]) -> Steps[T]:
        """Run ``work`` with a connection that is nobody else's meanwhile."""
        if not (yield self._acquire()):
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
            self._release()

    def close(self) -> Steps[None]:
        """Close what is idle now, and what is in use afterwards."""
        self.closed = True
        while self._idle:
            connection, _ = self._idle.pop()
            yield self._driver.leave(connection)

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
