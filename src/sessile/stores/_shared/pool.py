# Drivers have pools too, or have none; those that have one wait for a server that is gone, by rules of their own, when
# the answer should be "it is gone", and the first call after its return should be served. So this one is as simple as
# that: a connection that is idle, or else a new one, now. A connection serves one call at a time. It stays only if the
# driver says that nothing is left to be read from it; of a call that was given up there may be.
#
# A connection that the server has closed meanwhile, because it was restarted, can be read from: there is its end. To
# look costs a microsecond, and saves a request that may not be made twice.
#
# A connection belongs to the process that opened it. Python tells of its own forks (os.register_at_fork), but uWSGI
# forks in C and tells nobody. So the process id is compared each time, which costs a tenth of a microsecond: of a
# connection that two processes read from, each gets what the other has asked for, and that is somebody else's session.
#
# After a failover the name of the server may lead to a new writer while the old one still answers, as a reader. Its
# connections look sound and refuse each write. The first refusal ends all connections that are as old, and the
# statement is tried once more, for the server has not carried it out.
"""A few connections to a database server, for one thread after the other or for one event loop."""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol, TypeVar

from sessile.dual import Steps, run_async

__all__ = ["AsyncPool", "Driver", "Pool", "is_silent", "limited", "time_left"]

T = TypeVar("T")

#: Firewalls forget connections that are idle for some minutes, and tell nobody.
MOST_IDLE_SECONDS = 240.0

#: The clock for that. A machine that was suspended has been idle, and time.monotonic() does not count it.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

#: A connection that is younger than this, in seconds, leads to where the name of the server leads now.
FRESH = 0.1

#: What was left by the process that we were forked from: not used, and not closed either, for the server would hear.
_inherited: list[Any] = []


class _Limit:
    """So many seconds of a process that runs. While it was frozen, as containers are, no time has passed."""

    def __init__(self, seconds: float) -> None:
        self._standstill = 2 * seconds
        self._until = time.monotonic() + seconds
        self._seen = time.monotonic()

    def left(self) -> float:
        now = time.monotonic()
        if now - self._seen > self._standstill:
            self._until += now - self._seen
        self._seen = now
        return max(0.0, self._until - now)


# Threads, tasks and greenlets each have their own. (A threading.local made before gevent patches the standard library
# would be one for all greenlets of a thread.)
_limit: ContextVar[_Limit | None] = ContextVar("sessile_limit", default=None)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Give what is done within the block so much time. A driver asks for ``time_left`` when it waits."""
    token = _limit.set(_Limit(seconds))
    try:
        yield
    finally:
        _limit.reset(token)


def time_left() -> float:
    """Return how many of the seconds of ``limited`` are left: 0 if they are over, infinity if it was not called."""
    limit = _limit.get()
    return float("inf") if limit is None else limit.left()


def is_silent(file_descriptor: int) -> bool:
    """Tell whether there is nothing to read from a connection, not even its end."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(file_descriptor, select.POLLIN)
    return not poll.poll(0)


class Driver(Protocol):
    """What a pool has to know of a driver, for synchronous code or for asyncio."""

    def connect(self) -> object:
        """Return a new connection, or an awaitable of one."""

    def is_sound(self, connection: Any) -> bool:
        """Tell whether an idle connection can be used."""

    def is_clean(self, connection: Any, error: Exception) -> bool:
        """Tell whether a connection can be used again after ``error``."""

    def is_demoted(self, error: Exception) -> bool:
        """Tell whether ``error`` says that the server takes no writes, so that another one may be the writer now."""

    def shut(self, connection: Any) -> None:
        """Close a connection at once, whatever state it is in."""

    def leave(self, connection: Any) -> object:
        """Close an idle connection as the server likes it. May be awaitable."""


def _now() -> float:
    return time.clock_gettime(_CLOCK)


class _Idle(NamedTuple):
    """A connection that nobody uses."""

    connection: Any
    born: float
    since: float


class Pool:
    """Lends at most ``size`` connections at a time, to threads."""

    def __init__(self, driver: Driver, size: int) -> None:
        self._driver = driver
        self._size = size
        #: Whether ``close`` was called. What is still in use then is closed after use.
        self.closed = False
        self._begin()

    def _begin(self) -> None:
        self._seats: threading.Semaphore | asyncio.Semaphore = self._make_seats(self._size)
        self._idle: deque[_Idle] = deque()
        #: What is older leads to a server that was demoted.
        self._not_before = 0.0
        self._process = os.getpid()  # Last, for another thread may look.

    def _begin_in_a_child(self) -> None:
        """Begin with no connections: those that we know are our parent's."""
        _inherited.append(self._idle)
        self._begin()

    def use(self, work: Callable[[Any], Steps[T]]) -> Steps[T]:
        """Run ``work`` with a connection that nobody else uses meanwhile."""
        if self._process != os.getpid():
            self._begin_in_a_child()
        seats = self._seats
        if not (yield self._take_seat()):
            raise TimeoutError("all connections were in use")
        try:
            for tries_left in (1, 0):
                connection, born = self._take()
                if connection is None:
                    connection = yield self._driver.connect()
                try:
                    answer = yield from work(connection)
                except BaseException as error:
                    if self._may_have_moved(error, born):
                        self._driver.shut(connection)
                        self._leave_the_demoted()
                        if tries_left:
                            continue
                    elif isinstance(error, Exception) and self._driver.is_clean(connection, error):
                        self._give(connection, born)
                    else:
                        self._driver.shut(connection)
                    raise
                self._give(connection, born)
                return answer
            raise AssertionError
        finally:
            seats.release()

    def close(self) -> Steps[None]:
        """Close what is idle now, and what is in use afterwards."""
        self.closed = True
        if self._process != os.getpid():
            return
        while self._idle:
            yield self._driver.leave(self._idle.pop().connection)

    def _make_seats(self, size: int) -> threading.Semaphore | asyncio.Semaphore:
        return threading.Semaphore(size)

    def _take_seat(self) -> Any:
        assert isinstance(self._seats, threading.Semaphore)
        return self._seats.acquire(timeout=min(time_left(), threading.TIMEOUT_MAX))

    def _take(self) -> tuple[Any, float]:
        """Return the connection that was used last, or None if none can be used, and when it was opened, or is now."""
        while True:
            try:
                connection, born, since = self._idle.pop()
            except IndexError:
                return None, _now()
            idle_too_long = _now() - since >= MOST_IDLE_SECONDS
            if not idle_too_long and born >= self._not_before and self._driver.is_sound(connection):
                return connection, born
            self._driver.shut(connection)

    def _give(self, connection: Any, born: float) -> None:
        if self.closed or born < self._not_before:
            self._driver.shut(connection)
        else:
            self._idle.append(_Idle(connection, born, _now()))

    def _may_have_moved(self, error: BaseException, born: float) -> bool:
        if not isinstance(error, Exception) or not self._driver.is_demoted(error):
            return False
        return _now() - born >= FRESH

    def _leave_the_demoted(self) -> None:
        self._not_before = _now()
        while self._idle:
            self._driver.shut(self._idle.pop().connection)


class AsyncPool(Pool):
    """Lends at most ``size`` connections at a time, to the tasks of the running event loop; it ends with that."""

    def _begin(self) -> None:
        self._end = self._close_at_end()
        self._begun = False
        super()._begin()

    def _begin_in_a_child(self) -> None:
        _inherited.append(self._end)
        super()._begin_in_a_child()

    def use(self, work: Callable[[Any], Steps[T]]) -> Steps[T]:
        """Run ``work`` with a connection that nobody else uses meanwhile."""
        if self._process != os.getpid():
            self._begin_in_a_child()
        if not self._begun:
            self._begun = True
            yield self._end.__anext__()
        return (yield from super().use(work))

    def close(self) -> Steps[None]:
        """Close what is idle now, and what is in use afterwards."""
        if self._process == os.getpid():
            with suppress(RuntimeError):  # The loop that ends is at it already.
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
