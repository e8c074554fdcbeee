# The table and the statements stand in postgresql_table.py, what is done with them in tables.py. Here is how psycopg is
# brought to wait no longer than it may, for asyncio and for synchronous code.
"""Keep sessions in PostgreSQL, in the table of Node's connect-pg-simple or connect-session-knex."""

from __future__ import annotations

import inspect
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg import errors, pq, waiting
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from holdfast.dual import Steps
from holdfast.errors import InvalidOption
from holdfast.stores import url as urls
from holdfast.stores.pool import AsyncPool, Pool, is_silent, time_left
from holdfast.stores.postgresql_table import LAYOUTS, SCHEMA, STATEMENTS, fill_in, warn_of_zone
from holdfast.stores.server import DEADLINE
from holdfast.stores.tables import PRUNE_EVERY, Rows, TableStore

__all__ = ["PostgresqlStore", "from_url"]


class PostgresqlStore(TableStore):
    """Keeps records in a table of a PostgreSQL database, which is made if there is none.

    ``conninfo`` is what libpq takes: ``postgresql://user:password@host/database``, or ``"host=... dbname=..."``; what
    it leaves out comes from the environment (``PGHOST`` ...). There are up to ``max_connections`` at a time for each
    process and event loop. Or bring your own pool of psycopg_pool, which stays yours to open and to close: ``pool``, a
    ConnectionPool, for synchronous code, ``async_pool``, an AsyncConnectionPool, for asyncio, or both.

    ``layout`` names the package of Node whose table it is: ``"connect-pg-simple"`` or ``"connect-session-knex"``.
    ``table`` is its name; None: ``session`` of connect-pg-simple, ``sessions`` of connect-session-knex.
    ``schema`` is where the table is; None: the first of the search path.
    ``time_zone`` is the one that Node's connections have; None: UTC, and a warning if the server's default is another.
    Only connect-pg-simple's times depend on it.
    ``pgbouncer``: do without what PgBouncer does not carry when it pools transactions: prepared statements and the
    server's own time-out.
    ``timeout`` is the deadline of a call, in seconds.
    ``prune_every`` is about how often, in seconds, expired rows are removed in the background; None leaves it to
    ``prune()``.
    """

    lost = (psycopg.OperationalError, psycopg.InterfaceError)

    def __init__(
        self,
        conninfo: str | None = None,
        *,
        pool: Any = None,
        async_pool: Any = None,
        table: str | None = None,
        layout: str = "connect-pg-simple",
        schema: str | None = None,
        time_zone: str | None = None,
        pgbouncer: bool = False,
        max_connections: int = 10,
        timeout: float = DEADLINE,
        prune_every: float | None = PRUNE_EVERY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(timeout=timeout, prune_every=prune_every, clock=clock)
        if (conninfo is None) == (pool is None and async_pool is None):
            raise InvalidOption("conninfo", "give either it or a pool", 'For example "postgresql://localhost/shop".')
        _check_colour("pool", pool, False, "async_pool")
        _check_colour("async_pool", async_pool, True, "pool")
        if isinstance(max_connections, bool) or not isinstance(max_connections, int) or max_connections < 1:
            raise InvalidOption("max_connections", f"{max_connections!r} is no number from 1 on", "The default is 10.")
        self._pools = {False: pool, True: async_pool}
        self._max_connections = max_connections
        self._parameters = None if conninfo is None else _parameters(conninfo, self._timeout, pgbouncer)
        self._prepares = not pgbouncer
        place = (layout, table, schema, time_zone)
        self._statements = fill_in(STATEMENTS, *place)
        self._schema = "; ".join(fill_in(dict(enumerate(SCHEMA)), *place).values()).replace("%%", "%")
        self._zone_is_checked = time_zone is not None or not LAYOUTS[layout]["zoned"]

    def _connect(self) -> Any:
        if self._parameters is None:
            theirs = self._pools[self._asyncio]
            if theirs is None:
                missing, kind = ("async_pool", "AsyncConnectionPool") if self._asyncio else ("pool", "ConnectionPool")
                raise InvalidOption(missing, "there is none for this kind of code", f"Pass {missing}={kind}(...) too.")
            return _Theirs(theirs, self._timeout)
        parameters = {**self._parameters, "autocommit": True, "prepare_threshold": 0 if self._prepares else None}
        if self._asyncio:
            return AsyncPool(_Driver(_AsyncConnection, parameters), self._max_connections)
        return Pool(_Driver(_Connection, parameters), self._max_connections)

    def _disconnect(self, client: Any) -> Steps[None]:
        yield from client.close()

    def _execute(self, connection: Any, statement: str, values: Mapping[str, Any]) -> Steps[Rows]:
        if not self._zone_is_checked:
            self._zone_is_checked = True
            warn_of_zone(connection.info.parameter_status("TimeZone") or "UTC")
        cursor = connection.cursor(row_factory=tuple_row)
        yield cursor.execute(statement, values)
        return ((yield cursor.fetchall()), 0) if cursor.description else ([], cursor.rowcount)

    def _define(self, connection: Any) -> Steps[None]:
        # Without parameters, several statements make one trip and one transaction.
        yield connection.execute(self._schema, prepare=False)

    def _says_no_table(self, error: Exception) -> bool:
        return isinstance(error, errors.UndefinedTable)

    def _says_exists(self, error: Exception) -> bool:
        return isinstance(error, (errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject))

    def _says_again(self, error: Exception) -> bool:
        return isinstance(error, (errors.SerializationFailure, errors.DeadlockDetected))

    def _says_refused(self, error: Exception) -> bool:
        return isinstance(error, (psycopg.DataError, errors.ProgramLimitExceeded))

    def _refusal(self, error: Exception) -> str:
        if isinstance(error, errors.ProgramLimitExceeded):
            return "is larger than PostgreSQL allows"
        return (
            "holds text that its column in PostgreSQL refuses. A column of type jsonb refuses \\u0000 and half a "
            "surrogate pair: make it json. And the database's encoding must be UTF8"
        )


class _Connection(psycopg.Connection[Any]):
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


class _AsyncConnection(psycopg.AsyncConnection[Any]):
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


class _Driver:
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


class _Theirs:
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


def _check_colour(option: str, pool: Any, asynchronous: bool, other: str) -> None:
    if pool is None:
        return
    if not hasattr(pool, "getconn") or not hasattr(pool, "putconn"):
        raise InvalidOption(option, f"{type(pool).__name__} is no pool of psycopg_pool", "Pass a ConnectionPool.")
    if inspect.iscoroutinefunction(pool.getconn) != asynchronous:
        raise InvalidOption(option, f"{type(pool).__name__} is of the other colour", f"Pass it as {other}=.")


def _parameters(conninfo: str, timeout: float, pgbouncer: bool) -> dict[str, Any]:
    try:
        theirs = conninfo_to_dict(conninfo)
    except psycopg.Error as error:
        # The message may quote the password; the name of a parameter is no secret.
        unknown = re.match(r"invalid (URI query parameter|connection option)[^\n]*", str(error))
        problem = unknown[0] if unknown else "it is no connection string"
        raise InvalidOption("conninfo", problem, 'For example "postgresql://user@localhost/shop".') from None
    ours: dict[str, Any] = {
        "fallback_application_name": "holdfast",
        "connect_timeout": max(2, math.ceil(timeout)),
        "tcp_user_timeout": math.ceil(timeout * 1000),
        "client_encoding": "UTF8",
    }
    if not pgbouncer:
        # What was given up here is given up there: a statement that waits for a lock would keep its connection.
        limit = f"-c statement_timeout={math.ceil(timeout * 1000)}"
        theirs["options"] = f"{limit} {theirs.get('options') or ''}".strip()
    return {**ours, **theirs}


def from_url(url: str, clock: Callable[[], float]) -> PostgresqlStore:
    """Return the store of ``postgresql://user:password@host/database?table=session&timeout=2&sslmode=require``.

    What is not an option of the store is for libpq.
    """
    conninfo, options = urls.split(
        url,
        table=str,
        layout=str,
        schema=str,
        time_zone=str,
        pgbouncer=urls.yes_or_no,
        max_connections=urls.whole_number,
        timeout=urls.number,
        prune_every=urls.number_or_none,
    )
    return PostgresqlStore(conninfo, **options, clock=clock)
