# A proxy for demonstrations: one request, one connection, closed by the server at its end. So nothing of HTTP but the
# head of a request has to be understood here, and the rest is bytes that go both ways. A real site has nginx or the
# like in its place, with the same rules (docs/how-to/several-servers.md):
#
#   1. Each request goes to the next server in turn. There is no stickiness.
#   2. A server that cannot be connected has not seen the request: whatever it is, the next one gets it.
#   3. One that was connected and is lost before it has said a word may have carried the request out. Only what is safe
#      (RFC 9110 9.2.1) and has no body goes to the next one then; anything else is answered with 502 (9.2.2).
#   4. What has been answered in part is not begun again.
"""Hand each request to another server in turn."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any

__all__ = ["Forwarder"]

#: For how many seconds a browser may take to send the head of a request.
PATIENCE = 30.0

_CHUNK = 65_536
_HOP_BY_HOP = re.compile(rb"\r\n(?:connection|keep-alive|proxy-connection):[^\r\n]*", re.IGNORECASE)
_BODY = re.compile(rb"\r\n(?:content-length|transfer-encoding):", re.IGNORECASE)
_SAFE = (b"GET ", b"HEAD ", b"OPTIONS ")
_NO_HEAD = (asyncio.IncompleteReadError, asyncio.LimitOverrunError)
_LOST = b"The server was lost, and it is not known whether it had done what was asked.\n"
_NOBODY = b"No server is left.\n"


class Forwarder:
    """Forwards requests to the servers that listen at ``ports`` on this machine."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._next = 0
        self._requests: set[asyncio.Task[Any]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one request to a server, and its response back (a callback for ``asyncio.start_server``)."""
        request = asyncio.current_task()
        assert request is not None
        self._requests.add(request)
        request.add_done_callback(self._requests.discard)
        # Who is cancelled is not asked for an answer any more; asyncio would report it as an error (Python 3.11).
        with closing(writer), suppress(ConnectionError, TimeoutError, asyncio.CancelledError, *_NO_HEAD):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
            head = _HOP_BY_HOP.sub(b"", head[:-4]) + b"\r\nConnection: close\r\n\r\n"
            await self._forward(head, reader, writer)

    async def stop(self) -> None:
        """Let go of the requests that are under way, and of the connections that have not asked for anything yet."""
        await asyncio.sleep(0)  # One may just have been accepted.
        requests = list(self._requests)
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    async def _forward(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        repeatable = head.startswith(_SAFE) and not _BODY.search(head)
        failure = _NOBODY
        for port in self._turn():
            try:
                answer, request = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            with closing(request):
                body = asyncio.create_task(_copy(reader, request, head))
                try:
                    if await _copy(answer, writer):
                        return
                finally:
                    body.cancel()
            failure = _LOST
            if not repeatable:
                break
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n")
        writer.write(b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(failure), failure))
        await writer.drain()

    def _turn(self) -> list[int]:
        """Return all ports, the one whose turn it is first."""
        first, self._next = self._next, (self._next + 1) % len(self._ports)
        return [*self._ports[first:], *self._ports[:first]]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes = b"") -> int:
    """Write ``first`` and all that is read, until there is no more or nobody listens. Return how much was read."""
    size = 0
    with suppress(ConnectionError):
        writer.write(first)
        while chunk := await reader.read(_CHUNK):
            size += len(chunk)
            writer.write(chunk)
            await writer.drain()
    return size
