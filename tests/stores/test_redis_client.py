"""Our own client of Redis: what becomes of calls when requests are cancelled, loops stall and connections end."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from sessile import SessionError, StoreUnavailable, stores
from sessile.stores._shared.breaker import FAILURES
from sessile.stores.base import Conflict, Replaced
from sessile.stores.redis import RedisStore, blocking, lane
from sessile.testing import Link
from tests.stores.redis_servers import Server, cluster, free_ports, raw, sentinels, started, wait_for
from tests.stores.tap import Tap
from tests.stress.redis_cancellation import SESSIONS, Checker, check
from tests.waiting import PATIENCE


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with started() as server:
        yield server


@pytest.fixture
def tap(server: Server) -> Iterator[Tap]:
    server.ask("FLUSHALL")
    with Tap(server.port) as tap:
        yield tap


# Cancellation ---------------------------------------------------------------------------------------------------------


async def test_no_reply_reaches_another_than_the_request_that_asked(server: Server) -> None:
    """However many are cancelled, at whatever point. (The module runs longer by itself.)"""
    server.ask("FLUSHALL")
    found = await check(f"redis://127.0.0.1:{server.port}", 10_000)
    assert found.cancelled >= 10_000
    assert found.answered > 1000
    assert (found.wrong, found.outages) == (0, 0)


async def test_nor_when_connections_break_meanwhile(server: Server) -> None:
    """What was under way is asked again, or is an outage; it is never answered with what was meant for others."""
    server.ask("FLUSHALL")
    with Link(server.port) as link:
        store = RedisStore(f"redis://127.0.0.1:{link.port}", timeout=PATIENCE).asynchronous()
        checker = Checker(store, 2)
        await checker.prepare()
        running = asyncio.ensure_future(checker.run(2000, answers=160))
        cuts = 0
        while not running.done():
            # By answers, not by time: a slow machine would have none between two cuts.
            if checker.answered >= 40 * (cuts + 1):
                await asyncio.to_thread(link.cut)
                cuts += 1
            await asyncio.sleep(0.001)
        await running
        assert checker.wrong == 0
        assert cuts > 3
        await store.close()
        assert RedisStore(f"redis://127.0.0.1:{server.port}").count() == SESSIONS


async def test_a_request_that_is_cancelled_before_there_is_a_connection_harms_nobody(tap: Tap) -> None:
    """The connection is made for whoever comes next."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=PATIENCE).asynchronous()
    for _ in range(5):
        call = asyncio.ensure_future(store.load("a"))
        await asyncio.sleep(0)
        call.cancel()
    assert await store.load("a") is None
    assert tap.connections == 1
    await store.close()


# Deadlines ------------------------------------------------------------------------------------------------------------


async def test_a_loop_that_stands_still_makes_nobody_late(tap: Tap) -> None:
    """The reply came while nobody could read it. So it is with a process that was frozen."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=0.2).asynchronous()
    await store.create("a", b"x", 60)
    for _ in range(FAILURES + 1):
        calls = [asyncio.ensure_future(store.load("a")) for _ in range(5)]
        await asyncio.sleep(0)
        time.sleep(0.5)
        assert [record.payload for record in await asyncio.gather(*calls)] == [b"x"] * len(calls)
    await store.close()


async def test_nor_does_one_that_stands_still_while_it_connects(tap: Tap) -> None:
    """The first requests after the start."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=0.2).asynchronous()
    calls = [asyncio.ensure_future(store.load("a")) for _ in range(5)]
    for _ in range(4):
        await asyncio.sleep(0)
        time.sleep(0.3)
    assert await asyncio.gather(*calls) == [None] * 5
    await store.close()


async def test_a_slow_answer_costs_those_behind_it_no_more_than_the_deadline() -> None:
    """A server that is at work on something long: who has waited long enough is told so, and the rest is answered."""
    with started("--enable-debug-command", "yes") as server:
        await wait_behind_something_long(server)


async def wait_behind_something_long(server: Server) -> None:
    store = RedisStore(f"redis://127.0.0.1:{server.port}", timeout=0.4).asynchronous()
    await store.create("a", b"x", 60)
    sleep = threading.Thread(target=server.ask, args=("DEBUG", "SLEEP", "0.7"))
    sleep.start()
    await asyncio.sleep(0.1)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"^RedisStore got no answer to load within 0\.4 seconds$"):
        await store.load("a")
    assert time.monotonic() - began >= 0.35
    await asyncio.to_thread(sleep.join)
    assert (await store.load("a")).payload == b"x"
    await store.close()


async def test_a_timer_runs_only_while_something_is_under_way(tap: Tap) -> None:
    """An idle process is not woken."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=0.1).asynchronous()
    await store.load("a")
    client = store._clients_of_ours.pipelined()
    assert client._timer is not None
    while client._timer is not None:
        await asyncio.sleep(0.01)
    await store.load("a")
    assert client._timer is not None
    await store.close()


# Many writers of one record ---------------------------------------------------------------------------------------------


async def count_up(store: Any, writer: int, conflicts: list[int]) -> None:
    """Add a line to the record, as a request does that joins its changes to those of others."""
    expected = (await store.load("many")).payload
    while True:
        answer = await store.replace("many", expected + b"%d\n" % writer, 600, expected)
        if answer == Replaced():
            return
        conflicts.append(writer)
        expected = answer.current
        for _ in range(writer % 3):  # It takes them a moment.
            await asyncio.sleep(0)


async def test_many_writers_of_one_record_take_turns(tap: Tap) -> None:
    """Each meets about one conflict, where without turns it would be sixty; and none is lost."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=PATIENCE).asynchronous()
    await store.create("many", b"", 600)
    conflicts: list[int] = []
    await asyncio.gather(*(count_up(store, writer, conflicts) for writer in range(128)))
    assert sorted(map(int, (await store.load("many")).payload.split())) == list(range(128))
    assert len(conflicts) < 2 * 128
    assert not store._clients_of_ours.pipelined().turns._lines
    await store.close()


async def test_a_turn_passes_on_when_its_writer_does_not_come_back(tap: Tap) -> None:
    """They were told of a conflict and gave up, or were cancelled while they waited."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=PATIENCE).asynchronous()
    await store.create("many", b"first", 600)
    answers = [store.replace("many", b"%d" % number, 600, b"other") for number in range(5)]
    answers[2].cancel()
    found = await asyncio.gather(*answers, return_exceptions=True)
    assert [found[number] for number in (0, 1, 3, 4)] == [Conflict(b"first")] * 4
    assert await store.replace("many", b"second", 600, b"first") == Replaced()
    await store.close()


async def test_a_turn_does_not_outlast_the_patience_of_those_who_wait(tap: Tap) -> None:
    """A line that does not move is left."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=PATIENCE).asynchronous()
    await store.create("many", b"first", 600)
    turns = store._clients_of_ours.pipelined().turns
    turns._patience = 0.01
    turns._lines[b"sess:many"] = stuck = type("Line", (), {"waiting": [], "kept_for": None, "timer": None})()
    assert await store.replace("many", b"second", 600, b"first") == Replaced()
    assert len(stuck.waiting) == 1
    await store.close()


async def test_closing_ends_the_line_of_those_who_wait(server: Server) -> None:
    """None of them connects again."""
    with Link(server.port) as link:
        store = RedisStore(f"redis://127.0.0.1:{link.port}", timeout=PATIENCE).asynchronous()
        await store.create("line", b"first", 600)
        link.silence()
        answers = [store.replace("line", b"%d" % number, 600, b"first") for number in range(5)]
        await asyncio.sleep(0.01)
        client = store._clients_of_ours.pipelined()
        await store.close()
        found = await asyncio.gather(*answers, return_exceptions=True)
        assert {type(error) for error in found} == {StoreUnavailable}
        assert not client._lanes
        assert not client._tasks


# Connections that end while they are idle -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(str(folder / "server.key"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
    return folder


def hang_up(server: Server) -> None:
    """Close the connections of our own clients, and not those of Sentinels."""
    for line in raw(server, "CLIENT", "LIST").decode().splitlines():
        if " name=sessile " in line:
            server.ask("CLIENT", "KILL", "ID", line.split()[0].removeprefix("id="))


def one(running: ExitStack, certificates: Path) -> tuple[str, list[Server]]:
    server = running.enter_context(started())
    return f"redis://127.0.0.1:{server.port}", [server]


def by_tls(running: ExitStack, certificates: Path) -> tuple[str, list[Server]]:
    port = free_ports(1)[0]
    files = {"cert": "server.pem", "key": "server.key", "ca-cert": "ca.pem"}
    options = [text for name, file in files.items() for text in (f"--tls-{name}-file", str(certificates / file))]
    server = running.enter_context(started("--tls-port", str(port), "--tls-auth-clients", "no", *options))
    return f"rediss://localhost:{port}?ssl_ca_certs={certificates}/ca.pem", [server]


def by_sentinel(running: ExitStack, certificates: Path) -> tuple[str, list[Server]]:
    servers, watchers = running.enter_context(sentinels())
    return f"redis+sentinel://127.0.0.1:{watchers[0].port}/sessions", servers


def by_cluster(running: ExitStack, certificates: Path) -> tuple[str, list[Server]]:
    nodes = running.enter_context(cluster())
    return f"redis+cluster://127.0.0.1:{nodes[0].port}", nodes


@pytest.mark.parametrize("place", [one, by_tls, by_sentinel, by_cluster])
async def test_connections_that_the_server_has_closed_cost_no_request(certificates: Path, place: Any) -> None:
    """Neither those that were idle (``timeout 300``, a proxy), nor after a freeze: not even a write, made at once."""
    with ExitStack() as running:
        url, servers = place(running, certificates)
        store = stores.from_url(f"{url}{'&' if '?' in url else '?'}timeout={PATIENCE:g}", time.time)
        under_asyncio = store.asynchronous()
        for number in range(6):
            for server in servers:
                hang_up(server)
            if number > 3:
                await asyncio.sleep(0.05)
            assert await under_asyncio.create(f"a{number}", b"x", 60) is True
            assert store.create(f"b{number}", b"x", 60) is True
            for server in servers:
                hang_up(server)
            assert await under_asyncio.replace(f"a{number}", b"y", 60, b"x") == Replaced()
            assert store.replace(f"b{number}", b"y", 60, b"x") == Replaced()
        await under_asyncio.close()
        store.close()


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_connections_that_a_firewall_has_forgotten_are_not_used(
    tap: Tap, monkeypatch: pytest.MonkeyPatch, asynchronous: bool
) -> None:
    """It tells nobody; so what was idle for long is replaced."""
    store: Any = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=0.4)
    if asynchronous:
        store = store.asynchronous()
        await store.create("a", b"x", 60)
        client = store._clients_of_ours.pipelined()
        while client._timer is not None:
            await asyncio.sleep(0.01)
    else:
        store.create("a", b"x", 60)
    tap.forget()
    monkeypatch.setattr(lane if asynchronous else blocking, "MOST_IDLE_SECONDS", 0.0)
    answer = store.create("b", b"x", 60)
    assert (await answer if asynchronous else answer) is True
    assert tap.connections == 2
    closing = store.close()
    if asynchronous:
        await closing


# Loops, processes -----------------------------------------------------------------------------------------------------


def test_connections_end_with_their_loop(server: Server) -> None:
    """Nobody closes the store, and nothing is left to a garbage collection."""
    store = RedisStore(f"redis://127.0.0.1:{server.port}", timeout=PATIENCE).asynchronous()

    async def use() -> None:
        await asyncio.gather(*(store.load(f"sid{number}") for number in range(5)))

    gc.disable()
    try:
        for _ in range(20):
            asyncio.run(use())
        wait_for(lambda: b"name=sessile" not in raw(server, "CLIENT", "LIST"))
    finally:
        gc.enable()


FORK = """
import asyncio, ctypes, os, sys
from sessile.stores.redis import RedisStore
store = RedisStore(sys.argv[1], timeout=20)
store.create("parent", b"parent", 60)
store.create("child", b"child", 60)
async def look(name):
    under_asyncio = store.asynchronous()
    found = {(await under_asyncio.load(name)).payload for _ in range(200)}
    return found == {name.encode()}
asyncio.run(look("parent"))
child = ctypes.PyDLL(None).fork()  # As uWSGI does: no hook of Python's runs.
name = "parent" if child else "child"
mine = all(store.load(name).payload == name.encode() for _ in range(300)) and asyncio.run(look(name))
if not child:
    os._exit(0 if mine else 1)
print(mine, os.waitpid(child, 0)[1])
"""


def test_a_process_that_was_forked_in_c_has_connections_of_its_own(server: Server) -> None:
    """Nobody reads another's replies."""
    command = [sys.executable, "-W", "error", "-c", FORK, f"redis://127.0.0.1:{server.port}"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "True 0\n"


async def test_a_process_that_was_forked_among_calls_begins_anew(server: Server) -> None:
    """It leaves the loop and the connections of its parent alone, and its parent goes on."""
    store = RedisStore(f"redis://127.0.0.1:{server.port}", timeout=PATIENCE)
    under_asyncio = store.asynchronous()
    await under_asyncio.create("among", b"x", 60)
    calls = [under_asyncio.load("among") for _ in range(10)]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"1" if store.load("among") is not None else b"0")
        os._exit(0)
    assert [record.payload for record in await asyncio.gather(*calls)] == [b"x"] * len(calls)
    assert await asyncio.to_thread(os.read, read, 1) == b"1"
    os.waitpid(child, 0)
    assert (await under_asyncio.load("among")).payload == b"x"
    os.close(read)
    os.close(write)
    await under_asyncio.close()
    store.close()


# What is no Redis -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x01\x02\r\n", b":\r\n", b""])
async def test_a_server_that_is_no_redis_is_an_outage(answer: bytes) -> None:
    """And no exception of another kind."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    store = RedisStore(f"redis://127.0.0.1:{port}", timeout=2)
    with pytest.raises(StoreUnavailable):
        await store.asynchronous().load("a")
    with pytest.raises(StoreUnavailable):
        await asyncio.to_thread(store.load, "a")
    await store.asynchronous().close()
    other.close()
    await other.wait_closed()


async def test_large_pages_stand_before_nobody(tap: Tap) -> None:
    """All keys are listed on a connection of their own."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=PATIENCE).asynchronous()
    await asyncio.gather(*(store.create(f"sid{number}", b"x" * 10_000, 60) for number in range(300)))
    listing = asyncio.ensure_future(store.count())
    assert await store.load("sid1") is not None
    assert await listing == 300
    assert len([sid async for sid, _ in store.all()]) == 300
    assert tap.connections == 2
    await store.close()


async def test_a_record_that_is_larger_than_a_packet_arrives_whole(tap: Tap) -> None:
    """In both directions, beside small ones."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=PATIENCE)
    under_asyncio = store.asynchronous()
    large = os.urandom(3_000_000)
    answers = await asyncio.gather(
        *(under_asyncio.create(f"sid{number}", large if number == 5 else b"x", 60) for number in range(20))
    )
    assert answers == [True] * 20
    found = await asyncio.gather(*(under_asyncio.load(f"sid{number}") for number in range(20)))
    assert [record.payload == (large if number == 5 else b"x") for number, record in enumerate(found)] == [True] * 20
    assert store.load("sid5").payload == large
    assert await under_asyncio.replace("sid5", b"small", 60, large) == Replaced()
    await under_asyncio.close()
    store.close()


def test_a_call_that_is_interrupted_leaves_no_reply_to_the_next(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, a worker's time limit: the connection is closed."""
    store = RedisStore(f"redis://127.0.0.1:{server.port}", timeout=PATIENCE)
    store.create("mine", b"mine", 60)
    store.create("other", b"other", 60)
    read: Callable[..., Any] = blocking.Connection._read

    def interrupt(self: Any, size: int, until: float) -> Any:
        monkeypatch.setattr(blocking.Connection, "_read", read)
        raise KeyboardInterrupt

    monkeypatch.setattr(blocking.Connection, "_read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.load("mine")
    assert store.load("other").payload == b"other"
    store.close()


# Other loops, no loop -------------------------------------------------------------------------------------------------


def test_uvloop_serves_as_well(server: Server, certificates: Path) -> None:
    """Its transports are of other classes. By TLS, too, and with connections that were closed."""
    with ExitStack() as running:
        places = [place(running, certificates) for place in (one, by_tls)]

        async def use() -> None:
            for url, (its_server,) in places:
                store = stores.from_url(url, time.time).asynchronous()
                assert all(await asyncio.gather(*(store.create(f"uv{number}", b"x" * 300, 60) for number in range(50))))
                checker = Checker(store, 3)
                await checker.prepare()
                await checker.run(500)
                assert (checker.wrong, checker.outages) == (0, 0)
                for number in range(5):
                    hang_up(its_server)
                    assert await store.create(f"closed{number}", b"x", 60) is True

        uvloop.run(use())


def test_another_library_than_asyncio_is_told_so() -> None:
    """trio: it is a mistake, not an outage."""
    store = RedisStore("redis://127.0.0.1:1").asynchronous()
    with pytest.raises(SessionError, match="needs asyncio") as caught:
        store.load("a")
    assert not isinstance(caught.value, StoreUnavailable)
