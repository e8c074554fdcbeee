"""The stores of the stress runs, by name, each with a server of its own."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sessile import stores
from tests.stores import redis_servers
from tests.stores.databases import Mariadb, Postgres
from tests.stores.dynamodb import moto
from tests.stores.memcached import memcached
from tests.stores.mongo_server import mongo_server


@dataclass
class Site:
    """Where a store keeps its records."""

    store: str
    #: The URL to reach the server at a port: its own, or that of a link before it.
    at: Callable[[int], str]
    #: 0 if there is none, or none that a link could stand before.
    port: int = 0
    #: What can be killed and started again.
    server: Any = None
    #: Whether all is gone after that.
    forgets: bool = False

    @property
    def url(self) -> str:
        return self.at(self.port)


def open_store(name: str, url: str, timeout: float) -> Any:
    """Return the store ``name``, as a worker uses it; a call may take ``timeout`` seconds."""
    if name == "sqlalchemy":
        from sqlalchemy.ext.asyncio import create_async_engine

        from sessile.stores.sqlalchemy import SqlalchemyStore

        engine = create_async_engine(url, pool_size=20, pool_timeout=timeout)
        return SqlalchemyStore(async_engine=engine, timeout=timeout)
    if name == "dynamodb-moto":
        from sessile.stores.dynamodb import DynamoDBStore

        os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "a", "AWS_DEFAULT_REGION": "us-east-1"}
        return DynamoDBStore("shared", endpoint=url, create_table=True, timeout=timeout)
    mark = "&" if "?" in url else "?"
    return stores.from_url(url if name == "memory" else f"{url}{mark}timeout={timeout:g}", time.time)


async def close_store(store: Any) -> None:
    """Let go of the connections of this event loop."""
    if hasattr(store, "_engines"):
        await store._engines[True].dispose()
    answer = store.close() if hasattr(store, "close") else None
    if answer is not None:
        await answer


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sessile-") as folder:
        yield Path(folder)


@contextmanager
def _memory() -> Iterator[Site]:
    yield Site("memory", lambda port: "memory://")


@contextmanager
def _sqlite() -> Iterator[Site]:
    with _folder() as folder:
        yield Site("sqlite", lambda port: f"sqlite:///{folder}/sessions.db")


@contextmanager
def _file() -> Iterator[Site]:
    with _folder() as folder:
        yield Site("file", lambda port: f"file:///{folder}")


@contextmanager
def _redis() -> Iterator[Site]:
    # What is acknowledged has been written to the file that it reads again when it starts.
    with redis_servers.started("--appendonly", "yes", "--appendfsync", "always") as server:
        yield Site("redis", lambda port: f"redis://127.0.0.1:{port}", server.port, _Redis(server))


@contextmanager
def _redis_cluster() -> Iterator[Site]:
    with redis_servers.cluster() as nodes:
        yield Site("redis-cluster", lambda port: f"redis+cluster://127.0.0.1:{nodes[0].port}")


@contextmanager
def _postgresql(name: str = "postgresql", scheme: str = "postgresql:") -> Iterator[Site]:
    server = Postgres()
    try:
        yield Site(name, lambda port: server.url(port).replace("postgresql:", scheme), server.port, server)
    finally:
        server.close()


def _sqlalchemy() -> AbstractContextManager[Site]:
    return _postgresql("sqlalchemy", "postgresql+asyncpg:")


@contextmanager
def _mysql() -> Iterator[Site]:
    server = Mariadb()
    try:
        yield Site("mysql", server.url, server.port, server)
    finally:
        server.close()


@contextmanager
def _mongodb() -> Iterator[Site]:
    with _folder() as folder, mongo_server(folder, "--sync-on-commit") as server:
        # A write that the driver sends again has less time left, and SecantusDB (0.7) takes it for another one: it would
        # be carried out twice. MongoDB knows it by its number.
        options = "directConnection=true&retryWrites=false"
        yield Site("mongodb", lambda port: f"mongodb://127.0.0.1:{port}/test?{options}", server.port, server)


@contextmanager
def _memcached() -> Iterator[Site]:
    with _folder() as folder, memcached(folder, None, "-m", "1024") as server:  # Room for the longest runs.
        yield Site("memcached", lambda port: f"memcached://127.0.0.1:{port}", server.port, server, forgets=True)


@contextmanager
def _dynamodb() -> Iterator[Site]:
    with moto() as server:
        # It takes its time to make a table.
        store = open_store("dynamodb-moto", f"http://127.0.0.1:{server.port}", 60.0)
        store.load("none")
        store.close()
        yield Site("dynamodb-moto", lambda port: f"http://127.0.0.1:{port}", server.port, server, forgets=True)


SITES: dict[str, Callable[[], AbstractContextManager[Site]]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "file": _file,
    "redis": _redis,
    "redis-cluster": _redis_cluster,
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlalchemy": _sqlalchemy,
    "mongodb": _mongodb,
    "memcached": _memcached,
    "dynamodb-moto": _dynamodb,
}


class _Redis:
    """Redis, back when it answers."""

    def __init__(self, server: redis_servers.Server) -> None:
        self._server = server
        self.kill = server.kill

    def start(self) -> None:
        self._server.start().ready()
