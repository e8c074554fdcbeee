# boto3 takes a tenth of a second to make a client, and waits while it looks for credentials. So one is made at the
# first call and, under asyncio, in the thread of that call. A client may be used by many threads at once.
#
# Its connections must not be used on both sides of a fork, and one that was idle for minutes may have been forgotten
# by a firewall. So a brought client drops its connections in a child, and ours does so every few minutes, when no call
# is under way.
#
# boto3's own retries are switched off: they would outlast any deadline. ServerStore tries again where it is worth it.
"""Calls to AWS by boto3, in both colours."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from sessile.errors import InvalidOption
from sessile.stores._shared.pool import MOST_IDLE_SECONDS

__all__ = ["Client", "Threads", "maker"]

#: How many calls are made at once, by one process and event loop.
LIMIT = 32

# boto3 shares a session between the clients that it makes, and that is no place for two threads. Each process has a
# lock of its own: one that was copied by a fork may be held by a thread that is not here.
_making: dict[int, threading.Lock] = {}

#: Makes a client, and says whether to close it.
Make = Callable[[], tuple[Any, bool]]


def maker(client: Any, region: str | None, endpoint: str | None, timeout: float) -> Make:
    """Return a function that makes a client, or hands out the user's own. Raises InvalidOption for what is none."""
    if client is not None:
        if region is not None or endpoint is not None:
            raise InvalidOption("client", "it has a region and an endpoint already", "Leave those out.")
        if not isinstance(client, BaseClient) or asyncio.iscoroutinefunction(
            client._make_api_call  # noqa: SLF001 - What tells aiobotocore's clients from botocore's.
        ):
            raise InvalidOption(
                "client", f"{type(client).__name__} is no client of boto3", 'Pass boto3.client("dynamodb").'
            )
        return _brought(client)
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise InvalidOption("endpoint", f"{endpoint!r} is no URL", 'Use "http://localhost:8000", or leave it out.')
    config = Config(
        connect_timeout=timeout,
        read_timeout=timeout,
        retries={"total_max_attempts": 1},
        max_pool_connections=LIMIT,
        tcp_keepalive=True,
    )

    def make() -> tuple[Any, bool]:
        with _making.setdefault(os.getpid(), threading.Lock()):
            return boto3.client("dynamodb", region_name=region, endpoint_url=endpoint, config=config), True

    return make


def _brought(client: Any) -> Make:
    processes = {os.getpid()}

    def make() -> tuple[Any, bool]:
        process = os.getpid()
        if process not in processes:
            # It stays open: what it lets go of are the connections that our parent uses.
            processes.add(process)
            client.close()
        return client, False

    return make


def _is_whole(answer: dict[str, Any]) -> bool:
    """Tell whether ``answer`` is one: of a reply that breaks off, botocore makes an answer with nothing in it.

    "There is no such item" has nothing in it either, and is ``{}``: two bytes, as the reply's head says.
    """
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    return len(answer) > 1 or headers.get("content-length") == "2" or "transfer-encoding" in headers


class Client:
    """Makes calls in the thread of the caller."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: tuple[Any, bool] | None = None
        self._since = 0.0
        self._under_way = 0

    def ask(self, operation: str, **parameters: Any) -> object:
        """Call ``operation`` and return the answer. Raises what boto3 raises."""
        client = self._begin()
        try:
            answer = getattr(client, operation)(**parameters)
        finally:
            with self._lock:
                self._under_way -= 1
        if not _is_whole(answer):
            raise ConnectionClosedError(endpoint_url=client.meta.endpoint_url)
        return answer

    def _begin(self) -> Any:
        """Return the client for a call that begins now."""
        with self._lock:
            now = time.monotonic()
            if self._made is None:
                self._made, self._since = self._make(), now
            client, ours = self._made
            if ours and not self._under_way and now - self._since > MOST_IDLE_SECONDS:
                self._since = now
                client.close()  # Its connections; it opens others.
            self._under_way += 1
        return client

    def close(self) -> object:
        """Let go of the connections, if they are ours."""
        made, self._made = self._made, None
        if made is not None and made[1]:
            made[0].close()
        return None


class Threads(Client):
    """Makes calls in threads of its own, for one event loop."""

    def __init__(self, make: Make) -> None:
        super().__init__(make)
        self._threads = ThreadPoolExecutor(LIMIT, "sessile-dynamodb")

    def ask(self, operation: str, **parameters: Any) -> object:
        """Return an awaitable of the answer."""
        call = partial(super().ask, operation, **parameters)
        return asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> object:
        """Let go of the connections, and of the threads as they end."""
        self._threads.shutdown(wait=False)
        return super().close()
