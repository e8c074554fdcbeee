# How psycopg is brought to wait no longer than it may, for asyncio and for synchronous code.
"""Connections of psycopg: its own, with a deadline, and those of a pool that the program has brought."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg import pq, waiting

from holdfast.dual import Steps
from holdfast.stores.pool import is_silent, time_left

__all__ = ["AsyncConnection", "Connection", "Driver", "Theirs"]


class Connection(psycopg.Connection[Any]):
    """A connection that waits for its server no longer than there is time."""

    @classmethod
    def _connect_gen(cls, *arguments: Any, **more: Any) -> Any:
        # connect_timeout knows whole seconds, from two on. Should psycopg rename this method, that is what is left.
        return (yield from _while_time_is_left(super()._connect_gen(*arguments, **more)))

    def wait(self, gen: Any, *arguments: Any, **more: Any) -> Any:
        return super().wait(_while_time_is_left(gen), *arguments, **more)

    def __del__(self, *warn: Any) -> None:
        # A program that ends need not close its store.
        pass


class AsyncConnection(psycopg.AsyncConnection[Any]):
    """A connection that is given up as soon as its call is cancelled."""

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        # psycopg's own asks the server to cancel the statement, and waits for up to ten seconds that it does.
        return await waiting.wait_async(gen, self.pgconn.socket, interval=interval)

    def __del__(self, *warn: Any) -> None:
        pass


def _while_time_is_left(gen: Any) -> Any:
    # psycopg's generators yield what they wait for, and get what is ready; nothing, ten times a second.
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and not time_left():
                raise TimeoutError("the server did not answer in time")
            wanted = gen.send(ready)
    except StopIteration as stop:
        return stop.value


class Driver:
    """What a pool has to know of psycopg."""

    def __init__(self, kind: Any, parameters: Mapping[str, Any]) -> None:
        self._kind = kind
        self._parameters = parameters

    def connect(self) -> Any:
        return self._kind.connect(**self._parameters)

    def is_sound(self, connection: Any) -> bool:
        return not connection.closed and is_silent(connection.fileno())

    def is_clean(self, connection: Any, error: Exception) -> bool:
        return _is_idle(connection)

    def shut(self, connection: Any) -> None:
        connection.pgconn.finish()

    leave = shut


def _is_idle(connection: Any) -> bool:
    return bool(connection.pgconn.transaction_status == pq.TransactionStatus.IDLE)


class Theirs:
    """The user's own pool. Its connections may have settings of their own; the pool is never closed here."""

    closed = False

    def __init__(self, pool: Any, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout

    def use(self, work: Callable[[Any], Steps[Any]]) -> Steps[Any]:
        connection = yield self._pool.getconn(timeout=self._timeout)
        try:
            try:
                answer = yield from work(connection)
                if not connection.autocommit:
                    yield connection.commit()
            except Exception:
                if not connection.closed and not _is_idle(connection):
                    yield connection.rollback()
                raise
            return answer
        except BaseException:
            if not _is_idle(connection):
                connection.pgconn.finish()  # A reply may be pending, for the next one to read.
            raise
        finally:
            yield self._pool.putconn(connection)

    def close(self) -> Steps[None]:
        return
        yield
