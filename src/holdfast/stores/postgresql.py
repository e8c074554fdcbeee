# The table and the statements stand in postgresql_table.py, what is done with them in tables.py, and how long psycopg
# may wait for them in postgresql_driver.py.
"""Keep sessions in PostgreSQL, in the table of Node's connect-pg-simple or connect-session-knex."""

from __future__ import annotations

import copy
import inspect
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from holdfast.dual import Steps
from holdfast.errors import InvalidOption
from holdfast.stores import options
from holdfast.stores import url as urls
from holdfast.stores.pool import AsyncPool, Pool
from holdfast.stores.postgresql_driver import AsyncConnection, Connection, Driver, Theirs
from holdfast.stores.postgresql_table import LAYOUTS, LONGEST_NAME, SCHEMA, STATEMENTS, fill_in, warn_of_zone
from holdfast.stores.server import DEADLINE
from holdfast.stores.statements import Rows
from holdfast.stores.tables import PRUNE_EVERY, TableStore, index_table

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
        self._pools = {False: pool, True: async_pool}
        self._max_connections = options.whole_number("max_connections", max_connections, 10)
        self._parameters = None if conninfo is None else _parameters(conninfo, self._timeout, pgbouncer)
        self._prepares = not pgbouncer
        self._statements, self._schema = _statements(layout, table, schema, time_zone)
        table = index_table(LAYOUTS[layout]["table"] if table is None else table, LONGEST_NAME)
        self._of_index = _statements(layout, table, schema, time_zone)
        self._zone_is_checked = time_zone is not None or not LAYOUTS[layout]["zoned"]

    def index(self) -> PostgresqlStore:
        """Return the store of the index: another table, made when it is first used."""
        other = copy.copy(self)
        other._statements, other._schema = self._of_index
        return other

    def _connect(self) -> Any:
        if self._parameters is None:
            theirs = self._pools[self._asyncio]
            if theirs is None:
                missing, kind = ("async_pool", "AsyncConnectionPool") if self._asyncio else ("pool", "ConnectionPool")
                raise InvalidOption(missing, "there is none for this kind of code", f"Pass {missing}={kind}(...) too.")
            return Theirs(theirs, self._timeout)
        parameters = {**self._parameters, "autocommit": True, "prepare_threshold": 0 if self._prepares else None}
        if self._asyncio:
            return AsyncPool(Driver(AsyncConnection, parameters), self._max_connections)
        return Pool(Driver(Connection, parameters), self._max_connections)

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


def _statements(*place: Any) -> tuple[dict[str, str], str]:
    """Return the statements for one table, and the one that makes it."""
    return fill_in(STATEMENTS, *place), "; ".join(fill_in(dict(enumerate(SCHEMA)), *place).values()).replace("%%", "%")


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
    conninfo, found = urls.split(
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
    return PostgresqlStore(conninfo, **found, clock=clock)
