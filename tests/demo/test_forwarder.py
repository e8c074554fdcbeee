"""The proxy in front of several servers"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import pytest

from sessile.demo.forwarder import Forwarder

GET = b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: keep-alive\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 4\r\n\r\nbody"

#: What a server does with a request: its whole answer, after which it closes.
Behaviour = Callable[[bytes], bytes]


class Servers:
    """Real sockets, each with a behaviour, and the forwarder in front of them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.seen: list[tuple[str, bytes]] = []

    async def _listen(self, serve: Callable[..., Awaitable[None]]) -> int:
        server = await self._stack.enter_async_context(await asyncio.start_server(serve, "127.0.0.1", 0))
        return server.sockets[0].getsockname()[1]

    async def _server(self, name: str, behaviour: str) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            self.seen.append((name, head + (await reader.readexactly(4) if b"Content-Length" in head else b"")))
            if behaviour == "answers":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name.encode())
            elif behaviour == "breaks off":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun")
            writer.close()

        return await self._listen(serve)

    async def start(self, **behaviours: str) -> None:
        """Start servers: each "answers", is "lost" before it answers, "breaks off" an answer, or is "dead"."""
        ports = [await self._server(name, behaviour) for name, behaviour in behaviours.items() if behaviour != "dead"]
        for position, behaviour in enumerate(behaviours.values()):
            if behaviour == "dead":
                async with AsyncExitStack() as over:
                    ports.insert(position, await Servers(over)._server("", "dead"))
        self.port = await self._listen(Forwarder(ports).serve)

    async def ask(self, request: bytes = GET) -> bytes:
        """Send a request, and return all that comes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    """Servers that can be started."""
    async with AsyncExitStack() as stack:
        yield Servers(stack)


async def test_each_request_goes_to_the_next_server(servers: Servers) -> None:
    """In turn, and back to the first."""
    await servers.start(a="answers", b="answers", c="answers")
    assert [(await servers.ask())[-1:] for _ in range(4)] == [b"a", b"b", b"c", b"a"]


async def test_a_request_goes_on_as_it_came(servers: Servers) -> None:
    """Head and body, but for the headers of the connection: the server is told to close it."""
    await servers.start(a="answers")
    await servers.ask(
        b"POST /?q HTTP/1.1\r\nHost: x\r\nKEEP-ALIVE: 5\r\nconnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody"
    )
    ((_, seen),) = servers.seen
    assert seen == b"POST /?q HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"


@pytest.mark.parametrize("request_", [GET, POST])
async def test_a_server_that_is_gone_is_passed_over(servers: Servers, request_: bytes) -> None:
    """It has not seen the request, so another one gets it, whatever it is."""
    await servers.start(a="dead", b="answers", c="dead")
    assert [(await servers.ask(request_))[-1:] for _ in range(4)] == [b"b"] * 4
    assert len(servers.seen) == 4


async def test_what_may_have_been_done_is_not_done_again(servers: Servers) -> None:
    """A server that is lost with a form may have carried it out: the visitor is told, and no other server sees it."""
    await servers.start(a="lost", b="answers")
    assert (await servers.ask(POST)).startswith(b"HTTP/1.1 502 ")
    assert [name for name, _ in servers.seen] == ["a"]


async def test_what_only_looks_is_asked_again(servers: Servers) -> None:
    """A page that a server was lost with comes from the next one."""
    await servers.start(a="lost", b="lost", c="answers")
    assert (await servers.ask()).endswith(b"\r\n\r\nc")
    assert [name for name, _ in servers.seen] == ["a", "b", "c"]


async def test_a_page_with_a_body_is_not_asked_again(servers: Servers) -> None:
    """The body has gone to the server that was lost."""
    await servers.start(a="lost", b="answers")
    assert (await servers.ask(POST.replace(b"POST", b"GET"))).startswith(b"HTTP/1.1 502 ")
    assert [name for name, _ in servers.seen] == ["a"]


async def test_an_answer_that_breaks_off_is_not_begun_again(servers: Servers) -> None:
    """What the visitor has is incomplete, and nothing is appended to it."""
    await servers.start(a="breaks off", b="answers")
    assert (await servers.ask()).endswith(b"\r\n\r\nbegun")


async def test_without_any_server_it_says_so(servers: Servers) -> None:
    """502, at once."""
    await servers.start(a="dead", b="dead")
    assert b"No server is left." in await servers.ask(POST)


@pytest.mark.parametrize("request_", [b"", b"GET", b"x" * 70_000])
async def test_what_is_no_request_goes_to_nobody(servers: Servers, request_: bytes) -> None:
    """The connection is closed."""
    await servers.start(a="answers")
    reader, writer = await asyncio.open_connection("127.0.0.1", servers.port)
    writer.write(request_)
    writer.write_eof()
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    assert servers.seen == []
