# boto3 takes a tenth of a second to make a client, and waits while it looks for credentials. So one is made at the
# first call and, under asyncio, in the thread of that call. A client may be used by many threads at once.
#
# boto3's own retries are switched off: they would outlast any deadline. ServerStore tries again where it is worth it.
"""Calls to AWS by boto3, in both colours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from holdfast.errors import InvalidOption

__all__ = ["Client", "Threads", "maker"]

#: How many calls are made at once, by one process and event loop.
LIMIT = 32

# boto3 shares a session between the clients that it makes, and that is no place for two threads.
_making = threading.Lock()

#: Makes a client, and says whether to close it.
Make = Callable[[], tuple[Any, bool]]


def maker(client: Any, region: str | None, endpoint: str | None, timeout: float) -> Make:
    """Return a function that makes a client, or hands out the user's own. Raises InvalidOption for what is none."""
    if client is not None:
        if region is not None or endpoint is not None:
            raise InvalidOption("client", "it has a region and an endpoint already", "Leave those out.")
        if not isinstance(client, BaseClient) or asyncio.iscoroutinefunction(client._make_api_call):
            raise InvalidOption(
                "client", f"{type(client).__name__} is no client of boto3", 'Pass boto3.client("dynamodb").'
            )
        return lambda: (client, False)
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
        with _making:
            return boto3.client("dynamodb", region_name=region, endpoint_url=endpoint, config=config), True

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

    def ask(self, operation: str, **parameters: Any) -> Any:
        """Call ``operation`` and return the answer. Raises what boto3 raises."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            client = self._made[0]
        answer = getattr(client, operation)(**parameters)
        if not _is_whole(answer):
            raise ConnectionClosedError(endpoint_url=client.meta.endpoint_url)
        return answer

    def close(self) -> Any:
        """Let go of the connections, if they are ours."""
        made, self._made = self._made, None
        if made is not None and made[1]:
            made[0].close()


class Threads(Client):
    """Makes calls in threads of its own, for one event loop."""

    def __init__(self, make: Make) -> None:
        super().__init__(make)
        self._threads = ThreadPoolExecutor(LIMIT, "holdfast-dynamodb")

    def ask(self, operation: str, **parameters: Any) -> Any:
        """Return an awaitable of the answer."""
        call = partial(super().ask, operation, **parameters)
        return asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> Any:
        """Let go of the connections, and of the threads as they end."""
        self._threads.shutdown(wait=False)
        super().close()
