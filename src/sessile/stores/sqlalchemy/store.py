# The tables are those of the stores for PostgreSQL, MySQL and SQLite, by the engine's dialect; so an application may
# change from one store to the other, and shares its sessions with Node. The engine may use any driver: what matters of
# an error is the number that its server gave it.
"""Keep sessions by an engine of SQLAlchemy that the application has already."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from sqlalchemy import event, exc, text
from sqlalchemy.engine import Engine

from sessile.dual import Steps
from sessile.errors import InvalidOption, SessionError
from sessile.stores._shared.codes import Code, Codes
from sessile.stores._shared.pool import FRESH
from sessile.stores._shared.row import Keys
from sessile.stores._shared.server import DEADLINE
from sessile.stores._shared.statements import Rows
from sessile.stores._shared.tables import PRUNE_EVERY, TableStore, index_table
from sessile.stores.postgresql.table import LONGEST_NAME, Statements, refusal_to_connect, warn_of_zone
from sessile.stores.sqlalchemy.tables import default_table, prepare

__all__ = ["SqlalchemyStore"]


class SqlalchemyStore(TableStore):
    """Keeps records in a table of the database of an engine, which stays yours to make and to dispose of.

    ``engine`` is an Engine, for synchronous code, ``async_engine`` an AsyncEngine, for asyncio, and there may be both,
    of one database: PostgreSQL, MySQL, MariaDB or SQLite.

    ``layout``, ``table``, ``schema`` and ``time_zone`` are as in the store for that database, and the last two for
    PostgreSQL alone. None: its default.
    ``timeout`` is the deadline of a call, in seconds. In synchronous code only the engine can keep it: give that
    its driver's time-outs, and a ``pool_timeout``.
    ``prune_every`` is about how often, in seconds, expired rows are removed in the background; None leaves it to
    ``prune()``.

    >>> import sqlalchemy
    >>> store = SqlalchemyStore(sqlalchemy.create_engine("sqlite://"))
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
        for each in filter(None, (engine, async_engine)):
            _watch_forks(each.pool)
        self._dialect = (engine or async_engine).dialect.name
        place = (self._dialect, layout)
        self._table = table or default_table(*place)
        prepared = prepare(*place, table, schema, time_zone)
        self._statements, self._schema, self.codes, longest, last_moment = prepared
        self.last_moment = last_moment or self.last_moment
        self._keys = Keys(longest)
        self._index_table = index_table(self._table, LONGEST_NAME)
        self._of_index = prepare(*place, self._index_table, schema, time_zone, indexes=True)[:2]
        self._warns_of_zone = time_zone is None

    def index(self) -> SqlalchemyStore:
        """Return the store of the index: another table, made when it is first used."""
        statements, schema = self._of_index
        return self._for_index(_table=self._index_table, _statements=statements, _schema=schema, _warns_of_zone=False)

    def _connect(self) -> Any:
        engine = self._engines[self._asyncio]
        if engine is None:
            missing, kind = ("async_engine", "AsyncEngine") if self._asyncio else ("engine", "Engine")
            raise InvalidOption(missing, "there is none for this kind of code", f"Pass an {kind} too.")
        return _Theirs(engine, self.codes)

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

    def _look(self, connection: Any) -> Steps[None]:
        statements = self._statements
        if not isinstance(statements, Statements) or statements.known:
            return
        rows, _ = yield from self._execute(connection, statements.look, {})
        if rows:
            statements.note(rows[0][0])
        if self._warns_of_zone and statements.of_clocks:
            self._warns_of_zone = False
            rows, _ = yield from self._execute(connection, "SHOW TimeZone", {})
            warn_of_zone(rows[0][0])

    def _code(self, error: BaseException) -> Code:
        return _code_of(error, self.codes)

    def _words(self, error: BaseException) -> str:
        return _words_of(error)


def _code_of(error: BaseException, codes: Codes) -> Code:
    """Return SQLSTATE, MySQL's number, or that part of SQLite's text by which ``codes`` know it."""
    orig = _orig(error)
    if orig is None:
        return None
    first = orig.args[0] if orig.args else None
    if isinstance(first, int):
        return first
    if isinstance(first, dict):  # pg8000
        return str(first.get("C"))
    for name in ("sqlstate", "pgcode"):
        state = getattr(orig, name, None)
        if isinstance(state, str):
            return state
    if not isinstance(first, str):
        return None
    known = (*codes.no_table, *codes.foreign, *codes.refused, *codes.unfit)
    found = next((text for text in known if isinstance(text, str) and " " in text and text in first), None)
    return found or ("FATAL" if refusal_to_connect(first) else None)


def _words_of(error: BaseException) -> str:
    """Return what the server said, and not what SQLAlchemy adds: the statement and its parameters."""
    orig = _orig(error)
    if orig is None:
        return type(error).__name__
    first = orig.args[0] if orig.args else None
    if isinstance(first, dict):
        return str(first.get("M"))
    said = str(orig.args[1]) if isinstance(first, int) and len(orig.args) > 1 else str(first)
    return refusal_to_connect(said) or said


def _orig(error: BaseException) -> BaseException | None:
    """Return the driver's error. Some drivers' errors are not wrapped before there is a connection."""
    if isinstance(error, exc.DBAPIError):
        return error.orig
    return None if isinstance(error, (exc.SQLAlchemyError, OSError, SessionError)) else error


class _Theirs:
    """The engine. Each call takes a connection from its pool, and gives it back."""

    closed = False

    def __init__(self, engine: Any, codes: Codes) -> None:
        # Of the same pool, with events of its own: SQLAlchemy shares the one and not the other.
        self._engine = engine.execution_options()
        self._codes = codes
        self._left_at = -FRESH
        sync_engine = getattr(self._engine, "sync_engine", self._engine)
        event.listen(sync_engine, "handle_error", self._leave_the_demoted)

    def use(self, work: Callable[[Any], Steps[Any]]) -> Steps[Any]:
        """Run ``work`` with a connection that nobody else uses meanwhile."""
        left_at = self._left_at
        try:
            return (yield from self._use(work))
        except exc.DBAPIError as error:
            if self._left_at == left_at or not self._is_demoted(error):
                raise
        # The server has not carried it out, and its name may lead to another one by now.
        return (yield from self._use(work))

    def _use(self, work: Callable[[Any], Steps[Any]]) -> Steps[Any]:
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

    def _is_demoted(self, error: BaseException) -> bool:
        return self._codes.say(_code_of(error, self._codes), self._codes.demoted)

    def _leave_the_demoted(self, context: Any) -> None:
        """Let SQLAlchemy take a server that takes no writes for one that is gone: it opens all connections anew."""
        now = time.monotonic()
        if now - self._left_at >= FRESH and self._is_demoted(context.sqlalchemy_exception):
            self._left_at = now
            context.is_disconnect = True


_watched: WeakSet[Any] = WeakSet()
_inherited: list[Any] = []


def _watch_forks(pool: Any) -> None:
    """Let ``pool`` lend no connection to a process that did not open it, as SQLAlchemy's documentation has it.

    Of a connection that two processes read from, each gets what the other has asked for.
    """
    if pool in _watched:
        return
    _watched.add(pool)
    here = os.getpid()  # What has no mark yet was opened by this process.

    def note(connection: Any, record: Any) -> None:
        record.info["sessile process"] = os.getpid()

    def refuse(connection: Any, record: Any, proxy: Any) -> None:
        if record.info.get("sessile process", here) == os.getpid():
            return
        # Not closed, for the server would end what the parent uses.
        _inherited.append(connection)
        record.dbapi_connection = proxy.dbapi_connection = None
        raise exc.DisconnectionError("it belongs to the process that this one was forked from")

    event.listen(pool, "connect", note)
    event.listen(pool, "checkout", refuse)
