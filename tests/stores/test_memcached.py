"""The memcached store, with a real memcached."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sessile import InvalidOption, SessionError, Sessions, StoreRefused, StoreUnavailable, stores
from sessile.stores._shared.pool import MOST_IDLE_SECONDS
from sessile.stores.base import Conflict, Missing, Replaced
from sessile.stores.memcached import MemcachedStore
from sessile.stores.memcached.client import AsyncClient, Reply, parse
from sessile.testing import FrozenClock, Link, StoreConformance
from sessile.testing.conformance import ask
from tests.conftest import SECRET
from tests.processes import forked
from tests.stores.beside import BesideNode, Node, Ours, node_site, sid_of
from tests.stores.memcached import Memcached, ServersClock, memcached
from tests.stores.trials import visitor_is_told_to_come_again
from tests.waiting import PATIENCE, wait_for

NODE_WROTE = json.loads((Path(__file__).parent / "data" / "connect-memcached-3.json").read_text("utf-8"))["records"]
START = 1_700_000_000

_numbers = count()


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memcached]:
    """A server whose clock moves only when it is told to."""
    with memcached(tmp_path_factory.mktemp("memcached"), START, "-I", "4m") as process:
        yield process


class TestMemcached(StoreConformance):
    """The contract, for synchronous callers; the server's clock stands still with the store's."""

    deadline = 1.0

    @pytest.fixture
    def clock(self, frozen: Memcached) -> FrozenClock:
        return ServersClock(frozen)

    @pytest.fixture
    def server(self, frozen: Memcached) -> Iterator[Link]:
        with Link(frozen.port) as link:
            yield link

    @pytest.fixture
    async def store(self, patience: float, clock: FrozenClock, server: Link) -> AsyncIterator[Any]:
        prefix = f"{next(_numbers)}:"
        store = MemcachedStore(f"127.0.0.1:{server.port}", prefix=prefix, timeout=patience, clock=clock)
        yield self.coloured(store)
        store.close()
        await store.asynchronous().close()

    def coloured(self, store: MemcachedStore) -> Any:
        return store


class TestMemcachedUnderAsyncio(TestMemcached):
    """The contract, for asyncio."""

    def coloured(self, store: MemcachedStore) -> Any:
        return store.asynchronous()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memcached]:
    """A server with the true time, and with its own limits."""
    with memcached(tmp_path_factory.mktemp("memcached")) as process:
        yield process


@pytest.fixture
async def store(process: Memcached) -> AsyncIterator[MemcachedStore]:
    process.ask(b"flush_all\r\n")
    store = MemcachedStore(f"127.0.0.1:{process.port}", timeout=PATIENCE)
    yield store
    store.close()
    await store.asynchronous().close()


# Beside Node ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", NODE_WROTE, ids=[record["scenario"] for record in NODE_WROTE])
def test_what_node_wrote_is_read_and_written_as_it_was(
    process: Memcached, store: MemcachedStore, golden: Any, record: Any
) -> None:
    """Key, flags and value: the server cannot tell us from Node."""
    sid, payload = record["sid"], record["payload"].encode()
    assert record["payload"] in [known["payload"] for known in golden["records"]] or "after" in record["scenario"]
    value = b"VALUE %b %d %d\r\n%b\r\nEND\r\n" % (sid.encode(), record["flags"], len(payload), payload)
    process.ask(b"set %b %d 60 %d\r\n%b\r\n" % (sid.encode(), record["flags"], len(payload), payload))
    assert store.load(sid).payload == payload
    assert store.touch(sid, 600) is True
    assert process.ask(b"get %b\r\n" % sid.encode()) == value
    assert store.replace(sid, b"{}", 60, payload) == Replaced()
    assert store.replace(sid, payload, 60, b"{}") == Replaced()
    assert process.ask(b"get %b\r\n" % sid.encode()) == value
    assert store.delete(sid) is True
    assert store.create(sid, payload, 60) is True
    assert process.ask(b"get %b\r\n" % sid.encode()) == value


@pytest.fixture(scope="module")
def node(process: Memcached) -> Iterator[Node]:
    with node_site("memcached-store.js", f"127.0.0.1:{process.port}") as site:
        yield site


@pytest.fixture
def ours(store: MemcachedStore) -> Ours:
    return Ours(store)


class TestBesideNode(BesideNode):
    """Of connect-memcached."""


async def test_a_touch_is_seen_on_the_other_side(node: Node, ours: Ours, store: MemcachedStore) -> None:
    """Both move the same end."""
    _, ours.cookie = node.get(None, set='{"a":1}', maxAge="600000")
    sid = sid_of(ours.cookie)
    payload = store.load(sid).payload
    assert store.load(sid).expires_at == pytest.approx(time.time() + 600, abs=5)
    assert store.touch(sid, 90_000) is True
    assert store.load(sid) == type(store.load(sid))(payload, pytest.approx(time.time() + 90_000, abs=5))
    node.get(ours.cookie)
    assert store.load(sid).expires_at == pytest.approx(time.time() + 600, abs=5), "Node's touch counts from now"


async def test_a_change_survives_that_meets_nodes_touch(node: Node, ours: Ours, store: MemcachedStore) -> None:
    """Node touches by writing all of it again, with its cookie's new end: that is a conflict, and is joined."""
    _, ours.cookie = node.get(None, set='{"a":1}', maxAge="600000")
    cookie = ours.cookie

    def change(session: Any) -> None:
        session["b"] = 2
        node.get(cookie, set='{"c":3}')

    await ours.visit(change)
    assert await ours.visit() == {"a": 1, "b": 2, "c": 3}


# Time -----------------------------------------------------------------------------------------------------------------


def test_more_than_thirty_days_are_kept(process: Memcached, store: MemcachedStore) -> None:
    """connect-memcached loses such sessions at once: to memcached it is a date in 1970."""
    for days in (30, 30.001, 31, 400):
        store.create(f"sid{days}", b"{}", days * 86_400)
        assert store.load(f"sid{days}").expires_at == pytest.approx(time.time() + days * 86_400, abs=5)
        assert store.touch(f"sid{days}", days * 86_400) is True


def test_what_has_no_end_is_told_a_far_one(process: Memcached, store: MemcachedStore) -> None:
    """Node gives none to a cookie of less than a second; and memcached knows no year after 2038."""
    process.ask(b"set node 2 0 2\r\n{}\r\n")
    assert store.load("node").expires_at > time.time() + 9 * 365 * 86_400
    store.create("ours", b"{}", 100 * 365 * 86_400)
    assert store.load("ours").expires_at > time.time() + 9 * 365 * 86_400


# Keys -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sid", ["DVqOYaEKEmQNw4zwSTSwLWLTkR2quQSm", "a/b:c", "zoë", "x" * 250, "漢" * 83])
def test_an_id_is_its_key(process: Memcached, store: MemcachedStore, sid: str) -> None:
    """Wherever the protocol can carry it: so Node finds it."""
    store.create(sid, b"{}", 60)
    assert process.ask(b"get %b\r\n" % sid.encode()) == b"VALUE %b 2 2\r\n{}\r\nEND\r\n" % sid.encode()


@pytest.mark.parametrize("sid", ["", "a b", "a\r\nflush_all", "\x7f", "x" * 251, "漢" * 84, "~" + "0" * 64])
def test_other_ids_are_digests(process: Memcached, store: MemcachedStore, sid: str) -> None:
    """And an id in the form of a digest is one of those: none is another's key."""
    key = store._key(sid)
    assert len(key) == 65
    assert store._key(key.decode()) != key
    store.create(sid, b"{}", 60)
    assert store.load(sid) is not None
    assert b"VALUE" in process.ask(b"get %b\r\n" % key)


def test_a_prefix_counts(process: Memcached) -> None:
    """It stands before the key, and the key as a whole may have 250 bytes."""
    store = MemcachedStore(f"127.0.0.1:{process.port}", prefix="app:")
    store.create("a", b"{}", 60)
    assert process.ask(b"get app:a\r\n").startswith(b"VALUE app:a 2 2\r\n")
    assert store._key("x" * 246) == b"app:" + b"x" * 246
    assert len(store._key("x" * 247)) == 69
    store.close()


# Size -----------------------------------------------------------------------------------------------------------------


async def test_a_session_that_is_too_large_is_refused(store: MemcachedStore) -> None:
    """With both numbers, and neither an outage nor a loss: what was there stays, and the next call is served."""
    large = b"x" * (1 << 20)
    under_asyncio = store.asynchronous()
    assert store.create("a", b"{}", 60) is True
    calls = [
        lambda: store.create("b", large, 60),
        lambda: store.create("a", large, 60),
        lambda: store.replace("a", large, 60, b"{}"),
        lambda: under_asyncio.replace("a", large, 60, b"{}"),
    ]
    for call in calls * 2:
        with pytest.raises(SessionError, match=r"1048576 bytes.* 1048576 at most.*-I") as caught:
            await answer if hasattr(answer := call(), "__await__") else answer
        assert not isinstance(caught.value, StoreUnavailable)
        assert store.load("a").payload == b"{}"
    assert store.load("b") is None
    assert store.replace("a", large, 60, b"other") == Conflict(b"{}")
    assert store.replace("b", large, 60, b"other") == Missing()


def test_what_just_fits_is_kept(store: MemcachedStore) -> None:
    """A hundred bytes are for the key and the head."""
    store.create("a", b"x" * ((1 << 20) - 100), 60)
    assert len(store.load("a").payload) == (1 << 20) - 100


def test_a_server_that_is_full_forgets(tmp_path: Path) -> None:
    """What was not used for longest; the store goes on, and nobody gets another's session."""
    with memcached(tmp_path, None, "-m", "2") as process:
        store = MemcachedStore(f"127.0.0.1:{process.port}")
        for number in range(300):
            assert store.create(f"sid{number}", b"%03d" % number * 10_000, 600) is True
        found = {number: store.load(f"sid{number}") for number in range(300)}
        assert found[0] is None
        assert all(record.payload == b"%03d" % number * 10_000 for number, record in found.items() if record)
        assert store.replace("sid0", b"{}", 60, b"{}") == Missing()
        store.close()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Memcached]:
    """A server that was started with -M, and has room for nothing more. It has three sessions: a, b and c."""
    with memcached(tmp_path, None, "-m", "2", "-M") as process:
        store = MemcachedStore(f"127.0.0.1:{process.port}")
        for name in ("a", "b", "c"):
            store.create(name, b"{}", 600)
        for size in (400_000, 50_000, 5_000, 1_000, *range(400, 0, -20)):
            with pytest.raises(StoreRefused, match="refused create: SERVER_ERROR out of memory storing object"):
                for number in range(50_000):
                    store.create(f"{size}-{number}", b"x" * size, 600)
        store.close()
        yield process


@pytest.mark.parametrize("colour", ["sync", "asyncio"])
async def test_a_server_that_is_full_refuses_and_is_not_silent(full: Memcached, colour: str) -> None:
    """What is new is refused, which is not to be mistaken for a session that exists; who only reads is served."""
    store = MemcachedStore(f"127.0.0.1:{full.port}")
    verbs = store.asynchronous() if colour == "asyncio" else store
    for _ in range(10):
        with pytest.raises(StoreRefused) as caught:
            await ask(verbs.create("new", b"x" * 5_000, 600))
        assert (caught.value.store, caught.value.operation) == ("MemcachedStore", "create")
        assert caught.value.reason == "SERVER_ERROR out of memory storing object"
        assert (await ask(verbs.load("a"))).payload == b"{}"
        assert await ask(verbs.touch("a", 600)) is True
    assert await ask(verbs.delete("a")) is True
    await ask(verbs.close())


async def test_log_out_and_revocation_need_no_room(full: Memcached) -> None:
    """A full server takes no tombstone, and lets go of the record."""
    sessions = Sessions(secret=SECRET, store=f"memcached://127.0.0.1:{full.port}")
    assert await sessions.arevoke("a") is True
    session = await sessions.aopen("b")
    session.logout()
    await ask(sessions.engine.commit_async(session))
    for name in ("a", "b"):
        assert await sessions.aopen(name) is None
    assert await sessions.aopen("c") is not None
    # Of each, a tombstone is tried twice: by what the record was thought to hold, and by what it holds.
    assert sessions.counts()["store_unavailable"] == 4
    await sessions.aclose()


# Outages --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", ["sync", "asyncio"])
async def test_a_server_that_was_killed_has_forgotten_all(tmp_path: Path, colour: str) -> None:
    """While it is gone, that is an outage; when it is back, there is no session, and the first call creates one."""
    with memcached(tmp_path) as process:
        store = MemcachedStore(f"127.0.0.1:{process.port}", timeout=PATIENCE)
        verbs = store.asynchronous() if colour == "asyncio" else store

        assert await ask(verbs.create("a", b"{}", 60)) is True
        process.kill()
        with pytest.raises(StoreUnavailable) as caught:
            await ask(verbs.load("a"))
        assert isinstance(caught.value.__cause__, OSError)
        process.start()
        assert await ask(verbs.create("a", b"{}", 60)) is True, "though its old connection is dead"
        assert await ask(verbs.load("a")) is not None
        await ask(verbs.close())


async def test_a_visitor_is_told_to_come_again(process: Memcached) -> None:
    """Whether the server is gone or silent."""
    with Link(process.port) as link:
        await visitor_is_told_to_come_again(Ours(MemcachedStore(f"127.0.0.1:{link.port}", timeout=1)), link)


def connections(process: Memcached) -> int:
    """How many are open, but for the one that asks."""
    return int(process.ask(b"stats\r\n").split(b"STAT curr_connections ")[1].split()[0]) - 1


def test_an_event_loop_that_ends_closes_its_connections(process: Memcached) -> None:
    """Celery, tests, `asyncio.run` in a row, in several threads: none is left for a garbage collection to close."""
    before = connections(process)
    store = MemcachedStore(f"127.0.0.1:{process.port}").asynchronous()

    async def work() -> None:
        await asyncio.gather(*(store.load("nobody") for _ in range(3)))

    def worker() -> None:
        for _ in range(5):
            asyncio.run(work())

    gc.disable()
    try:
        threads = [threading.Thread(target=worker) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_for(lambda: connections(process) <= before)
    finally:
        gc.enable()


@pytest.mark.parametrize("colour", ["sync", "asyncio"])
async def test_a_connection_that_was_idle_for_minutes_is_not_used(
    process: Memcached, colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firewall has forgotten it and tells nobody: what is sent on it goes nowhere."""
    before = connections(process)
    now = [1000.0]
    monkeypatch.setattr("sessile.stores.memcached.client._now", lambda: now[0])
    with Link(process.port) as link:
        store = MemcachedStore(f"127.0.0.1:{link.port}")
        verbs = store.asynchronous() if colour == "asyncio" else store
        if colour == "asyncio":
            await asyncio.gather(*(verbs.load("a") for _ in range(4)))
        else:
            StoreConformance.in_threads([lambda: verbs.load("a") for _ in range(4)])
        opened = connections(process)
        now[0] += MOST_IDLE_SECONDS - 1
        await ask(verbs.load("a"))
        assert connections(process) == opened, "a younger one is used again"
        now[0] += MOST_IDLE_SECONDS
        await ask(verbs.load("a"))
        wait_for(lambda: connections(process) <= before + 1)
        await ask(verbs.close())


@pytest.mark.parametrize("command", ["load", "replace"])
async def test_a_loop_that_stood_still_is_no_outage(process: Memcached, command: str) -> None:
    """A handler has blocked it for longer than the deadline; of one command or of two, the replies are read."""
    store = MemcachedStore(f"127.0.0.1:{process.port}", timeout=0.5).asynchronous()
    await store.delete("still")
    await store.create("still", b"{}", 60)
    calls = [store.load("still"), store.replace("still", b"{}", 60, b"{}")]
    call = asyncio.ensure_future(calls.pop(["load", "replace"].index(command)))
    calls[0].close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    time.sleep(0.7)
    assert await call
    await store.close()


async def test_many_at_once_share_a_few_connections(process: Memcached, store: MemcachedStore) -> None:
    """A memcached allows 1024 of them to all its clients."""
    under_asyncio = store.asynchronous()
    await under_asyncio.create("a", b"{}", 60)
    before = int(process.ask(b"stats\r\n").split(b"STAT total_connections ")[1].split()[0])
    records = await asyncio.gather(*(under_asyncio.load("a") for _ in range(500)))
    assert {record.payload for record in records} == {b"{}"}
    after = int(process.ask(b"stats\r\n").split(b"STAT total_connections ")[1].split()[0])
    assert after - before <= 33


def test_a_server_that_does_not_speak_memcached_is_an_outage() -> None:
    """Its words are not shown, for they may be a session's."""
    import socketserver
    import threading

    class Other(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(self.server.words)  # type: ignore[attr-defined]

    with socketserver.TCPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        store = MemcachedStore(f"127.0.0.1:{server.server_address[1]}")
        for words, message in [
            (b"ERROR\r\n", "refused load: .*1.6 or newer"),
            (b"SERVER_ERROR out of memory\r\n", "refused load: SERVER_ERROR out of memory"),
            (b"HTTP/1.1 400 secret\r\n", "refused load: it is not a memcached: it said 'HTTP/1.1'"),
            (b"VA x\r\n", "ValueError"),
        ]:
            server.words = words  # type: ignore[attr-defined]
            with pytest.raises(StoreUnavailable, match=message) as caught:
                store.load("a")
            assert "secret" not in str(caught.value)
        server.shutdown()
        store.close()


@pytest.mark.parametrize(
    ("received", "reply"),
    [
        (b"EN\r\n", Reply("EN")),
        (b"VA 5 t60\r\na\r\nEN\r\n", Reply("VA 5 t60", b"a\r\nEN")),
        (b"VA 0 t60\r\n\r\n", Reply("VA 0 t60")),
        (b"STAT a 1\r\nSTAT b 2\r\nEND\r\n", Reply("STAT", b"STAT a 1\r\nSTAT b 2\r\nEND\r\n")),
    ],
)
def test_a_reply_is_read_whole(received: bytes, reply: Reply) -> None:
    """Wherever the network cuts it."""
    assert parse(received) == reply
    assert [parse(received[:size]) for size in range(len(received))] == [None] * len(received)


async def test_a_socket_file_will_do(tmp_path: Path) -> None:
    """In both colours."""
    import subprocess

    path = tmp_path / "memcached.sock"
    user = ["-u", "root"] if os.geteuid() == 0 else []
    with subprocess.Popen(["memcached", *user, "-s", str(path)]) as process:
        while not path.exists():
            await asyncio.sleep(0.005)
        store = stores.from_url(f"memcached://{path}?prefix=a:", time.time)
        assert isinstance(store, MemcachedStore)
        assert store.create("a", b"{}", 60) is True
        assert (await store.asynchronous().load("a")).payload == b"{}"
        store.close()
        await store.asynchronous().close()
        process.kill()


def test_a_child_of_a_fork_has_connections_of_its_own(process: Memcached, store: MemcachedStore) -> None:
    """Or it would read its parent's replies."""
    store.create("a", b"{}", 60)

    def reads() -> bool:
        return all(store.load("a").payload == b"{}" for _ in range(50))

    assert forked(lambda: not store._clients.here().count() and reads(), reads)


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("memcached://localhost", ("localhost", 11211)),
        ("memcached://10.0.0.1:12000?timeout=1", ("10.0.0.1", 12000)),
        ("memcached://[::1]:12000", ("::1", 12000)),
        ("memcached:///run/memcached.sock", "/run/memcached.sock"),
    ],
)
def test_the_url_names_the_server(url: str, address: Any) -> None:
    """Nothing is connected yet."""
    assert stores.from_url(url, time.time)._address == address


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memcached://", "memcached://127.0.0.1:11211"),
        ("memcached:///", "memcached://127.0.0.1:11211"),
        ("memcached://host/path", "memcached://127.0.0.1:11211"),
        ("memcached://h1:11211,h2:11211", "Name one"),
        ("memcached://user:password@host", "no user and no password"),
        ("memcached://host:port", "is no server"),
        ("memcached://host?prefix=a%20b", "prefix"),
        ("memcached://host?timeout=soon", "The default is 2"),
        ("memcached://host?timeout=0", "The default is 2"),
        ("memcached://host?ttl=5", "prefix and timeout"),
    ],
)
def test_a_wrong_url_says_what_to_write(url: str, message: str) -> None:
    """At construction, with the remedy."""
    with pytest.raises(InvalidOption, match=message):
        stores.from_url(url, time.time)


def test_the_client_of_asyncio_has_a_limit(process: Memcached) -> None:
    """One for each event loop."""
    assert AsyncClient(("127.0.0.1", process.port))._places._value == 32
