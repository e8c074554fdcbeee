# The proxy in front is our own and runs in this process (forwarder.py), so that this works wherever Python does, in one
# way only, and cannot be left behind. The servers are processes of their own, which share nothing but the folder and
# the store. Ctrl-C reaches this process alone, because each of them leads a session of its own (setsid): the proxy is
# stopped first, then they are.
#
# A server that ends is not started again: the point is that nobody misses it.
"""Serve the shop by several processes at once."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from pathlib import Path
from socket import socket

from sessile.demo import member
from sessile.demo.app import create_app
from sessile.demo.forwarder import Forwarder
from sessile.demo.server import listen, see_whether_it_answers, url_of
from sessile.errors import InvalidOption, SessionError

__all__ = ["NoServers", "serve"]

#: For how many seconds a server may finish what it is at.
PATIENCE = 5.0


class NoServers(SessionError):
    """Tells the user that a server did not start, or that none is left."""


def serve(
    folder: Path,
    host: str,
    port: int,
    announce: Callable[[str], None],
    store: str | None = None,
    *,
    servers: int,
    say: Callable[[str], None],
) -> None:
    """Serve the shop in ``folder`` by so many ``servers`` behind a proxy, until it is interrupted.

    ``say`` is told, a line at a time, which processes they are, and of each that ends. The rest is as in
    ``sessile.demo.server.serve``. Raises NoServers if one does not start, and when all have ended.
    """
    if (store or "").startswith("memory:"):
        remedy = "Leave --store out, or name a server such as redis://localhost."
        raise InvalidOption("store", "several processes share no memory", remedy)
    with listen(host, port) as listener, suppress(KeyboardInterrupt):
        # Before they start: what is made once, the secret above all, is made by one.
        see_whether_it_answers(create_app(folder, store=store))
        asyncio.run(_serve(listener, _processes(servers, folder, store), lambda: announce(url_of(listener, host)), say))


async def _serve(
    listener: socket,
    starting: AbstractAsyncContextManager[list[Process]],
    announce: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    async with starting as processes:
        ports = [await _port_of(process) for process in processes]
        forwarder = Forwarder(ports)
        try:
            with closing(await asyncio.start_server(forwarder.serve, sock=listener)):
                announce()
                say("Each request goes to the next of these servers, which share one store:")
                for number, (process, port) in enumerate(zip(processes, ports, strict=True), 1):
                    say(f"  {number}  process {process.pid}  http://{member.HOST}:{port}")
                say(f"Take one away, and nobody will notice: kill -9 {processes[0].pid}")
                await asyncio.gather(*(_outlive(process, say) for process in processes))
        finally:
            await forwarder.stop()
    raise NoServers("no server is left")


@asynccontextmanager
async def _processes(count: int, folder: Path, store: str | None) -> AsyncIterator[list[Process]]:
    """Start so many servers, and stop those that are left."""
    environment = {**os.environ, member.STORE: store or ""}
    started: list[Process] = []
    try:
        for number in range(1, count + 1):
            command = [sys.executable, "-m", member.__name__, str(number), str(count), str(folder)]
            started.append(
                await asyncio.create_subprocess_exec(
                    *command, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True
                )
            )
        yield started
    finally:
        for process in started:
            assert process.stdin is not None
            process.stdin.close()
        for process in started:
            try:
                await asyncio.wait_for(process.wait(), PATIENCE)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _port_of(process: Process) -> int:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise NoServers(f"the server of process {process.pid} did not start")
    return int(line)


async def _outlive(process: Process, say: Callable[[str], None]) -> None:
    await process.wait()
    say(f"Process {process.pid} has ended. It is not started again; the others go on.")
