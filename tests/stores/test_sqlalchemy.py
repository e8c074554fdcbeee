"""The store for engines of SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from sessile import InvalidOption, StoreUnavailable, UnserialisableValue
from sessile.stores.base import Conflict, Replaced
from sessile.stores.mysql import MysqlStore
from sessile.stores.postgresql import PostgresqlStore
from sessile.stores.sqlalchemy import SqlalchemyStore
from sessile.stores.sqlite import SqliteStore
from sessile.testing import FrozenClock, Link, StoreConformance
from tests.processes import forked
from tests.stores.beside import Ours
from tests.stores.databases import Mariadb, Postgres
from tests.stores.trials import visitor_is_told_to_come_again
from tests.waiting import wait_for


@pytest.fixture
def database(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        yield connection
        connection.execute("DROP TABLE IF EXISTS session")


@pytest.fixture
def query(mariadb: Mariadb) -> Iterator[Any]:
    connection = mariadb.connect()
    yield connection.cursor()
    connection.cursor().execute("DROP TABLE IF EXISTS sessions")
    connection.close()


class TestAsyncpgEngine(StoreConformance):
    """The contract, for asyncio with an engine of asyncpg; and a deadline that asyncpg does not break."""

    deadline = 1.0

    @pytest.fixture
    def server(self, postgres: Postgres) -> Iterator[Link]:
        with Link(postgres.port) as link:
            yield link

    @pytest.fixture
    async def store(self, patience: float, postgres: Postgres, database: Any, server: Link, clock: FrozenClock) -> Any:
        engine = create_async_engine(
            postgres.url(server.port).replace("postgresql:", "postgresql+asyncpg:"), pool_size=10, pool_timeout=1
        )
        store = SqlalchemyStore(async_engine=engine, timeout=patience, clock=clock).asynchronous()
        yield store
        server.resume()
        await store.close()
        await engine.dispose()


class TestSqliteEngine(StoreConformance):
    """The contract, for synchronous callers with a file."""

    @pytest.fixture
    def store(self, tmp_path: Path, clock: FrozenClock) -> Iterator[Any]:
        engine = create_engine(f"sqlite:///{tmp_path}/sessions.db", connect_args={"timeout": 30})
        async_engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/sessions.db")
        yield SqlalchemyStore(engine, async_engine=async_engine, clock=clock)
        engine.dispose()

    async def test_both_colours_are_one_store(self, store: Any) -> None:
        await super().test_both_colours_are_one_store(store)
        await store._engines[True].dispose()


@pytest.fixture(params=["postgresql", "mysql", "sqlite"])
def pair(request: Any, postgres: Postgres, mariadb: Mariadb, database: Any, query: Any, tmp_path: Path) -> Any:
    """An engine, and the store of our own for the same database."""
    clock = FrozenClock()
    own: Any
    if request.param == "postgresql":
        own = PostgresqlStore(postgres.url(), clock=clock)
        engine = create_engine(postgres.url().replace("postgresql:", "postgresql+psycopg:"))
    elif request.param == "mysql":
        own = MysqlStore(mariadb.url(), clock=clock)
        engine = create_engine(mariadb.url(more="?charset=utf8mb4").replace("mysql:", "mysql+pymysql:"))
    else:
        own = SqliteStore(tmp_path / "sessions.db", clock=clock)
        engine = create_engine(f"sqlite:///{tmp_path}/sessions.db")
    yield SqlalchemyStore(engine, clock=clock), own, clock
    own.close()
    engine.dispose()


def test_the_table_is_that_of_the_databases_own_store(pair: Any) -> None:
    """What one has written, the other reads, changes and ends."""
    store, own, clock = pair
    for one, other in ((store, own), (own, store)):
        assert one.create("a", '{"a":"Größe 😀"}'.encode(), 60) is True
        assert other.load("a") == one.load("a")
        assert other.load("a").expires_at == clock.now + 60
        assert other.replace("a", b"{}", 60, b"[]") == Conflict('{"a":"Größe 😀"}'.encode())
        assert other.replace("a", b"{}", 600, '{"a":"Größe 😀"}'.encode()) == Replaced()
        assert one.load("a") == other.load("a")
        assert list(one.all()) == list(other.all())
        clock.advance(600)
        assert one.count() == 0
        assert other.prune() == 1


def test_expired_rows_are_removed_in_passing(pair: Any) -> None:
    """By whoever creates a session when it is due."""
    store, own, clock = pair
    store.create("old", b"{}", 10)
    own._clock = FrozenClock(clock.now)
    clock.advance(1351)
    store.create("a", b"{}", 60)
    wait_for(lambda: own.load("old") is None)


def test_eight_at_once_make_the_table(pair: Any) -> None:
    """All of them work."""
    store, own, _ = pair
    assert StoreConformance.in_threads([lambda n=n: store.create(f"a{n}", b"{}", 60) for n in range(8)]) == [True] * 8
    assert own.count() == 8


def test_an_outage_tells_nothing_of_a_session(pair: Any) -> None:
    """SQLAlchemy would quote all parameters."""
    store, _, _ = pair
    store.create("secret-id", b"{}", 60)
    store._statements = {**store._statements, "replace": "UPDATE nonsense SET a = :payload WHERE b = :sid AND :end"}
    store._says_no_table = lambda error: False
    with pytest.raises(StoreUnavailable) as caught:
        store.replace("secret-id", b'{"secret":1}', 60, b"{}")
    assert "secret" not in f"{caught.value} {caught.value.__cause__}"


def test_what_a_column_refuses_is_no_outage(postgres: Postgres, database: Any) -> None:
    """As in the store of the database's own."""
    database.execute(
        "CREATE TABLE session (sid varchar PRIMARY KEY, sess jsonb NOT NULL, expire timestamp(6) NOT NULL)"
    )
    engine = create_engine(postgres.url().replace("postgresql:", "postgresql+psycopg:"))
    store = SqlalchemyStore(engine)
    with pytest.raises(UnserialisableValue):
        store.create("a", rb'{"a":"\u0000"}', 60)
    assert store.create("a", b'{"a":1}', 60) is True
    engine.dispose()


async def test_both_colours_of_mysql(mariadb: Mariadb, query: Any, clock: FrozenClock) -> None:
    """The table is made by whichever is first."""
    place = mariadb.url(more="?charset=utf8mb4")
    engine = create_engine(place.replace("mysql:", "mysql+pymysql:"))
    async_engine = create_async_engine(place.replace("mysql:", "mysql+asyncmy:"))
    store = SqlalchemyStore(engine, async_engine=async_engine, clock=clock)
    under_asyncio = store.asynchronous()
    assert await under_asyncio.create("a", b"{}", 60) is True
    assert await under_asyncio.create("a", b"[]", 60) is False
    assert store.replace("a", b"{}", 60, b"{}") == Replaced()
    assert await under_asyncio.replace("a", b"[]", 60, b"{}") == Replaced()
    clock.advance(60)
    assert await under_asyncio.create("a", b"[1]", 60) is True
    assert store.load("a").payload == b"[1]"
    await async_engine.dispose()
    engine.dispose()


async def test_colours_and_dialects_that_are_not_there() -> None:
    """Are named; a synchronous engine never blocks the event loop."""
    engine = create_engine("sqlite://")
    async_engine = create_async_engine("sqlite+aiosqlite://")
    with pytest.raises(InvalidOption, match="there is none"):
        SqlalchemyStore()
    with pytest.raises(InvalidOption, match="async_engine="):
        SqlalchemyStore(async_engine)
    with pytest.raises(InvalidOption, match="engine="):
        SqlalchemyStore(async_engine=engine)
    with pytest.raises(InvalidOption, match="async_engine"):
        await SqlalchemyStore(engine).asynchronous().load("a")
    with pytest.raises(InvalidOption, match="engine"):
        SqlalchemyStore(async_engine=async_engine).load("a")
    with pytest.raises(InvalidOption, match="schema"):
        SqlalchemyStore(engine, schema="web")
    with pytest.raises(InvalidOption, match="table"):
        SqlalchemyStore(engine, table="a b")
    with pytest.raises(InvalidOption, match="dialect is mssql"):
        SqlalchemyStore(_mssql())


def _mssql() -> Any:
    from sqlalchemy.dialects.mssql import dialect

    engine = create_engine("sqlite://")
    engine.dialect = dialect()
    return engine


async def test_a_visitor_is_told_to_come_again(postgres: Postgres, database: Any) -> None:
    """Whether the server is gone or silent."""
    with Link(postgres.port) as link:
        engine = create_async_engine(postgres.url(link.port).replace("postgresql:", "postgresql+asyncpg:"))
        await visitor_is_told_to_come_again(Ours(SqlalchemyStore(async_engine=engine, timeout=1)), link)


def test_a_fork_has_connections_of_its_own(postgres: Postgres, database: Any) -> None:
    """The application's pool lends none of the parent's, whoever has opened it; and none of those is closed."""
    engine = create_engine(postgres.url().replace("postgresql:", "postgresql+psycopg:"))
    backend = text("SELECT pg_backend_pid()")
    with engine.connect() as connection:
        opened_before = connection.execute(backend).scalar()
    store = SqlalchemyStore(engine)
    store.create("a", b"{}", 60)

    def child() -> bool:
        assert store.replace("a", b"[]", 60, b"{}") == Replaced()
        with engine.connect() as connection:
            return connection.execute(backend).scalar() != opened_before

    assert forked(child)
    assert store.load("a").payload == b"[]"
    with engine.connect() as connection:
        assert connection.execute(backend).scalar() == opened_before
    engine.dispose()
