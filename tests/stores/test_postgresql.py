"""The PostgreSQL store."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from sessile import InvalidOption, StoreRefused, StoreUnavailable, UnserialisableValue, stores
from sessile.stores._shared import pool as pools
from sessile.stores.base import Conflict, Missing, Replaced
from sessile.stores.postgresql import PostgresqlStore
from sessile.stores.sqlalchemy import SqlalchemyStore
from sessile.testing import FrozenClock, Link, StoreConformance
from sessile.testing.conformance import HOSTILE_SIDS, ask
from tests.processes import forked
from tests.stores.beside import Ours, hand_to_and_fro, node_site
from tests.stores.databases import Postgres, eight_at_once, free_port, program, reach
from tests.stores.trials import (
    each_event_loop_has_connections_of_its_own,
    killed_server_comes_back,
    visitor_is_told_to_come_again,
)
from tests.waiting import PATIENCE, answered, wait_for

GOLDEN = json.loads((Path(__file__).parent / "data" / "connect-pg-simple-10.json").read_text("utf-8"))


@pytest.fixture
def database(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database that is emptied afterwards."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        yield connection
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO public")


@pytest.fixture(scope="class")
def emptied(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """Rows are removed faster than tables."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        yield connection
        connection.execute("DROP TABLE session")


class TestPostgresql(StoreConformance):
    """The contract, for synchronous callers."""

    deadline = 1.0

    @pytest.fixture
    def server(self, postgres: Postgres, emptied: psycopg.Connection[Any]) -> Iterator[Link]:
        with Link(postgres.port) as link:
            yield link
        if rows(emptied, "SELECT to_regclass('session')") != [(None,)]:
            emptied.execute("DELETE FROM session")

    @pytest.fixture
    async def store(self, patience: float, postgres: Postgres, server: Link, clock: FrozenClock) -> AsyncIterator[Any]:
        store = PostgresqlStore(postgres.url(server.port), timeout=patience, clock=clock)
        yield self.coloured(store)
        server.resume()
        await store.asynchronous().close()
        store.close()

    def coloured(self, store: PostgresqlStore) -> Any:
        return store


class TestPostgresqlUnderAsyncio(TestPostgresql):
    """The contract, for asyncio."""

    def coloured(self, store: PostgresqlStore) -> Any:
        return store.asynchronous()


@pytest.fixture
def store(postgres: Postgres, database: Any, clock: FrozenClock) -> Iterator[PostgresqlStore]:
    store = PostgresqlStore(postgres.url(), timeout=PATIENCE, clock=clock)
    yield store
    store.close()


def rows(database: psycopg.Connection[Any], query: str) -> list[Any]:
    return database.execute(query).fetchall()


# Beside Node ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", GOLDEN["rows"], ids=lambda row: row["scenario"])
def test_rows_of_connect_pg_simple_are_read_and_written(postgres: Postgres, database: Any, row: Any) -> None:
    """What it wrote is read; and what we write in its place is the same row, to the byte and the second."""
    clock = FrozenClock(2_000_000_000.123)
    store = PostgresqlStore(postgres.url(), clock=clock)
    store.count()
    database.execute("INSERT INTO session VALUES (%(sid)s, %(sess)s, %(expire)s)", row)
    (before,) = rows(database, "SELECT sid, sess::text, expire::text, extract(epoch FROM expire)::float8 FROM session")
    record = store.load(row["sid"])
    assert record.payload == row["sess"].encode()
    assert record.expires_at == before[-1]
    assert list(store.all()) == [(row["sid"], record)]
    store.delete(row["sid"])
    assert store.create(row["sid"], record.payload, before[-1] - 2_000_000_001) is True
    assert rows(database, "SELECT sid, sess::text, expire::text FROM session") == [before[:3]]
    if "touched" in row:
        clock.advance(10.5)
        store.touch(row["sid"], 3600)
        assert rows(database, "SELECT sess::text, expire::text FROM session") == [(row["sess"], row["touched"])]
    store.close()


def test_the_table_is_the_one_that_node_makes(store: PostgresqlStore, database: Any) -> None:
    """Column for column, with its indexes and their names."""
    store.count()
    columns = rows(
        database,
        """SELECT column_name, data_type, is_nullable, datetime_precision, collation_name
        FROM information_schema.columns WHERE table_name = 'session' ORDER BY ordinal_position""",
    )
    assert columns == [tuple(column.values()) for column in GOLDEN["schema"]["cols"]]
    indexes = rows(database, "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'session' ORDER BY 1 DESC")
    assert sorted(indexes) == sorted(tuple(index.values()) for index in GOLDEN["schema"]["idx"])


def test_node_and_we_hand_a_session_to_and_fro(postgres: Postgres, database: Any, new_visitor: Any) -> None:
    """The same cookie, the same row, the real connect-pg-simple."""
    store = PostgresqlStore(postgres.url())
    store.count()
    with node_site("database-store.js", "postgresql", postgres.url()) as node:
        hand_to_and_fro(node, new_visitor(store=store, clock=time.time), store)
    store.close()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_node_in_another_time_zone(postgres: Postgres, database: Any, zone: str, new_visitor: Any) -> None:
    """It writes the time of its connection's zone; time_zone= reads that."""
    store = PostgresqlStore(postgres.url(), time_zone=zone)
    store.count()
    with node_site("database-store.js", "postgresql", postgres.url(more=f"?options=-c%20TimeZone%3D{zone}")) as node:
        hand_to_and_fro(node, new_visitor(store=store, clock=time.time), store)
    store.close()


def test_a_server_in_another_time_zone_is_warned_of(postgres: Postgres, database: Any, clock: FrozenClock) -> None:
    """Once. Ours are in UTC all the same; and who names a zone has thought of it."""
    url = postgres.url(more="?options=-c%20TimeZone%3DEurope/Berlin")
    store = PostgresqlStore(url, clock=clock)
    with pytest.warns(UserWarning, match='time zone is Europe/Berlin.*time_zone="UTC"'):
        store.create("a", b"{}", 60)
    assert store.load("a").expires_at == clock.now + 60
    silent = PostgresqlStore(url, time_zone="UTC", clock=clock)
    assert silent.load("a").expires_at == clock.now + 60
    (end,) = rows(database, "SELECT extract(epoch FROM expire)::float8 FROM session")
    assert end == (clock.now + 60,)
    store.close()
    silent.close()


# The table ------------------------------------------------------------------------------------------------------------


def test_eight_processes_that_start_at_once(postgres: Postgres, database: Any) -> None:
    """With no table yet: all of them work, and there is one table with one index."""
    eight_at_once(postgres.url())
    assert rows(database, "SELECT count(*) FROM session") == [(8,)]
    assert len(rows(database, "SELECT 1 FROM pg_indexes WHERE tablename = 'session'")) == 2


@pytest.mark.parametrize("table", ["user-sessions", 'odd "name" 100%', "x" * 50, "Größe", "select"])
def test_any_name_is_a_name(postgres: Postgres, database: Any, clock: FrozenClock, table: str) -> None:
    """Two stores in one database do not get into each other's way."""
    store, other = (PostgresqlStore(postgres.url(), table=name, clock=clock) for name in (table, "session"))
    assert store.create("a", b"{}", 60) is True
    assert other.create("a", b"[]", 60) is True
    assert store.load("a").payload == b"{}"
    clock.advance(60)
    assert store.prune() == 1
    store.clear()
    found = {name for (name,) in rows(database, "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")}
    assert f"IDX_{table}_expire" in found
    store.close()
    other.close()


def test_a_schema_of_its_own(postgres: Postgres, database: Any, clock: FrozenClock) -> None:
    """The table is made in it, but not the schema: that is an outage until there is one."""
    store = PostgresqlStore(postgres.url(), schema="our web", clock=clock)
    with pytest.raises(StoreUnavailable) as caught:
        store.create("a", b"{}", 60)
    assert isinstance(caught.value.__cause__, psycopg.errors.InvalidSchemaName)
    database.execute('CREATE SCHEMA "our web"')
    try:
        assert store.create("a", b"{}", 60) is True
        assert rows(database, 'SELECT sid FROM "our web".session') == [("a",)]
    finally:
        database.execute('DROP SCHEMA "our web" CASCADE')
        store.close()


def test_a_table_that_vanished_is_made_again(store: PostgresqlStore, database: Any) -> None:
    """Who drops the table ends the sessions; that is all."""
    assert store.create("a", b"{}", 60) is True
    database.execute("DROP TABLE session")
    assert store.load("a") is None
    assert store.create("a", b"{}", 60) is True


def test_a_user_who_may_make_nothing(postgres: Postgres, database: Any, clock: FrozenClock) -> None:
    """Is served once somebody else has made the table: what failed is tried again."""
    database.execute("CREATE ROLE modest LOGIN")
    store = PostgresqlStore(postgres.url().replace("postgres@", "modest@"), clock=clock)
    try:
        for _ in range(2):
            with pytest.raises(StoreUnavailable) as caught:
                store.load("a")
            assert isinstance(caught.value.__cause__, psycopg.errors.InsufficientPrivilege)
        owner = PostgresqlStore(postgres.url(), clock=clock)
        owner.count()
        owner.close()
        database.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON session TO modest")
        assert store.create("a", b"{}", 60) is True
        assert store.replace("a", b"[]", 60, b"{}") == Replaced()
        assert store.prune() == 0
        store.clear()
    finally:
        store.close()
        database.execute("DROP OWNED BY modest; DROP ROLE modest")


def test_ordinary_ids_stand_as_they_are(store: PostgresqlStore, database: Any) -> None:
    """So that Node finds them; and whatever stands in the table is JSON."""
    ordinary = ["DVqOYaEKEmQNw4zwSTSwLWLTkR2quQSm", "x", "user:7", "a" * 255, "'\"`", "../../../../etc/passwd"]
    ordinary += ["zoë@example.com 漢字", "%7Bshop%7D-1", "%", "~guest"]
    for sid in ordinary:
        store.create(sid, b'{"a":1}', 60)
    assert sorted(rows(database, "SELECT sid, sess::text FROM session")) == sorted((sid, '{"a":1}') for sid in ordinary)
    store.clear()
    for sid in HOSTILE_SIDS.values():
        store.create(sid, b"\xff", 60)
    for sid, text in rows(database, "SELECT sid, sess::text FROM session"):
        assert sid.isprintable()
        assert json.loads(text).keys() == {"__sid", "__payload"}


def test_a_session_that_looks_like_a_wrapper_is_a_session(store: PostgresqlStore) -> None:
    """Whatever somebody calls his keys."""
    for payload in (b'{"__sid":"YQ==","__payload":"Yg=="}', b'{"__sid":1}', b'{"__sid":"???"}'):
        store.create("a", payload, 60)
        assert store.load("a").payload == payload
        assert store.replace("a", b"{}", 60, payload) == Replaced()
        store.delete("a")


def test_what_a_jsonb_column_refuses(store: PostgresqlStore, database: Any, clock: FrozenClock) -> None:
    """Is the session's fault and no outage, says how to mend it, and quotes nothing; all else works."""
    database.execute(
        "CREATE TABLE session (sid varchar PRIMARY KEY, sess jsonb NOT NULL, expire timestamp(6) NOT NULL)"
    )
    for text in (rb"\u0000", rb"\ud800"):
        with pytest.raises(UnserialisableValue, match="make it json") as caught:
            store.create("the-sid", b'{"secret":"' + text + b'"}', 60)
        assert caught.value.__cause__ is None
        assert "secret" not in str(caught.value)
    assert store.create("a", b'{"b":1,"a":[2]}', 60) is True
    current = store.load("a").payload
    assert json.loads(current) == {"b": 1, "a": [2]}
    assert store.replace("a", b"{}", 60, b'{"b":1,"a":[2]}') == Conflict(current)
    assert store.replace("a", b"{}", 60, current) == Replaced()
    assert store.create("b c", b"\xff", 60) is True
    assert store.load("b c").payload == b"\xff"


def test_a_database_that_is_not_utf8(postgres: Postgres, database: Any, clock: FrozenClock) -> None:
    """What it cannot hold is named; what it can, it holds."""
    database.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    store = PostgresqlStore(postgres.url().removesuffix("/postgres") + "/latin", clock=clock)
    try:
        assert store.create("a", '{"a":"Größe"}'.encode(), 60) is True
        assert store.load("a").payload.decode() == '{"a":"Größe"}'
        with pytest.raises(UnserialisableValue, match="UTF8"):
            store.replace("a", '{"a":"漢"}'.encode(), 60, b"{}")
    finally:
        store.close()
        database.execute("DROP DATABASE latin")


# Races ----------------------------------------------------------------------------------------------------------------


def test_replace_sees_what_it_has_waited_for(postgres: Postgres, store: PostgresqlStore, database: Any) -> None:
    """It began before the other's change was committed, and tells what that was; or that the row is gone."""
    from concurrent.futures import ThreadPoolExecutor

    def waits() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%replaced%'"
        return rows(database, query) == [(1,)]

    changes: dict[str, Any] = {
        "UPDATE session SET sess = '[2]'": Conflict(b"[2]"),
        "UPDATE session SET expire = expire + interval '1 hour'": Replaced(),
        "UPDATE session SET expire = 'epoch'": Missing(),
        "DELETE FROM session": Missing(),
    }
    for change, answer in changes.items():
        store.create("a", b"[1]", 60)
        with psycopg.connect(postgres.url()) as other, ThreadPoolExecutor(1) as thread:
            other.execute(change)
            call = thread.submit(store.replace, "a", b"[3]", 60, b"[1]")
            wait_for(waits)
            other.commit()
            assert call.result() == answer
        store.clear()


def test_a_stricter_isolation_is_no_outage(postgres: Postgres, database: Any, clock: FrozenClock) -> None:
    """What the server undoes, because another was in the way, is done again."""
    store = PostgresqlStore(
        postgres.url(more="?options=-c%20default_transaction_isolation%3Dserializable"), clock=clock
    )
    store.create("a", b"0", 60)
    StoreConformance.in_threads([lambda: [store.touch("a", 60) for _ in range(30)]] * 6)
    answers = StoreConformance.in_threads([lambda n=n: store.replace("a", b"%d" % n, 60, b"0") for n in range(1, 9)])
    assert answers.count(Replaced()) == 1
    store.close()


# Pruning --------------------------------------------------------------------------------------------------------------


def expired(database: psycopg.Connection[Any], number: int) -> None:
    database.execute(f"INSERT INTO session SELECT 'old' || n, '{{}}', 'epoch' FROM generate_series(1, {number}) n")


def test_expired_rows_are_removed_in_passing(store: PostgresqlStore, database: Any, clock: FrozenClock) -> None:
    """In the background, in batches, by whoever creates a session when it is due: after 7 to 23 minutes."""
    store.create("a", b"{}", 86_400)
    expired(database, 2500)
    clock.advance(449)
    store.create("b", b"{}", 86_400)
    time.sleep(0.05)
    assert store.count() == 2
    assert rows(database, "SELECT count(*) FROM session") == [(2502,)]
    clock.advance(902)
    store.create("c", b"{}", 86_400)
    wait_for(lambda: rows(database, "SELECT count(*) FROM session") == [(3,)])


async def test_and_under_asyncio_too(postgres: Postgres, database: Any, clock: FrozenClock) -> None:
    """Without holding up the one who is served."""
    store = PostgresqlStore(postgres.url(), prune_every=60, clock=clock).asynchronous()
    await store.count()
    expired(database, 1500)
    clock.advance(91)
    await store.create("a", b"{}", 60)
    while rows(database, "SELECT count(*) FROM session") != [(1,)]:
        await asyncio.sleep(0.005)
    await store.close()


def test_one_process_prunes_at_a_time(store: PostgresqlStore, database: Any, postgres: Postgres, clock: Any) -> None:
    """The others go on."""
    store.count()
    expired(database, 10)
    lock = store._statements["sweep"].partition("pg_try_advisory_xact_lock(")[2].partition(")")[0]
    clock.advance(2000)
    with psycopg.connect(postgres.url()) as other:
        other.execute(f"SELECT pg_advisory_xact_lock({lock})")
        assert store._drive(store._sweep(store._connected())) == 0
        assert store.prune() == 10, "whoever asks for it gets it"
    expired(database, 10)
    assert store._drive(store._sweep(store._connected())) == 10


def test_pruning_leaves_rows_that_are_in_use(store: PostgresqlStore, database: Any, postgres: Postgres) -> None:
    """It waits for nobody."""
    store.count()
    expired(database, 10)
    with psycopg.connect(postgres.url()) as other:
        other.execute("SELECT 1 FROM session WHERE sid = 'old7' FOR UPDATE")
        assert store.prune() == 9
    assert store.prune() == 1


def test_pruning_can_be_left_to_somebody_else(postgres: Postgres, database: Any, clock: FrozenClock) -> None:
    """With prune_every=None."""
    store = PostgresqlStore(postgres.url(), prune_every=None, clock=clock)
    store.count()
    expired(database, 10)
    clock.advance(1e6)
    store.create("a", b"{}", 60)
    time.sleep(0.05)
    assert store.prune() == 10
    store.close()


# Outages --------------------------------------------------------------------------------------------------------------


async def test_a_server_that_is_killed_and_comes_back(postgres: Postgres, database: Any, clock: FrozenClock) -> None:
    """Once after a crash, once in an orderly way."""

    def restart() -> None:
        postgres.end(signal.SIGINT)
        postgres.start()

    await killed_server_comes_back(PostgresqlStore(postgres.url(), timeout=1, clock=clock), postgres.kill, restart)


async def test_a_visitor_is_told_to_come_again(postgres: Postgres, database: Any) -> None:
    """Whether the server is gone or silent."""
    with Link(postgres.port) as link:
        await visitor_is_told_to_come_again(Ours(PostgresqlStore(postgres.url(link.port), timeout=1)), link)


async def test_who_waits_for_a_lock_waits_no_longer_than_the_deadline(
    postgres: Postgres, store: PostgresqlStore, database: Any, clock: FrozenClock
) -> None:
    """Here and at the server, where nothing of it stays behind."""
    store.create("a", b"{}", 60)
    impatient = PostgresqlStore(postgres.url(), timeout=0.2, clock=clock)
    under_asyncio = impatient.asynchronous()
    with psycopg.connect(postgres.url()) as other:
        other.execute("LOCK TABLE session")
        # The lock is still held: who got an answer did not wait for it.
        with pytest.raises(StoreUnavailable):
            impatient.touch("a", 60)
        with pytest.raises(StoreUnavailable):
            await under_asyncio.touch("a", 60)
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_for(lambda: rows(database, query) == [(0,)])
    assert await answered(lambda: under_asyncio.touch("a", 60)) is True
    assert await answered(lambda: impatient.touch("a", 60)) is True
    await under_asyncio.close()
    impatient.close()


def test_there_are_never_more_connections_than_said(postgres: Postgres, database: Any, clock: FrozenClock) -> None:
    """Who comes when all are in use waits his turn; and closing closes them."""
    store = PostgresqlStore(postgres.url(more="?application_name=counted"), max_connections=2, clock=clock)
    store.create("a", b"{}", 60)
    StoreConformance.in_threads([lambda: [store.load("a") for _ in range(20)]] * 6)
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'counted'"
    assert rows(database, query) in ([(1,)], [(2,)])
    store.close()
    wait_for(lambda: rows(database, query) == [(0,)])


def test_all_connections_in_use_are_an_outage(postgres: Postgres, store: PostgresqlStore, clock: FrozenClock) -> None:
    """After the deadline."""
    store.create("a", b"{}", 60)
    narrow = PostgresqlStore(postgres.url(), max_connections=1, timeout=0.2, clock=clock)
    with psycopg.connect(postgres.url()) as other:
        other.execute("LOCK TABLE session")

        def touch() -> Any:
            with pytest.raises(StoreUnavailable) as caught:
                narrow.touch("a", 60)
            return type(caught.value.__cause__)

        assert TimeoutError in StoreConformance.in_threads([touch, touch, touch])
    narrow.close()


def test_one_store_for_several_event_loops(store: PostgresqlStore) -> None:
    """One after the other."""
    each_event_loop_has_connections_of_its_own(store)


def test_a_forked_child_has_connections_of_its_own(store: PostgresqlStore) -> None:
    """It neither uses nor closes its parent's."""
    store.create("a", b"{}", 60)
    assert forked(lambda: store.replace("a", b"[]", 60, b"{}") == Replaced())
    assert store.load("a").payload == b"[]"


def test_a_fork_that_nobody_tells_of(store: PostgresqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """As uWSGI's: to a process with another id the connections are its parent's, and are left alone."""
    store.create("a", b"{}", 60)
    (inherited,) = store._connected()._idle
    monkeypatch.setattr(pools.os, "getpid", lambda: -1)
    assert store.load("a").payload == b"{}"
    assert inherited not in store._connected()._idle
    monkeypatch.undo()
    assert inherited.connection.execute("SELECT 1").fetchall() == [(1,)]


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["own", "own pool", "sqlalchemy", "sqlalchemy with asyncpg"])
async def any_store(
    request: pytest.FixtureRequest, postgres: Postgres, database: Any, clock: FrozenClock
) -> AsyncIterator[Callable[..., Any]]:
    """A function that makes a store for a URL: ours, with a pool of psycopg_pool, or by an engine."""
    made: list[Callable[[], Any]] = []

    def make(url: str) -> Any:
        options: dict[str, Any] = {"timeout": PATIENCE, "clock": clock}
        if request.param == "own":
            store = PostgresqlStore(url, **options)
            made.append(store.close)
            return store
        if request.param == "own pool":
            pool = ConnectionPool(url, min_size=2, max_size=4, open=True)
            made.append(pool.close)
            return PostgresqlStore(pool=pool, **options)
        if request.param == "sqlalchemy":
            engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
            made.append(engine.dispose)
            return SqlalchemyStore(engine, **options)
        async_engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
        made.append(async_engine.dispose)
        return SqlalchemyStore(async_engine=async_engine, **options).asynchronous()

    yield make
    for close in made:
        await ask(close())


async def test_a_server_that_takes_no_writes(any_store: Any, postgres: Postgres, database: Any) -> None:
    """Says why, for whatever would write; who reads is served."""
    store = any_store(postgres.url())
    await ask(store.create("a", b"{}", 60))
    database.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
    try:
        kill_connections(database)
        for operation, call in {
            "touch": lambda: store.touch("a", 60),
            "create": lambda: store.create("b", b"{}", 60),
            "replace": lambda: store.replace("a", b"[]", 60, b"{}"),
            "delete": lambda: store.delete("a"),
        }.items():
            with pytest.raises(StoreRefused, match="25006: cannot execute") as caught:
                await reach(call)
            assert caught.value.operation == operation
            assert (await ask(store.load("a"))).payload == b"{}"
    finally:
        database.execute("SET default_transaction_read_only = off")
        database.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
    assert await reach(lambda: store.touch("a", 60), refused=True) is True


async def test_a_writer_that_was_demoted_is_left(any_store: Any, postgres: Postgres, database: Any) -> None:
    """Its connections answer, and refuse each write. The first refusal ends them all, and the write is done elsewhere."""
    store = any_store(postgres.url())
    await ask(store.create("a", b"{}", 60))
    if store._asyncio:
        await asyncio.gather(*(store.load("a") for _ in range(4)))
    else:
        StoreConformance.in_threads([lambda: store.load("a")] * 4)
    # What was a writer: each connection that is open now.
    database.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
    kill_connections(database)
    assert (await reach(lambda: store.load("a"))).payload == b"{}"
    pool = getattr(store._connected(), "_pool", None)
    if isinstance(pool, ConnectionPool):
        # It opens connections meanwhile, of which it says afterwards when they were made.
        wait_for(lambda: (stats := pool.get_stats())["pool_available"] == stats["pool_size"] >= pool.min_size)
    database.execute("SET default_transaction_read_only = off")
    database.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
    # What was opened a moment ago is not taken for old.
    assert await reach(lambda: store.replace("a", b"[0]", 60, b"{}"), refused=True) == Replaced()
    for payload in (b"[1]", b"[2]", b"[3]"):
        current = (await ask(store.load("a"))).payload
        assert await ask(store.replace("a", payload, 60, current)) == Replaced()


def kill_connections(database: psycopg.Connection[Any]) -> None:
    """End all connections but this one: new ones have the database's new settings."""
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")


async def test_a_table_of_somebody_else(any_store: Any, postgres: Postgres, database: Any) -> None:
    """better-auth's, say: the error names it, and what to do; nothing is quoted that was sent."""
    store = any_store(postgres.url())
    for schema in (
        'CREATE TABLE session (id text PRIMARY KEY, "userId" text, token text UNIQUE, "expiresAt" timestamp)',
        "CREATE TABLE session (sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamp NOT NULL, u int NOT NULL)",
        "CREATE TABLE session (sid varchar, sess json NOT NULL, expire timestamp NOT NULL)",
        "CREATE TABLE session (sid varchar PRIMARY KEY, sess json NOT NULL, expire bigint NOT NULL)",
    ):
        database.execute(f"DROP TABLE IF EXISTS session; {schema}")
        with pytest.raises(StoreRefused, match="session is not a table of sessions.*by table=") as caught:
            await ask(store.create("the-sid", b'{"secret":1}', 60))
        assert caught.value.operation == "create"
        for text in (str(caught.value), str(caught.value.__cause__)):
            assert "the-sid" not in text
            assert "secret" not in text


@pytest.mark.parametrize("any_store", ["own", "sqlalchemy", "sqlalchemy with asyncpg"], indirect=True)
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://postgres@127.0.0.1:{}/nowhere", 'database "nowhere" does not exist'),
        ("postgresql://nobody@127.0.0.1:{}/postgres", 'role "nobody" does not exist'),
    ],
)
async def test_a_database_that_is_not_there(any_store: Any, postgres: Postgres, url: str, reason: str) -> None:
    """The server has answered: it says what is missing. (A pool of psycopg_pool's keeps that to itself.)"""
    store = any_store(url.format(postgres.port))
    with pytest.raises(StoreRefused) as caught:
        await ask(store.load("a"))
    assert caught.value.operation == "load"
    assert reason in caught.value.reason


# Columns of other types -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("time_zone", ["", "given"])
async def test_an_end_with_a_time_zone(
    any_store: Any, postgres: Postgres, database: Any, clock: FrozenClock, zone: str, time_zone: str
) -> None:
    """As ORMs make the column: a moment is a moment, whatever the server's zone is."""
    database.execute("CREATE TABLE session (sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamptz NOT NULL)")
    database.execute(f"ALTER DATABASE postgres SET timezone TO '{zone}'")
    try:
        store = any_store(postgres.url())
        database.execute("INSERT INTO session VALUES ('node', '{}', to_timestamp(%s))", (clock.now + 3600,))
        assert (await ask(store.load("node"))).expires_at == clock.now + 3600
        assert await ask(store.create("ours", b"{}", 1800)) is True
        assert await ask(store.touch("ours", 3600)) is True
        assert await ask(store.replace("ours", b"[]", 3600, b"{}")) == Replaced()
        ends = rows(database, "SELECT DISTINCT extract(epoch FROM expire)::float8 FROM session")
        assert ends == [(clock.now + 3600,)]
        assert await ask(store.count()) == 2
        clock.advance(3600)
        assert await ask(store.load("ours")) is None
        assert await ask(store.prune()) == 2
    finally:
        database.execute("ALTER DATABASE postgres RESET timezone")


#: 25 October 2026, 01:00 UTC: in Berlin 03:00 becomes 02:00. And 5 April 2026, 15:00 UTC: Lord Howe goes back by half an hour.
@pytest.mark.parametrize(("zone", "change"), [("Europe/Berlin", 1_792_890_000), ("Australia/Lord_Howe", 1_775_314_800)])
def test_the_hour_that_comes_twice(postgres: Postgres, database: Any, zone: str, change: int) -> None:
    """A session lives as long as it was given, in that night too; and to Node it does not end earlier."""
    clock = FrozenClock(change)
    store = PostgresqlStore(postgres.url(), time_zone=zone, clock=clock, prune_every=None)
    for begins in range(-5400, 5401, 300):
        for life in (300, 1500, 1800, 3600, 7200):
            clock.now = change + begins
            assert store.create("a", b"{}", life) is True
            assert store.load("a").expires_at == clock.now + life, (begins, life)
            assert [record.expires_at for _, record in store.all()] == [clock.now + life]
            clock.advance(life - 1)
            assert store.prune() == 0
            assert store.touch("a", 1) is True
            clock.advance(1)
            assert store.load("a") is None, (begins, life)
            assert store.count() == 0
            assert store.prune() == 1
    clock.now = change - 900
    store.create("a", b"{}", 1800)
    database.execute(f"SET TimeZone = '{zone}'")
    assert rows(database, f"SELECT expire >= to_timestamp({change + 899}) FROM session") == [(True,)]
    store.close()


# Their own pools ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"autocommit": True, "row_factory": dict_row}])
async def test_a_pool_of_yours(postgres: Postgres, database: Any, clock: FrozenClock, settings: Any) -> None:
    """Of either colour, whatever its connections are set to; it stays open when the store is closed."""
    with ConnectionPool(postgres.url(), kwargs=settings, min_size=1, max_size=4) as pool:
        async with AsyncConnectionPool(postgres.url(), kwargs=settings, min_size=1, max_size=4) as async_pool:
            store = PostgresqlStore(pool=pool, async_pool=async_pool, clock=clock)
            under_asyncio = store.asynchronous()
            assert store.create("a", b"{}", 60) is True
            assert await under_asyncio.create("a", b"{}", 60) is False
            assert await under_asyncio.replace("a", b"[]", 60, b"{}") == Replaced()
            assert store.replace("a", b"{}", 60, b"{}") == Conflict(b"[]")
            with pytest.raises(UnserialisableValue):
                database.execute("ALTER TABLE session ALTER sess TYPE jsonb")
                store.touch("a", 60)
                store.replace("a", rb'"\u0000"', 60, b"[]")
            answers = await asyncio.gather(*(under_asyncio.load("a") for _ in range(20)))
            assert {record.payload for record in answers} == {b"[]"}
            assert await under_asyncio.delete("a") is True
            store.close()
            await under_asyncio.close()
            assert store.load("a") is None
            assert await under_asyncio.load("a") is None
            with pool.connection() as connection:
                assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_a_call_of_a_pool_of_yours_can_be_given_up(postgres: Postgres, database: Any, clock: FrozenClock) -> None:
    """By the deadline, whatever psycopg does; and the next one reads its own answer."""
    with Link(postgres.port) as link:
        async with AsyncConnectionPool(postgres.url(link.port), min_size=1, max_size=2, timeout=1) as async_pool:
            store = PostgresqlStore(async_pool=async_pool, timeout=2, clock=clock).asynchronous()
            await store.create("a", b"[1]", 60)
            await store.create("b", b"[2]", 60)
            for pauses in range(1, 30):
                task = asyncio.ensure_future(store.load("a"))
                for _ in range(pauses):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert (await store.load("b")).payload == b"[2]"
            link.silence()
            with pytest.raises(StoreUnavailable):
                await asyncio.wait_for(store.load("a"), 30)
            link.resume()
            deadline = time.monotonic() + 30
            while True:
                try:
                    assert (await store.load("b")).payload == b"[2]"
                    break
                except StoreUnavailable:
                    assert time.monotonic() < deadline


def test_a_pool_that_was_opened_before_the_fork_is_refused(postgres: Postgres, database: Any) -> None:
    """Its connections are the parent's too; the error says where to open it."""
    with ConnectionPool(postgres.url(), min_size=1, max_size=2, open=True) as pool:
        store = PostgresqlStore(pool=pool)
        store.create("a", b"{}", 60)

        def child() -> bool:
            with pytest.raises(
                InvalidOption, match="pool: it was opened before this process was forked.*after the fork"
            ):
                store.load("a")
            return True

        wait_for(lambda: time.monotonic() - pool._pool[0]._created_at > 0.05)  # What the system's clock tells apart.
        assert forked(child)
        assert store.load("a").payload == b"{}"


async def test_a_pool_of_the_other_colour_is_refused(postgres: Postgres) -> None:
    """With the name of the option; a synchronous pool never blocks the event loop."""
    pool = ConnectionPool(postgres.url(), open=False)
    async_pool = AsyncConnectionPool(postgres.url(), open=False)
    with pytest.raises(InvalidOption, match="async_pool="):
        PostgresqlStore(pool=async_pool)
    with pytest.raises(InvalidOption, match="pool="):
        PostgresqlStore(async_pool=pool)
    with pytest.raises(InvalidOption, match="no pool"):
        PostgresqlStore(pool=object())
    with pytest.raises(InvalidOption, match="async_pool"):
        await PostgresqlStore(pool=pool).asynchronous().load("a")
    with pytest.raises(InvalidOption, match="pool"):
        PostgresqlStore(async_pool=async_pool).load("a")


@pytest.fixture
def pgbouncer(postgres: Postgres, tmp_path: Path) -> Iterator[int]:
    """The port of a PgBouncer that pools transactions."""
    port = free_port()
    settings = f"""
[databases]
postgres = host=127.0.0.1 port={postgres.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
ignore_startup_parameters =
"""
    folder = postgres.folder / f"pgbouncer{port}"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "settings").write_text(settings)
    command = [program("pgbouncer"), str(folder / "settings")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, **postgres._as) as process:

        def answers() -> bool:
            try:
                psycopg.connect(postgres.url(port)).close()
            except psycopg.OperationalError:
                return False
            return True

        wait_for(answers)
        yield port
        process.terminate()


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_behind_pgbouncer_without_saying_so(
    postgres: Postgres, database: Any, pgbouncer: int, clock: FrozenClock, colour: str
) -> None:
    """PgBouncer refuses how the store limits a statement; the error says what to do."""
    store: Any = stores.from_url(postgres.url(pgbouncer), clock)
    either = store if colour == "sync" else store.asynchronous()
    with pytest.raises(StoreRefused, match="needs pgbouncer=yes"):
        await ask(either.load("a"))
    await ask(either.close())


async def test_behind_pgbouncer(postgres: Postgres, database: Any, pgbouncer: int, clock: FrozenClock) -> None:
    """Which gives each transaction another connection; with pgbouncer=yes that does no harm."""
    store: Any = stores.from_url(postgres.url(pgbouncer, "?pgbouncer=yes"), clock)
    under_asyncio = store.asynchronous()
    assert store.create("a", b"{}", 60) is True
    answers = await asyncio.gather(*(under_asyncio.touch("a", 60) for _ in range(50)))
    assert set(answers) == {True}
    StoreConformance.in_threads([lambda: [store.load("a") for _ in range(20)]] * 6)
    assert store.replace("a", b"[]", 60, b"{}") == Replaced()
    assert await under_asyncio.prune() == 0
    await under_asyncio.close()
    store.close()


# Options --------------------------------------------------------------------------------------------------------------


def test_the_url_carries_the_options(postgres: Postgres, database: Any, clock: FrozenClock) -> None:
    """Ours, and libpq's beside them."""
    more = (
        "?table=web%20sessions&timeout=1.5&prune_every=none&max_connections=3&application_name=our+shop&sslmode=disable"
    )
    for url in (postgres.url(more=more), postgres.url(more=more).replace("postgresql:", "postgres:")):
        store: Any = stores.from_url(url, clock)
        store.create("a", b"{}", 60)
        store.delete("a")
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name IN ('our shop', 'our+shop')"
        assert rows(database, query) == [(1,)]
        assert rows(database, 'SELECT count(*) FROM "web sessions"') == [(0,)]
        store.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://u:hush@h/d?tabel=x", 'invalid URI query parameter: "tabel"'),
        ("postgresql://u:hush@h/d?timeout=soon", "timeout: .* a number"),
        ("postgresql://u:hush@h/d?timeout=0", "The default is 2"),
        ("postgresql://u:hush@h/d?prune_every=never", '"none"'),
        ("postgresql://u:hush@h/d?prune_every=-1", "The default is 900"),
        ("postgresql://u:hush@h/d?pgbouncer=1", "yes or no"),
        ("postgresql://u:hush@h/d?max_connections=0", "from 1 on"),
        ("postgresql://u:hush@h/d?max_connections=many", "whole number"),
        ("postgresql://u:hush@h/d?table=", "table: "),
        ("postgresql://u:hush@h/d?table=" + "x" * 51, "1 to 50"),
        ("postgresql://u:hush@h/d?schema=a%00b", "schema: "),
        ("postgresql://u:hush@h/d?time_zone='", "time_zone: "),
    ],
)
def test_a_wrong_url_says_what_to_write(url: str, message: str) -> None:
    """At construction, without the password."""
    with pytest.raises(InvalidOption, match=message) as caught:
        stores.from_url(url, FrozenClock())
    assert "hush" not in str(caught.value)


def test_what_is_no_connection_string_is_not_quoted() -> None:
    """There may be a password in it."""
    with pytest.raises(InvalidOption, match="postgresql://user@localhost/shop") as caught:
        PostgresqlStore("host=h password=hush 'x")
    assert "hush" not in str(caught.value)


def test_either_a_place_or_a_pool() -> None:
    """Not both, and not neither."""
    with pytest.raises(InvalidOption, match="either"):
        PostgresqlStore()
    with pytest.raises(InvalidOption, match="either"):
        PostgresqlStore("", pool=ConnectionPool("", open=False))


def test_its_repr_tells_no_password() -> None:
    """Nor anything else of the place."""
    assert repr(PostgresqlStore("postgresql://u:hush@h/d")) == "<PostgresqlStore>"
