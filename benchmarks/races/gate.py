# The benchmark listens at a port. A slow request connects to it, which tells the benchmark that the request has its
# session, and goes on when the benchmark closes the connection. So what overlaps is certain, and nothing sleeps.
"""Where a slow request waits until the benchmark lets it go."""

from __future__ import annotations

import asyncio
import os
import socket

ADDRESS = ("127.0.0.1", int(os.environ["GATE"]))


def wait() -> None:
    """Wait, in a thread of its own."""
    with socket.create_connection(ADDRESS) as connection:
        connection.recv(1)


async def wait_async() -> None:
    """Wait, under asyncio."""
    reader, writer = await asyncio.open_connection(*ADDRESS)
    await reader.read()
    writer.close()
