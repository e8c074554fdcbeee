# The tables are those of the stores for PostgreSQL, MySQL and SQLite, by the engine's dialect; so an application may
# change from one store to the other, and shares its sessions with Node. The engine may use any driver: what matters of
# an error is the number that its server gave it.
"""Keep sessions by an engine of SQLAlchemy that the application has already."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy import exc, text
from sqlalchemy.engine import Engine

from holdfast.dual import Steps
from holdfast.errors import InvalidOption
from holdfast.stores import mysql_table, postgresql_table
from holdfast.stores.server import DEADLINE
from holdfast.stores.sqlalchemy_tables import default_table, statements_for
from holdfast.stores.statements import Rows
from holdfast.stores.tables import PRUNE_EVERY, TableStore, index_table

__all__ = ["SqlalchemyStore"]

_NO_TABLE = {"42P01", *mysql_table.NO_TABLE, "no such table"}
_EXISTS = {"23505", "42P07", "42710", *mysql_table.EXISTS}
_AGAIN = {"40001", "40P01", *mysql_table.AGAIN}


class SqlalchemyStore(TableStore):
    """Keeps records in a table of the database of an engine, which stays yours to make and to dispose of.

    ``engine`` is an Engine, for synchronous code, ``async_engine`` an AsyncEngine, for asyncio, and there may be both,
    of one database: PostgreSQL, MySQL, MariaDB or SQLite.

    ``layout``, ``table``, ``schema`` and ``time_zone`` are as in the store for that database, and the last two for
    PostgreSQL alone. None: its default. In SQLite there is only connect-sqlite3's layout.
    ``timeout`` is the deadline of a call, in seconds. In synchronous code only the engine can keep it: give that
    its driver's time-outs, and a ``pool_timeout``.
    ``prune_every`` is about how often, in seconds, expired rows are removed in the background; None leaves it to
    ``prune()``.
    """

    # Drivers do not agree on what a broken connection is.
    lost = (exc.DBAPIError, ConnectionError)

    def __init__(
        self,
        engine: Any = None,
        *,
        async_engine: Any = None,
        table: str | None = None,
        layout: str | None = None,
        schema: str | None = None,
        time_zone: str | None = None,
        timeout: float = DEADLINE,
        prune_every: float | None = PRUNE_EVERY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(timeout=timeout, prune_every=prune_every, clock=clock)
        if engine is None and async_engine is None:
            raise InvalidOption("engine", "there is none", "Pass engine=create_engine(...), async_engine=, or both.")
        if engine is not None and not isinstance(engine, Engine):
            raise InvalidOption(
                "engine", f"{type(engine).__name__} is no Engine", "Pass an AsyncEngine as async_engine=."
            )
        if async_engine is not None and not isinstance(getattr(async_engine, "sync_engine", None), Engine):
            raise InvalidOption(
                "async_engine", f"{type(async_engine).__name__} is no AsyncEngine", "Pass an Engine as engine=."
            )
        self._engines = {False: engine, True: async_engine}
        self._dialect = (engine or async_engine).dialect.name
        self._statements, self._schema, last_moment = statements_for(self._dialect, layout, table, schema, time_zone)
        self.last_moment = last_moment or self.last_moment
        table = index_table(table or default_table(self._dialect, layout), postgresql_table.LONGEST_NAME)
        self._of_index = statements_for(self._dialect, layout, table, schema, time_zone)[:2]

    def index(self) -> SqlalchemyStore:
        """Return the store of the index: another table, made when it is first used."""
        other = copy.copy(self)
        other._statements, other._schema = self._of_index
        return other

    def _connect(self) -> Any:
        engine = self._engines[self._asyncio]
        if engine is None:
            missing, kind = ("async_engine", "AsyncEngine") if self._asyncio else ("engine", "Engine")
            raise InvalidOption(missing, "there is none for this kind of code", f"Pass an {kind} too.")
        return _Theirs(engine)

    def _disconnect(self, client: Any) -> Steps[None]:
        # Its connections are in its pool, and the pool is not ours.
        return
        yield

    def _execute(self, connection: Any, statement: str, values: Mapping[str, Any]) -> Steps[Rows]:
        result = yield connection.execute(text(statement), values)
        return ([tuple(row) for row in result], 0) if result.returns_rows else ([], result.rowcount)

    def _define(self, connection: Any) -> Steps[None]:
        for statement in self._schema:
            yield connection.execute(text(statement))

    def _says_no_table(self, error: Exception) -> bool:
        return _sign(error) in _NO_TABLE

    def _says_exists(self, error: Exception) -> bool:
        return _sign(error) in _EXISTS

    def _says_again(self, error: Exception) -> bool:
        return _sign(error) in _AGAIN

    def _says_taken(self, error: Exception) -> bool:
        return _sign(error) in mysql_table.DUPLICATE

    def _says_refused(self, error: Exception) -> bool:
        sign = _sign(error)
        return sign in mysql_table.REFUSED or (isinstance(sign, str) and re.match("22...|54000", sign) is not None)


def _sign(error: Exception) -> str | int | None:
    """Return by what the server's errors are told apart: SQLSTATE, or MySQL's number, or the beginning of SQLite's."""
    if not isinstance(error, exc.DBAPIError) or error.orig is None:
        return None
    first = error.orig.args[0] if error.orig.args else None
    if isinstance(first, int):
        return first
    if isinstance(first, dict):  # pg8000
        return str(first.get("C"))
    for name in ("sqlstate", "pgcode"):
        state = getattr(error.orig, name, None)
        if isinstance(state, str):
            return state
    return first.partition(":")[0] if isinstance(first, str) else None


class _Theirs:
    """The engine. Each call takes a connection from its pool, and gives it back."""

    closed = False

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def use(self, work: Callable[[Any], Steps[Any]]) -> Steps[Any]:
        connection = yield self._engine.connect()
        try:
            answer = yield from work(connection)
            yield connection.commit()
            return answer
        except BaseException as error:
            if isinstance(error, exc.StatementError):
                error.hide_parameters = True  # They are ids and sessions, and errors get into logs.
            if not isinstance(error, Exception):
                with suppress(Exception):
                    yield connection.invalidate()  # A reply may be pending, for the next one to read.
            raise
        finally:
            yield connection.close()
