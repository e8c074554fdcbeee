"""The network connection that tests cut, with a server that answers in capitals."""

from __future__ import annotations

import gc
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from sessile.testing import Link


def shout(connection: socket.socket, heard: list[bytes]) -> None:
    with connection:
        while data := connection.recv(1000):
            heard.append(data)
            connection.sendall(data.upper())


@pytest.fixture
def heard() -> list[bytes]:
    return []


@pytest.fixture
def port(heard: list[bytes]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=shout, args=(connection, heard), daemon=True).start()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def link(port: int) -> Iterator[Link]:
    with Link(port) as link:
        yield link


def connect(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=10)


def says(connection: socket.socket, words: bytes = b"hello") -> bytes:
    connection.sendall(words)
    return connection.recv(1000)


def is_silent(connection: socket.socket) -> bool:
    connection.settimeout(0.05)
    try:
        connection.recv(1000)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(10)
    return False


def is_broken(connection: socket.socket) -> bool:
    try:
        return connection.recv(1000) == b""
    except ConnectionError:
        return True


def test_it_passes_on_both_ways(link: Link) -> None:
    """For several connections at once, and more than one read's worth."""
    with connect(link) as one, connect(link) as two:
        assert says(one) == b"HELLO"
        assert says(two, b"you") == b"YOU"
        one.sendall(b"x" * 300_000)
        received = 0
        while received < 300_000:
            received += len(one.recv(100_000))


def test_in_silence_everything_is_held_back(link: Link) -> None:
    """Old connections and new ones stay open; what was said arrives when it works again."""
    with connect(link) as old:
        assert says(old) == b"HELLO"
        link.silence()
        old.sendall(b"later")
        with connect(link) as new:
            new.sendall(b"too")
            assert is_silent(old)
            assert is_silent(new)
            link.resume()
            assert old.recv(1000) == b"LATER"
            assert new.recv(1000) == b"TOO"


def test_refusing_breaks_and_refuses(link: Link) -> None:
    """Until it works again, on the same port."""
    port = link.port
    with connect(link) as old:
        assert says(old) == b"HELLO"
        link.refuse()
        assert is_broken(old)
        with pytest.raises(ConnectionError):
            connect(link)
        link.resume()
        assert link.port == port
        with connect(link) as new:
            assert says(new) == b"HELLO"


def test_cutting_breaks_and_lets_new_ones_be_made(link: Link) -> None:
    """As a restart does."""
    with connect(link) as old:
        assert says(old) == b"HELLO"
        link.cut()
        assert is_broken(old)
        with connect(link) as new:
            assert says(new) == b"HELLO"


def test_what_is_held_back_in_silence_can_be_cut(link: Link) -> None:
    """A silent server may be gone for good."""
    with connect(link) as old:
        assert says(old) == b"HELLO"
        link.silence()
        old.sendall(b"never")
        link.refuse()
        assert is_broken(old)
        link.resume()
        with connect(link) as new:
            assert says(new) == b"HELLO"


def test_a_muted_server_has_heard(link: Link, heard: list[bytes]) -> None:
    """What was asked was done; the reply comes when it works again, or never if the connection is cut."""
    with connect(link) as kept:
        assert says(kept) == b"HELLO"
        link.mute()
        kept.sendall(b"later")
        assert is_silent(kept)
        assert heard[-1] == b"later"
        link.resume()
        assert kept.recv(1000) == b"LATER"
        link.mute()
        kept.sendall(b"never")
        assert is_silent(kept)
        assert heard[-1] == b"never"
        link.cut()
        link.resume()
        assert is_broken(kept)


def test_replies_can_be_late(link: Link) -> None:
    """By as much as is asked for, until that is nothing."""
    with connect(link) as connection:
        link.delay(0.2)
        start = time.monotonic()
        assert says(connection, b"late") == b"LATE"
        assert time.monotonic() - start >= 0.19  # However slow the machine is, it is no sooner.
        link.delay(0)
        assert says(connection) == b"HELLO"


@pytest.mark.parametrize("end", ["theirs", "ours"])
def test_who_hangs_up_is_heard_by_the_other(end: str) -> None:
    """A connection that was closed on one side is closed on the other."""
    with socket.create_server(("127.0.0.1", 0)) as server, Link(server.getsockname()[1]) as link:
        client = connect(link)
        accepted, _ = server.accept()
        first, second = (accepted, client) if end == "theirs" else (client, accepted)
        first.close()
        second.settimeout(10)
        assert is_broken(second)
        second.close()


def test_a_server_that_refuses_is_refused_by_it() -> None:
    """It does not hide that there is none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Link(port) as link, connect(link) as connection:
        assert is_broken(connection)


def test_closing_ends_its_thread_and_its_connections(port: int) -> None:
    """In any state."""
    for do in ("silence", "refuse", "cut", "resume"):
        link: Any = Link(port)
        with connect(link) as connection:
            assert says(connection) == b"HELLO"
            getattr(link, do)()
            link.close()
            assert is_broken(connection)
        assert not link._thread.is_alive()
    assert not [thread for thread in threading.enumerate() if thread.name == "sessile-link"]


@pytest.mark.parametrize("end", ["close", "refuse", "cut"])
def test_a_connection_made_at_the_last_moment_is_broken_and_closed(port: int, end: str) -> None:
    """One that is accepted in the very turn in which it is told to end all; another waits to be accepted."""
    link: Any = Link(port)
    held, go = threading.Event(), threading.Event()
    link._loop.call_soon_threadsafe(lambda: (held.set(), go.wait(30)))
    assert held.wait(30)
    # The link's thread stands still: what happens now is all before its next turn.
    told = threading.Event()
    schedule = link._loop.call_soon_threadsafe
    link._loop.call_soon_threadsafe = lambda *work, **context: (schedule(*work, **context), told.set())[0]
    with warnings.catch_warnings(record=True) as warned, connect(link) as first, connect(link) as second:
        warnings.simplefilter("always")
        thread = threading.Thread(target=getattr(link, end))
        thread.start()
        assert told.wait(30)
        go.set()
        thread.join(30)
        assert not thread.is_alive()
        assert is_broken(first)
        assert is_broken(second)
        if end != "close":
            link.close()
        gc.collect()
    assert [str(each.message) for each in warned] == []
