"""Redis's protocol, as hiredis reads and writes it and as our few lines do."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.stores.redis.resp import (
    INCOMPLETE,
    MalformedReply,
    Pushed,
    PythonReader,
    Refusal,
    make_reader,
    pack,
    pack_in_python,
)
from tests.stores.redis_servers import started


def all_of(reader: Any, received: bytes, sizes: list[int]) -> list[Any]:
    """Return what ``reader`` makes of ``received``, which comes in pieces."""
    found = []
    start = 0
    for size in [*sizes, len(received)]:
        reader.feed(received[start : start + size])
        start += size
        while (reply := reader.gets()) is not INCOMPLETE:
            found.append(repr(reply))
    return found


lines = st.text(st.characters(codec="ascii", exclude_characters="\r\n"), max_size=20).map(str.encode)
scalars = st.one_of(
    lines.map(lambda line: b"+%b\r\n" % line),
    lines.map(lambda line: b"-ERR %b\r\n" % line),
    st.integers(-(2**62), 2**62).map(lambda number: b":%d\r\n" % number),
    st.binary(max_size=60).map(lambda data: b"$%d\r\n%b\r\n" % (len(data), data)),
    st.sampled_from([b"$-1\r\n", b"*-1\r\n", b"_\r\n", b"#t\r\n", b"#f\r\n", b",1.5\r\n"]),
)


def listed(kind: bytes) -> Any:
    return lambda parts: b"%b%d\r\n%b" % (kind, len(parts), b"".join(parts))


nested = st.recursive(
    scalars, lambda each: st.lists(each, max_size=4).map(listed(b"*")) | st.lists(each, max_size=4).map(listed(b">"))
)


@given(st.lists(nested, max_size=5).map(b"".join), st.lists(st.integers(1, 30), max_size=10))
def test_both_read_the_same(received: bytes, sizes: list[int]) -> None:
    """However it comes in pieces."""
    assert all_of(PythonReader(), received, sizes) == all_of(make_reader(), received, sizes)


@given(st.lists(st.one_of(st.binary(max_size=40), st.text(max_size=20), st.integers()), min_size=1, max_size=6))
def test_both_write_the_same(command: list[Any]) -> None:
    """Bytes, texts and numbers."""
    assert pack_in_python(command) == hiredis.pack_command(tuple(command)) == pack(tuple(command))


def test_a_map_is_a_dictionary() -> None:
    """As HELLO answers."""
    received = b"%2\r\n+server\r\n+redis\r\n*1\r\n:1\r\n_\r\n"
    reader = PythonReader()
    reader.feed(received)
    assert reader.gets() == {b"server": b"redis", (1,): None}


@pytest.mark.parametrize("make", [PythonReader, make_reader])
def test_what_nobody_asked_for_is_told_apart(make: Any) -> None:
    """A message that is pushed is no reply."""
    reader = make()
    reader.feed(b">2\r\n+invalidate\r\n_\r\n")
    assert type(reader.gets()) is Pushed


@pytest.mark.parametrize("received", [b"HTTP/1.1 400\r\n", b"\r\n", b":x\r\n", b"$x\r\n", b"#z\r\n"])
def test_what_is_not_the_protocol_is_said_to_be_that(received: bytes) -> None:
    """It is a connection that is of no use."""
    reader = PythonReader()
    reader.feed(received)
    with pytest.raises(MalformedReply):
        reader.gets()


def test_a_long_error_is_an_error() -> None:
    """And a text with its format is a text. (hiredis does not know the first; Redis sends neither to us.)"""
    reader = PythonReader()
    reader.feed(b"!5\r\nERR x\r\n=5\r\ntxt:y\r\n")
    error = reader.gets()
    assert isinstance(error, Refusal)
    assert (str(error), reader.gets(), reader.gets()) == ("ERR x", b"y", INCOMPLETE)


def test_an_error_has_a_code() -> None:
    """Its first word."""
    assert Refusal("OOM command not allowed").code == "OOM"


WITHOUT = """
import asyncio, sys
sys.modules["hiredis"] = None
from sessile.stores.redis import RedisStore, resp
assert resp.hiredis is None
store = RedisStore(sys.argv[1], timeout=20)
for number in range(300):
    store.create(f"sid{number}", b"x" * number * 20, 60)
assert store.load("sid7").payload == b"x" * 140
assert len(list(store.all())) == store.count() == 300
async def use():
    found = await asyncio.gather(*(store.asynchronous().load(f"sid{number}") for number in range(300)))
    return [len(record.payload) for record in found]
assert asyncio.run(use()) == [number * 20 for number in range(300)]
print(store.evicts(), store.replace("sid7", b"y", 60, b"x" * 140), store.delete("sid7"), store.load("sid7"))
"""


def test_the_store_works_without_hiredis() -> None:
    """Slower, and the same."""
    with started() as server:
        command = [sys.executable, "-W", "error", "-c", WITHOUT, f"redis://127.0.0.1:{server.port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("False Replaced() True None\n", "")
