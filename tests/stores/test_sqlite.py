"""The SQLite store."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessile import InvalidOption, StoreUnavailable, stores
from sessile.stores.base import Replaced
from sessile.stores.sqlite.store import PRUNE_BATCH, SqliteStore
from sessile.testing import FrozenClock, StoreConformance
from sessile.testing.conformance import ask

#: A row as connect-sqlite3 0.9 wrote it, with the table it made.
NODE_TABLE = "CREATE TABLE sessions (sid PRIMARY KEY, expired, sess)"
NODE_ROW = (
    "golden-mx-0123456789abcdefghijk",
    2000003600123.0,
    '{"2":"sorted first","cookie":{"originalMaxAge":3600000,"expires":"2033-05-18T04:33:20.123Z","httpOnly":true,'
    '"path":"/"},"user":{"name":"Zoë Ωmega 漢字 😀"},"exp":1e+21,"lone":"\\ud800"}',
)


class TestSqlite(StoreConformance):
    """The contract, for synchronous callers."""

    @pytest.fixture
    def store(self, clock: FrozenClock, tmp_path: Path) -> Iterator[SqliteStore]:
        store = SqliteStore(tmp_path / "sessions.db", clock=clock)
        yield store
        store.close()


class TestSqliteUnderAsyncio(TestSqlite):
    """The contract, for asyncio."""

    @pytest.fixture
    def store(self, clock: FrozenClock, tmp_path: Path) -> Iterator[Any]:
        store = SqliteStore(tmp_path / "sessions.db", clock=clock)
        yield store.asynchronous()
        store.close()


def test_a_file_of_connect_sqlite3_is_read_and_continued(path: Path) -> None:
    """Node and Python share the file: same table, same types, byte for byte."""
    with sqlite3.connect(path) as node:
        node.execute(NODE_TABLE)
        node.execute("INSERT INTO sessions VALUES (?, ?, ?)", NODE_ROW)
    node.close()
    store = SqliteStore(path, clock=FrozenClock(2_000_000_000))
    record = store.load(NODE_ROW[0])
    assert record.payload.decode() == NODE_ROW[2]
    assert record.expires_at == 2_000_003_600.123
    changed = record.payload.replace(b"Zo", b"Bo")
    assert store.replace(NODE_ROW[0], changed, 3600, record.payload) == Replaced()
    store.create("new", "ü".encode(), 60)
    store.touch("new", 60)
    rows = sqlite3.connect(path)
    query = "SELECT typeof(sid), typeof(expired), typeof(sess) FROM sessions"
    assert set(rows.execute(query)) == {("text", "real", "text")}
    assert rows.execute("SELECT sess FROM sessions WHERE sid = ?", NODE_ROW[:1]).fetchone()[0] == changed.decode()
    rows.close()
    store.close()


def test_the_file_is_its_owners_alone(store: SqliteStore, path: Path) -> None:
    """Sessions are nobody else's to read (CVE-2019-16354); the side files too."""
    store.create("a", b"x", 60)
    files = list(path.parent.iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert any(file.name.endswith("-wal") for file in files)


def test_a_file_that_we_make_writes_ahead(store: SqliteStore, path: Path) -> None:
    """WAL: readers and a writer do not wait for each other."""
    store.create("a", b"x", 60)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA user_version").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("mode", ["delete", "truncate", "wal"])
@pytest.mark.parametrize("version", [0, 1, 42])
async def test_a_file_of_the_application_stays_as_it_is(path: Path, version: int, mode: str) -> None:
    """Its user_version counts the application's migrations, and how it is written is the application's choice."""
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.execute("CREATE TABLE articles (title)")
    connection.execute(f"PRAGMA user_version = {version}")
    store = SqliteStore(path)
    under_asyncio = store.asynchronous()
    assert await ask(under_asyncio.create("a", b"x", 60)) is True
    assert await ask(under_asyncio.replace("a", b"y", 60, b"x")) == Replaced()
    assert store.load("a").payload == b"y"
    assert await ask(under_asyncio.delete("a")) is True
    assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    persistent = "wal" if mode == "wal" else "delete"
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == (persistent,)
    connection.close()
    store.close()


def test_a_file_that_is_no_database_is_an_outage(path: Path) -> None:
    """Not "no session": nobody is logged out by a broken disk."""
    path.write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(StoreUnavailable) as caught:
        SqliteStore(path).load("a")
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)


async def test_and_under_asyncio_too(path: Path) -> None:
    """The same error, raised where the verb is called or awaited."""
    path.write_bytes(b"this is not a database, whatever its name says" * 100)
    store = SqliteStore(path)
    with pytest.raises(StoreUnavailable):
        answer = store.asynchronous().load("a")
        await answer
    store.close()


async def test_a_locked_file_never_stalls_the_event_loop(path: Path) -> None:
    """The write waits in a thread, while everything else goes on; it succeeds once the lock is gone."""
    store = SqliteStore(path)
    under_asyncio = store.asynchronous()
    under_asyncio.create("a", b"x", 60)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    write = asyncio.ensure_future(under_asyncio.replace("a", b"y", 60, b"x"))
    ticks = 0
    longest = 0.0
    loop = asyncio.get_running_loop()
    while ticks < 20:
        before = loop.time()
        await asyncio.sleep(0.01)
        longest = max(longest, loop.time() - before)
        ticks += 1
    assert not write.done()
    assert longest < 2.5, "the loop waited for the lock, whose patience is 5 seconds"
    assert under_asyncio.load("a").payload == b"x", "a reader was blocked by a writer"
    other.execute("COMMIT")
    other.close()
    assert await write == Replaced()
    store.close()


async def test_a_lock_that_stays_is_an_outage(path: Path) -> None:
    """After `timeout` seconds, in both colours."""
    store = SqliteStore(path, timeout=0.1)
    store.create("a", b"x", 60)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable) as caught:
        await store.asynchronous().touch("a", 60)
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    with pytest.raises(StoreUnavailable):
        store.touch("a", 60)
    other.execute("COMMIT")
    other.close()
    assert store.touch("a", 60) is True
    store.close()


@pytest.mark.parametrize(
    "row",
    [
        ("a", None, "x"),
        ("a", "soon", "x"),
        ("a", b"\xff", b"x"),
        ("a", 9e15, None),
        ("a", 9e15, 12.5),
        (7, 9e15, "x"),
        (b"a", 9e15, "x"),
        (None, 9e15, "x"),
    ],
)
def test_a_garbage_row_harms_nobody(store: SqliteStore, path: Path, row: tuple[Any, ...]) -> None:
    """SQLite lets anybody put anything into a column."""
    store.create("good", b"x", 60)
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO sessions VALUES (?, ?, ?)", row)
    connection.commit()
    connection.close()
    store.load("a")
    store.touch("a", 60)
    store.replace("a", b"z", 60, b"y")
    assert "good" in [sid for sid, _ in store.all()]
    assert store.count() >= 1
    store.prune()
    store.delete("a")
    assert store.load("good").payload == b"x"


def test_expired_rows_are_removed_in_passing(path: Path, clock: Any) -> None:
    """A bounded batch at a time, by whoever creates a session when it is due."""
    store = SqliteStore(path, prune_every=300, clock=clock)
    for number in range(PRUNE_BATCH + 10):
        store.create(f"old{number}", b"x", 10)
    clock.advance(301)
    store.create("a", b"x", 60)
    rows = sqlite3.connect(path)
    assert rows.execute("SELECT count(*) FROM sessions").fetchone() == (11,)
    store.create("b", b"x", 60)
    assert rows.execute("SELECT count(*) FROM sessions").fetchone() == (2,)
    rows.close()
    store.close()


def test_it_can_be_closed_and_used_again(store: SqliteStore) -> None:
    """Closing lets go of the file; the next call opens it."""
    store.create("a", b"x", 60)
    store.close()
    assert store.load("a").payload == b"x"
    store.close()
    store.close()


def test_event_loops_may_come_and_go(store: SqliteStore) -> None:
    """Nothing is bound to the first loop."""
    under_asyncio = store.asynchronous()

    async def work(sid: str) -> None:
        answer = under_asyncio.create(sid, b"x", 60)
        assert answer is True or await answer

    asyncio.run(work("a"))
    asyncio.run(work("b"))
    assert store.count() == 2


def test_many_threads_may_use_it(store: SqliteStore) -> None:
    """One connection a thread."""
    errors = []

    def work(name: int) -> None:
        try:
            for number in range(50):
                assert store.create(f"{name}-{number}", b"x", 60)
                assert store.load(f"{name}-{number}") is not None
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.count() == 400


def run(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def test_processes_may_start_together(path: Path) -> None:
    """Each makes the schema if it is not there, and none fails."""
    code = (
        "import sys; from sessile.stores.sqlite import SqliteStore;"
        "s = SqliteStore(sys.argv[1]); print(s.create(sys.argv[2], b'x', 600)); s.close()"
    )
    started = [run(code, path, number) for number in range(4)]
    outputs = [process.communicate(timeout=60)[0] for process in started]
    assert outputs == ["True\n"] * 4
    assert SqliteStore(path).count() == 4


def test_a_forked_child_has_connections_of_its_own(path: Path) -> None:
    """SQLite forbids to carry one across a fork; parent and child both go on."""
    code = """
import os, sys
from sessile.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
store.create("parent", b"x", 600)
child = os.fork()
if child == 0:
    ok = store.load("parent") is not None and store.create("child", b"x", 600)
    os._exit(0 if ok else 1)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), store.load("child") is not None, store.create("after", b"x", 600))
store.close()
"""
    assert run(code, path).communicate(timeout=60)[0] == "0 True True\n"


def test_the_url_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes: relative; four: absolute. With its options."""
    monkeypatch.chdir(tmp_path)
    relative = stores.from_url("sqlite:///some%20where.db?table=visits&timeout=1", FrozenClock())
    relative.create("a", b"x", 60)
    assert (tmp_path / "some where.db").exists()
    absolute = stores.from_url(f"sqlite:///{tmp_path}/some where.db?table=visits", FrozenClock())
    assert absolute.load("a") is not None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "three slashes"),
        ("sqlite://sessions.db", "three slashes"),
        ("sqlite:///x.db?mode=ro", "table and layout and timeout"),
        ("sqlite:///x.db?timeout=soon", "no number of seconds"),
        ("sqlite:///x.db?table=a;b", "letters, digits"),
        ("sqlite:///no/such/folder/x.db", "Make the folder first"),
        ("sqlite:///:memory:", "memory://"),
    ],
)
def test_a_wrong_url_says_what_to_write(url: str, message: str) -> None:
    """At construction, with the remedy."""
    with pytest.raises(InvalidOption, match=message):
        stores.from_url(url, FrozenClock())


def test_an_unwritable_place_is_an_outage(tmp_path: Path) -> None:
    """A folder that vanished after the start, for one."""
    folder = tmp_path / "gone"
    folder.mkdir()
    store = SqliteStore(folder / "sessions.db")
    os.rmdir(folder)
    with pytest.raises(StoreUnavailable):
        store.load("a")
