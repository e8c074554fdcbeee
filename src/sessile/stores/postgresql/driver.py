# How psycopg is brought to wait no longer than it may, for asyncio and for synchronous code.
"""Connections of psycopg, with a deadline."""

from __future__ import annotations

import select
from collections.abc import Generator, Mapping
from typing import Any, TypeVar

import psycopg
from psycopg import pq, waiting

from sessile.stores._shared.codes import Code
from sessile.stores._shared.pool import is_silent, time_left
from sessile.stores.postgresql.table import CODES, refusal_to_connect

T = TypeVar("T")

__all__ = ["AsyncConnection", "Connection", "Driver", "code_of", "is_idle", "words_of"]


def code_of(error: BaseException) -> Code:
    """Return the SQLSTATE of an error; ``"FATAL"`` where the server let nobody in, which has none."""
    if not isinstance(error, psycopg.Error):
        return None
    if error.sqlstate is None:
        if isinstance(error, psycopg.DataError):  # Found by psycopg: half a surrogate pair, or a NUL.
            return "22000"
        return "FATAL" if refusal_to_connect(str(error)) else None
    return error.sqlstate


def words_of(error: BaseException) -> str:
    """Return the first line of what an error says."""
    said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return said or refusal_to_connect(str(error)) or str(error)


class Connection(psycopg.Connection[Any]):
    """A connection that waits for its server no longer than there is time."""

    @classmethod
    def _connect_gen(cls, *arguments: Any, **more: Any) -> Any:
        # connect_timeout knows whole seconds, from two on. Should psycopg rename this method, that is what is left.
        return (yield from _while_time_is_left(super()._connect_gen(*arguments, **more)))

    def wait(self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None) -> T:
        gen = _while_time_is_left(gen)
        if select.select.__module__ != "select":
            # gevent or eventlet has replaced it, perhaps after psycopg was imported and chose a way of its own to wait,
            # in C, which would hold up all greenlets.
            return waiting.wait_selector(gen, self.pgconn.socket, interval=interval)
        return super().wait(gen, interval=interval)

    def __del__(self, *warn: Any) -> None:
        # A program that ends need not close its store.
        pass


class AsyncConnection(psycopg.AsyncConnection[Any]):
    """A connection that is given up as soon as its call is cancelled."""

    async def wait(self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None) -> T:
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

    def connect(self) -> object:
        return self._kind.connect(**self._parameters)

    def is_sound(self, connection: Any) -> bool:
        return not connection.closed and is_silent(connection.fileno())

    def is_clean(self, connection: Any, error: Exception) -> bool:
        return is_idle(connection)

    def is_demoted(self, error: Exception) -> bool:
        return CODES.say(code_of(error), CODES.demoted)

    def shut(self, connection: Any) -> None:
        connection.pgconn.finish()

    leave = shut


def is_idle(connection: Any) -> bool:
    """Tell whether a connection is in no transaction, and no reply is pending."""
    return bool(connection.pgconn.transaction_status == pq.TransactionStatus.IDLE)
