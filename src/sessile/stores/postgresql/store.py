# The table and the statements stand in table.py, what is done with them in _shared/tables.py, and how long psycopg may
# wait for them in driver.py.
"""Keep sessions in PostgreSQL, in the table of a store of Node's."""

from __future__ import annotations

import inspect
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from sessile.dual import Steps
from sessile.errors import InvalidOption
from sessile.stores._shared import options
from sessile.stores._shared import url as urls
from sessile.stores._shared.codes import Code
from sessile.stores._shared.pool import AsyncPool, Pool
from sessile.stores._shared.row import Keys
from sessile.stores._shared.server import DEADLINE
from sessile.stores._shared.statements import Rows
from sessile.stores._shared.tables import PRUNE_EVERY, TableStore, index_table
from sessile.stores.postgresql.driver import AsyncConnection, Connection, Driver, code_of, words_of
from sessile.stores.postgresql.table import (
    CODES,
    LAYOUTS,
    LONGEST_ID,
    LONGEST_NAME,
    Statements,
    prepare,
    warn_of_zone,
)
from sessile.stores.postgresql.theirs import Theirs

__all__ = ["PostgresqlStore", "from_url"]


class PostgresqlStore(TableStore):
    """Keeps records in a table of a PostgreSQL database, which is made if there is none.

    ``conninfo`` is what libpq takes: ``postgresql://user:password@host/database``, or ``"host=... dbname=..."``; what
    it leaves out comes from the environment (``PGHOST`` ...). There are up to ``max_connections`` at a time for each
    process and event loop. Or bring your own pool of psycopg_pool, which stays yours to open and to close: ``pool``, a
    ConnectionPool, for synchronous code, ``async_pool``, an AsyncConnectionPool, for asyncio, or both.

    ``layout`` names the package of Node whose table it is: ``"connect-pg-simple"``, ``"connect-session-knex"``,
    ``"connect-session-sequelize"``, ``"connect-typeorm"`` or ``"prisma-session-store"``.
    ``table`` is its name; None: what that package calls it.
    ``schema`` is where the table is; None: the first of the search path.
    ``time_zone`` is the one that Node's connections have; None: UTC, and a warning if the server's default is another.
    Only connect-pg-simple's times depend on it.
    ``pgbouncer``: do without what PgBouncer does not carry when it pools transactions: prepared statements and the
    server's own time-out.
    ``timeout`` is the deadline of a call, in seconds.
    ``prune_every`` is about how often, in seconds, expired rows are removed in the background; None leaves it to
    ``prune()``.

    >>> store = PostgresqlStore("postgresql://shop@localhost/shop", table="session")
    """

    lost = (psycopg.OperationalError, psycopg.InterfaceError)
    codes = CODES
    _statements: Statements
    _keys = Keys(LONGEST_ID)

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
        self._table = LAYOUTS.get(layout, {}).get("table", "") if table is None else table
        self._statements, self._schema = _prepare(layout, table, schema, time_zone)
        self._index_table = index_table(self._table, LONGEST_NAME)
        self._of_index = _prepare(layout, self._index_table, schema, time_zone, indexes=True)
        self._warns_of_zone = time_zone is None

    def index(self) -> PostgresqlStore:
        """Return the store of the index: another table, made when it is first used."""
        statements, schema = self._of_index
        return self._for_index(_table=self._index_table, _statements=statements, _schema=schema, _warns_of_zone=False)

    def _connect(self) -> Any:
        if self._parameters is None:
            theirs = self._pools[self._asyncio]
            if theirs is None:
                missing, kind = ("async_pool", "AsyncConnectionPool") if self._asyncio else ("pool", "ConnectionPool")
                raise InvalidOption(missing, "there is none for this kind of code", f"Pass {missing}={kind}(...) too.")
            return Theirs("async_pool" if self._asyncio else "pool", theirs, self._timeout)
        parameters = {**self._parameters, "autocommit": True, "prepare_threshold": 0 if self._prepares else None}
        if self._asyncio:
            return AsyncPool(Driver(AsyncConnection, parameters), self._max_connections)
        return Pool(Driver(Connection, parameters), self._max_connections)

    def _disconnect(self, client: Any) -> Steps[None]:
        yield from client.close()

    def _execute(self, connection: Any, statement: str, values: Mapping[str, Any]) -> Steps[Rows]:
        cursor = connection.cursor(row_factory=tuple_row)
        yield cursor.execute(statement, values)
        return ((yield cursor.fetchall()), 0) if cursor.description else ([], cursor.rowcount)

    def _define(self, connection: Any) -> Steps[None]:
        # Without parameters, several statements make one trip and one transaction.
        yield connection.execute(self._schema, prepare=False)

    def _look(self, connection: Any) -> Steps[None]:
        if self._statements.known:
            return
        rows, _ = yield from self._execute(connection, self._statements.look, {})
        if rows:
            self._statements.note(rows[0][0])
        if self._warns_of_zone and self._statements.of_clocks:
            self._warns_of_zone = False
            warn_of_zone(connection.info.parameter_status("TimeZone") or "UTC")

    def _code(self, error: BaseException) -> Code:
        return code_of(error)

    def _words(self, error: BaseException) -> str:
        return words_of(error)

    def _reason(self, error: Exception) -> str:
        said = super()._reason(error)
        return f"{said}. Behind a pooler the store needs pgbouncer=yes" if "startup parameter" in said else said

    def _unfit(self, error: Exception) -> str:
        if code_of(error) == "54000":
            return "is larger than PostgreSQL allows"
        return (
            "holds text that its column in PostgreSQL refuses. A column of type jsonb refuses \\u0000 and half a "
            "surrogate pair: make it json. And the database's encoding must be UTF8"
        )


def _prepare(
    layout: str, table: str | None, schema: str | None, zone: str | None, *, indexes: bool = False
) -> tuple[Statements, str]:
    """Return the statements for one table, and the one that makes it."""
    statements, definition = prepare(layout, table, schema, zone, indexes=indexes)
    return statements, "; ".join(definition).replace("%%", "%")


def _check_colour(option: str, pool: Any, asynchronous: bool, other: str) -> None:
    if pool is None:
        return
    if not hasattr(pool, "getconn") or not hasattr(pool, "putconn"):
        raise InvalidOption(option, f"{type(pool).__name__} is no pool of psycopg_pool", "Pass a ConnectionPool.")
    if inspect.iscoroutinefunction(pool.getconn) != asynchronous:
        raise InvalidOption(option, f"{type(pool).__name__} is of the other colour", f"Pass it as {other}=.")


def _parameters(conninfo: str, timeout: float, pgbouncer: bool) -> dict[str, Any]:
    if "://" in conninfo:
        urls.check(conninfo)
    try:
        theirs = conninfo_to_dict(conninfo)
    except psycopg.Error as error:
        # The message may quote the password; the name of a parameter is no secret.
        unknown = re.match(r"invalid (URI query parameter|connection option)[^\n]*", str(error))
        problem = unknown[0] if unknown else "it is no connection string"
        raise InvalidOption("conninfo", problem, 'For example "postgresql://user@localhost/shop".') from None
    ours: dict[str, Any] = {
        "fallback_application_name": "sessile",
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
