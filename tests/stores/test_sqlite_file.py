"""One SQLite file among processes, threads, event loops, locks and other people's rows."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sessile import InvalidOption, StoreRefused, StoreUnavailable
from sessile.stores.base import Conflict, Missing, Replaced
from sessile.stores.sqlite import file as sqlite_file
from sessile.stores.sqlite.store import PRUNE_BATCH, SqliteStore
from sessile.testing import FrozenClock
from sessile.testing.conformance import ask
from tests.processes import finish, start_together

NODE = json.loads((Path(__file__).parent / "data" / "connect-sqlite3-0.9.json").read_text("utf-8"))
NODE_NOW = 2_000_000_000.123


def query(path: Path, statement: str, *arguments: Any) -> list[Any]:
    """Ask the file as another program would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement, arguments).fetchall()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's write lock, as another program may."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("COMMIT")


@pytest.fixture
def node_file(path: Path) -> Path:
    """A file as connect-sqlite3 leaves it."""
    with closing(sqlite3.connect(path)) as node, node:
        for statement in NODE["schema"]:
            node.execute(statement)
        for row in NODE["rows"]:
            node.execute("INSERT INTO sessions VALUES (?, ?, ?)", (row["sid"], float(row["expired"]), row["sess"]))
    return path


# Node's file


@pytest.mark.parametrize("row", NODE["rows"], ids=[row["sid"].split("-")[1] for row in NODE["rows"]])
def test_a_session_of_node_is_read_and_continued(node_file: Path, row: Any) -> None:
    """Payload and end are those that Node wrote; the row stays its row, with the types it expects."""
    store = SqliteStore(node_file, clock=FrozenClock(NODE_NOW))
    record = store.load(row["sid"])
    assert record.payload == row["sess"].encode()
    assert record.expires_at == row["expired"] / 1000
    assert store.touch(row["sid"], 60) is True
    assert store.replace(row["sid"], b'{"cookie":{}}', 60.5, record.payload) == Replaced()
    store.close()
    assert query(node_file, "SELECT expired, sess FROM sessions WHERE sid = ?", row["sid"]) == [
        ((NODE_NOW + 60.5) * 1000, '{"cookie":{}}')
    ]
    types = "SELECT typeof(sid), typeof(expired), typeof(sess) FROM sessions WHERE sid = ?"
    assert query(node_file, types, row["sid"]) == [(row["t0"], row["t1"], row["t2"])]


def test_what_we_create_has_the_types_that_node_expects(path: Path) -> None:
    """TEXT, REAL, TEXT, even if clock and ttl are whole numbers."""
    store = SqliteStore(path, clock=lambda: 2_000_000_000)
    store.create("sid", "Zoë".encode(), 60)
    store.close()
    found = query(path, "SELECT typeof(sid), sid, typeof(expired), expired, typeof(sess), sess FROM sessions")
    assert found == [("text", "sid", "real", 2_000_000_060_000.0, "text", "Zoë")]


def test_a_change_by_node_is_noticed(node_file: Path) -> None:
    """A process that knows nothing of us writes its way: that is a Conflict, and a row it deleted is Missing."""
    store = SqliteStore(node_file, clock=FrozenClock(NODE_NOW))
    one, two = (row["sid"] for row in NODE["rows"][:2])
    first, second = store.load(one), store.load(two)
    query(node_file, "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)", one, 2e12 + 9e6, '{"by":"node"}')
    query(node_file, "DELETE FROM sessions WHERE sid = ?", two)
    assert store.replace(one, b"{}", 60, first.payload) == Conflict(b'{"by":"node"}')
    assert store.replace(two, b"{}", 60, second.payload) == Missing()
    store.close()


def test_node_still_finds_its_table(node_file: Path) -> None:
    """We add an index and nothing else: the statements of connect-sqlite3 work as before."""
    SqliteStore(node_file, clock=FrozenClock(NODE_NOW)).load("any")
    sid = NODE["rows"][0]["sid"]
    assert len(query(node_file, "SELECT sess FROM sessions WHERE sid = ? AND ? <= expired", sid, 2e12)) == 1
    query(node_file, "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)", sid, 2e12 + 60_000, "{}")
    query(node_file, "DELETE FROM sessions WHERE ? > expired", 2e12)
    assert query(node_file, "SELECT sess FROM sessions WHERE sid = ?", sid) == [("{}",)]


# Tables and versions


def test_two_tables_may_share_a_file(path: Path, clock: Any) -> None:
    """Two middlewares with tables of their own do not see each other's sessions."""
    one, two = SqliteStore(path, table="one", clock=clock), SqliteStore(path, table="two", clock=clock)
    assert one.create("sid", b"1", 60) is True
    assert two.create("sid", b"2", 60) is True
    assert two.delete("sid") is True
    assert one.load("sid").payload == b"1"
    one.close()
    two.close()


def test_somebody_elses_table_of_that_name_is_not_written_to(path: Path) -> None:
    """A table with other columns, as an ORM or better-sqlite3-session-store makes it: the error says what to do."""
    query(path, "CREATE TABLE sessions (sid TEXT PRIMARY KEY, sess JSON NOT NULL, expire TEXT NOT NULL)")
    store = SqliteStore(path)
    for operation, call in {
        "create": lambda: store.create("secret-id", b'{"secret":1}', 60),
        "load": lambda: store.load("secret-id"),
    }.items():
        with pytest.raises(StoreRefused, match="sessions is not a table of sessions.*table=") as caught:
            call()
        assert (caught.value.store, caught.value.operation) == ("SqliteStore", operation)
        assert "secret" not in f"{caught.value} {caught.value.__cause__}"
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert query(path, "SELECT count(*) FROM sessions") == [(0,)]


@pytest.mark.parametrize(
    "option", [{"prune_every": -1}, {"prune_every": "often"}, {"timeout": float("nan")}, {"timeout": True}]
)
def test_wrong_options_are_refused(path: Path, option: dict[str, Any]) -> None:
    """At construction, by name, and no file is made."""
    with pytest.raises(InvalidOption, match=next(iter(option))):
        SqliteStore(path, **option)
    assert not path.exists()


def test_the_file_stays_the_same_when_the_folder_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path counts from where the program was when it made the store."""
    monkeypatch.chdir(tmp_path)
    store = SqliteStore("sessions.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.create("sid", b"x", 60)
    store.close()
    assert (tmp_path / "sessions.db").exists()


# Other people's rows

GARBAGE = {
    "NULL expiry": ("bad", None, "x"),
    "text expiry": ("bad", "2033-05-18", "x"),
    "number as text": ("bad", "9000000000000", "x"),
    "blob expiry": ("bad", b"\x00\xff", "x"),
}


@pytest.mark.parametrize("row", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_a_row_whose_expiry_is_no_number_is_absent(
    store: SqliteStore, path: Path, row: tuple[Any, ...], colour: str
) -> None:
    """It is not loaded, touched, replaced, listed or counted, and ``create`` takes its place."""
    store.count()
    query(path, "INSERT INTO sessions VALUES (?, ?, ?)", *row)
    either: Any = store if colour == "sync" else store.asynchronous()
    assert await ask(either.load("bad")) is None
    assert await ask(either.touch("bad", 60)) is False
    assert await ask(either.replace("bad", b"y", 60, b"x")) == Missing()
    assert list(store.all()) == []
    assert await ask(either.count()) == 0
    assert await ask(either.create("bad", b"good", 60)) is True
    assert (await ask(either.load("bad"))).payload == b"good"


def test_a_null_payload_can_be_replaced(store: SqliteStore, path: Path) -> None:
    """A live row without a payload is an empty payload to whoever expects one: no writer tries for ever."""
    store.count()
    query(path, "INSERT INTO sessions VALUES ('sid', 9e15, NULL)")
    assert store.load("sid").payload == b""
    assert store.replace("sid", b"mine", 60, b"base") == Conflict(b"")
    assert store.replace("sid", b"mine", 60, b"") == Replaced()


def test_a_sid_that_is_no_text_is_left_out(store: SqliteStore, path: Path) -> None:
    """Numbers, blobs, NULL and broken UTF-8 as sid end no list early, and are in none."""
    for number in range(1001):
        store.create(f"{number:04}", b"x", 60)
    for sid in (7, 7.5, b"0500", None):
        query(path, "INSERT INTO sessions VALUES (?, 9e15, 'x')", sid)
    query(path, "INSERT INTO sessions VALUES (CAST(? AS TEXT), 9e15, 'x')", b"0500\xff\xc3")
    assert [sid for sid, _ in store.all()] == [f"{number:04}" for number in range(1001)]


# Locks


@contextmanager
def ticking(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[[], float]]:
    """Watch the loop. The function returns the longest time that it stood still."""
    longest, last = 0.0, loop.time()

    async def tick() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.002)
            longest, last = max(longest, loop.time() - last), loop.time()

    task = loop.create_task(tick())
    try:
        yield lambda: longest
    finally:
        task.cancel()


async def test_every_write_waits_apart_from_the_loop(store: SqliteStore, path: Path) -> None:
    """All verbs that write wait together while another program holds the lock, and all succeed after it."""
    under_asyncio = store.asynchronous()
    for sid in "abcd":
        store.create(sid, b"x", 60)
    with ticking(asyncio.get_running_loop()) as longest:
        with locked(path):
            writes = asyncio.gather(
                under_asyncio.create("new", b"x", 60),
                under_asyncio.replace("a", b"y", 60, b"x"),
                under_asyncio.touch("b", 60),
                under_asyncio.delete("c"),
                under_asyncio.prune(),
            )
            await asyncio.sleep(0.3)
            assert not writes.done()
            assert under_asyncio.load("d").payload == b"x"
            assert await under_asyncio.count() == 4
            assert [sid async for sid, _ in under_asyncio.all()] == list("abcd")
        assert await writes == [True, Replaced(), True, True, 0]
    assert longest() < 2.5, "the loop waited for the lock, whose patience is 5 seconds"


async def test_a_file_that_is_locked_from_the_start_does_not_stall_the_loop(path: Path) -> None:
    """Opening and making the schema is waited for in the worker, too."""
    query(path, "VACUUM")
    store = SqliteStore(path)
    with ticking(asyncio.get_running_loop()) as longest:
        with locked(path):
            write = asyncio.ensure_future(store.asynchronous().create("sid", b"x", 60))
            await asyncio.sleep(0.3)
            assert not write.done()
        assert await write is True
    assert longest() < 2.5, "the loop waited for the lock, whose patience is 5 seconds"
    store.close()


async def test_those_who_wait_together_give_up_together(path: Path) -> None:
    """The time in the worker's queue is part of the timeout: the last waits no longer than the first."""
    store = SqliteStore(path, timeout=0.3)
    store.create("sid", b"x", 60)
    with locked(path):
        begin = time.monotonic()
        touched = (store.asynchronous().touch("sid", 60) for _ in range(60))
        answers = await asyncio.gather(*touched, return_exceptions=True)
        took = time.monotonic() - begin
    assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    assert all(isinstance(answer.__cause__, sqlite3.OperationalError) for answer in answers)
    assert took < 15, "sixty in a row would be 18 seconds"
    assert store.touch("sid", 60) is True
    store.close()


# Expired rows


def expired(path: Path) -> int:
    return int(query(path, "SELECT count(*) FROM sessions")[0][0])


async def test_under_asyncio_expired_rows_are_removed_by_the_worker(path: Path, clock: Any) -> None:
    """A bounded batch for each create that finds it due; whoever creates does not wait for it."""
    store = SqliteStore(path, clock=clock)
    for number in range(PRUNE_BATCH + 10):
        store.create(f"old{number}", b"x", 10)
    under_asyncio = store.asynchronous()
    clock.advance(301)
    for sid, left in (("a", 11), ("b", 2)):
        assert await ask(under_asyncio.create(sid, b"x", 60)) is True
        await under_asyncio.close()
        assert expired(path) == left


def test_expired_rows_stay_if_nobody_is_to_remove_them(path: Path, clock: Any) -> None:
    """``prune_every=None`` leaves it to ``prune``, which removes all of them, batch by batch."""
    store = SqliteStore(path, prune_every=None, clock=clock)
    for number in range(2 * PRUNE_BATCH):
        store.create(f"old{number}", b"x", 10)
    clock.advance(1e6)
    store.create("new", b"x", 60)
    assert expired(path) == 2 * PRUNE_BATCH + 1
    assert store.prune() == 2 * PRUNE_BATCH
    assert expired(path) == 1
    store.close()


# The write-ahead log


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_the_log_does_not_grow_for_ever(store: SqliteStore, path: Path, colour: str) -> None:
    """It is moved into the file now and then, and used again from its beginning: by size, not by number of writes."""
    either: Any = store if colour == "sync" else store.asynchronous()
    await ask(either.create("sid", b"", 60))
    log, last = path.with_name("sessions.db-wal"), b""
    most = 0
    for number in range(60):
        following = bytes([number]) * 200_000
        assert await ask(either.replace("sid", following, 60, last)) == Replaced()
        last = following
        most = max(most, log.stat().st_size)
        await asyncio.sleep(0.001)
    assert most < 60 * 200_000 * 0.9
    assert sqlite_file.CHECKPOINT_AFTER * 4096 < 60 * 200_000, "this test writes more than one log"


# A file that is replaced, removed, read-only, on a full disk


def other_file(path: Path) -> Path:
    """Make a file with a session of its own."""
    other = SqliteStore(path.with_name("other.db"))
    other.create("theirs", b"theirs", 600)
    other.close()
    return path.with_name("other.db")


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_a_file_that_was_replaced_is_the_one_that_counts(path: Path, colour: str) -> None:
    """At once, for all threads: no connection goes on with the old one, and its log does not get into the new one."""
    store = SqliteStore(path)
    either: Any = store if colour == "sync" else store.asynchronous()
    barrier = threading.Barrier(4)

    def hold(number: int) -> None:
        barrier.wait(30)
        store.create(f"ours{number}", b"x" * 5000, 600)

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other_file(path).replace(path)
    for _ in range(4):
        assert [await ask(either.load(f"ours{number}")) for number in range(4)] == [None] * 4
        assert (await ask(either.load("theirs"))).payload == b"theirs"
    assert await ask(either.create("new", b"x", 600)) is True
    store.close()
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
    assert sorted(query(path, "SELECT sid FROM sessions")) == [("new",), ("theirs",)]


def test_a_file_that_was_removed_is_made_again(path: Path) -> None:
    """Alone, or with the files beside it. Who removes it ends the sessions; that is all."""
    store, other = SqliteStore(path), SqliteStore(path)
    for beside in (False, True):
        assert store.create("a", b"x", 600) is True
        assert other.load("a") is not None
        path.unlink()
        if beside:
            for file in path.parent.glob("sessions.db-*"):
                file.unlink()
        assert store.load("a") is None
        assert other.create("b", b"x", 600) is True
        assert store.load("b") is not None
        assert store.delete("b") is True
    store.close()
    other.close()
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


READ_ONLY = """
import os, sys
from sessile import StoreRefused
from sessile.stores.sqlite import SqliteStore
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
store = SqliteStore(sys.argv[1])
assert store.load("a").payload == b"x"
for operation, call in {
    "touch": lambda: store.touch("a", 60),
    "create": lambda: store.create("b", b"x", 60),
    "replace": lambda: store.replace("a", b"y", 60, b"x"),
    "delete": lambda: store.delete("a"),
}.items():
    try:
        call()
    except StoreRefused as error:
        assert (error.operation, error.reason) == (operation, "attempt to write a readonly database"), error
    else:
        raise AssertionError(operation)
assert store.load("a").payload == b"x"
"""


def test_a_file_that_may_not_be_written_is_read() -> None:
    """It has no index of ours yet, and none can be made: who only reads is served, and each write says why not."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are for the user's eyes only.
        folder = Path(name)
        path = folder / "sessions.db"
        query(path, "CREATE TABLE sessions (sid PRIMARY KEY, expired, sess)")
        query(path, "INSERT INTO sessions VALUES ('a', 9e15, 'x')")
        path.chmod(0o444)
        folder.chmod(0o555)
        code = [sys.executable, "-c", READ_ONLY, str(path)]
        subprocess.run(code, check=True, timeout=60)
        folder.chmod(0o755)


FULL = """
import asyncio, os, sys
from sessile import StoreRefused
from sessile.stores.sqlite import SqliteStore
from sessile.testing.conformance import ask

async def main():
    store = SqliteStore(sys.argv[1] + "/sessions.db")
    either = store if sys.argv[2] == "sync" else store.asynchronous()
    made = 0
    try:
        while True:
            await ask(either.create(f"sid{made}", b"x" * 3000, 600))
            made += 1
    except StoreRefused as error:
        assert (error.operation, error.reason) == ("create", "database or disk is full"), error
    tries = 0
    try:
        while True:
            await ask(either.replace(f"sid{tries % made}", b"y" * 3000, 600, b"x" * 3000))
            tries += 1
    except StoreRefused as error:
        assert error.operation == "replace"
    for number in range(20):
        assert await ask(either.load(f"sid{number}")) is not None
        assert await ask(either.delete(f"sid{number}")) is True
        assert await ask(either.load(f"sid{number}")) is None
    store.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_full_disk_refuses_what_is_new_and_ends_what_is_there(
    on_a_small_disk: Callable[..., None], colour: str
) -> None:
    """Who reads is served, and who logs out is logged out, for which some room was kept."""
    on_a_small_disk(FULL, colour)


# Threads, loops, processes


def test_connections_do_not_pile_up(store: SqliteStore) -> None:
    """Threads come and go, as servers have it that take a new one for each request; connections are used again."""
    for number in range(50):
        thread = threading.Thread(target=store.create, args=(str(number), b"x", 60))
        thread.start()
        thread.join()
    assert store.count() == 50
    assert len(store._file._idle) == 1


def test_a_fork_that_nobody_tells_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As uWSGI's: to a process with another id the connections are its parent's, and are left alone."""
    store = SqliteStore(path)
    store.create("a", b"x", 600)
    (inherited,) = store._file._idle
    monkeypatch.setattr(sqlite_file.os, "getpid", lambda: -1)
    assert store.load("a").payload == b"x"
    assert inherited not in store._file._idle
    monkeypatch.undo()
    assert inherited.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
    store.close()


def test_loops_in_several_threads(store: SqliteStore) -> None:
    """Each thread may have a loop of its own; they share the store, and lose nothing."""
    under_asyncio = store.asynchronous()
    store.create("sid", b"0", 60)

    async def add() -> None:
        for _ in range(25):
            current = (await ask(under_asyncio.load("sid"))).payload
            while (
                answer := await ask(under_asyncio.replace("sid", b"%d" % (int(current) + 1), 60, current))
            ) != Replaced():
                current = answer.current

    threads = [threading.Thread(target=asyncio.run, args=(add(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.load("sid").payload == b"100"


COUNTER = """
import sys, threading
from sessile.stores.base import Conflict
from sessile.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()

def add():
    for _ in range(50):
        current = store.load("sid").payload
        while True:
            answer = store.replace("sid", b"%d" % (int(current) + 1), 600, current)
            if not isinstance(answer, Conflict):
                break
            current = answer.current

threads = [threading.Thread(target=add) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
store.close()
"""


def test_two_processes_of_four_threads_lose_no_increment(path: Path) -> None:
    """Compare and replace is one step, for whoever has the file open."""
    store = SqliteStore(path)
    store.create("sid", b"0", 600)
    finish(start_together(COUNTER, *[[path]] * 2))
    assert store.load("sid").payload == b"400"
    store.close()


FORK = """
import asyncio, os, sys
from sessile.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
under_asyncio = store.asynchronous()

async def work(sid):
    created = under_asyncio.create(sid, b"x", 600)
    assert created is True or await created
    return await under_asyncio.count()

before = asyncio.run(work("before"))
child = os.fork()
if child == 0:
    ok = asyncio.run(work("child")) == 2 and store.delete("before")
    store.close()
    sys.exit(0 if ok else 1)
_, status = os.waitpid(child, 0)
print(before, os.waitstatus_to_exitcode(status), store.load("before"), asyncio.run(work("after")))
store.close()
"""


def test_a_fork_amid_asyncio_leaves_both_at_work(path: Path) -> None:
    """The child has no worker thread and no connection of its parent's, and may even close and exit in full."""
    command = [sys.executable, "-c", FORK, str(path)]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "1 0 None 2\n"
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
