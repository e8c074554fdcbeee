"""The MongoDB store."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

from holdfast.stores.mongodb import MongoStore
from holdfast.testing import FrozenClock, Link, StoreConformance
from tests.stores.mongo_stub import MongoStub

# Servers --------------------------------------------------------------------------------------------------------------


def servers() -> list[str]:
    """Return which server is to be had: the one that is named, or an installed one, or else our stand-in."""
    return ["MONGODB_URI" if "MONGODB_URI" in os.environ else "mongod" if shutil.which("mongod") else "stub"]


@pytest.fixture(scope="module", params=servers())
def origin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], str]]:
    """A function that returns the URL of a database, at the port of a link to its server; 0: without a link."""
    name = f"holdfast_test_{os.getpid()}"
    if request.param == "stub":
        stub = MongoStub()
        yield lambda port: f"mongodb://127.0.0.1:{port or stub.port}/{name}?directConnection=true"
        stub.close()
        return
    process = None
    if request.param == "mongod":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder = tmp_path_factory.mktemp("mongod")
        command = ["mongod", "--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1", "--quiet"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        url = f"mongodb://127.0.0.1:{port}/"
    else:
        url = os.environ["MONGODB_URI"]
    host, port = parse_uri(url)["nodelist"][0]
    user = f"{url.partition('://')[2].rpartition('@')[0]}@" if "@" in url else ""
    options = "directConnection=true" + ("&authSource=admin" if user else "")

    def at(link: int) -> str:
        return f"mongodb://{user}{'127.0.0.1' if link else host}:{link or port}/{name}?{options}"

    yield at
    with MongoClient[Any](at(0)) as client:
        client.drop_database(name)
    if process is not None:
        process.terminate()
        process.wait(60)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver looks no more than twice a second whether a server is back. That is long for a test."""
    monkeypatch.setattr("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.05)


@pytest.fixture
def url(origin: Callable[[int], str]) -> str:
    """The URL of a database without sessions."""
    with MongoClient[Any](origin(0)) as client:
        client.get_default_database()["sessions"].delete_many({})
    return origin(0)


# The contract ---------------------------------------------------------------------------------------------------------


class TestMongo(StoreConformance):
    """The contract, for synchronous callers. With the stand-in, the server's own part in it is not proved."""

    @pytest.fixture
    def clock(self) -> FrozenClock:
        # Of tomorrow: the server, which goes by its own clock, removes nothing meanwhile.
        return FrozenClock(int(time.time()) + 86_400)

    @pytest.fixture
    def server(self, url: str) -> Iterator[Link]:
        host, port = parse_uri(url)["nodelist"][0]
        with Link(port, host) as link:
            yield link

    deadline = 0.5
    options: dict[str, Any] = {"timeout": 0.5}

    @pytest.fixture
    def store(self, clock: FrozenClock, server: Link, origin: Callable[[int], str]) -> Iterator[Any]:
        store = MongoStore(origin(server.port), clock=clock, **self.options)
        yield store
        server.resume()
        store.close()


class TestMongoUnderAsyncio(TestMongo):
    """The contract, for asyncio."""

    @pytest.fixture
    async def store(self, clock: FrozenClock, server: Link, origin: Callable[[int], str]) -> Any:
        store = MongoStore(origin(server.port), clock=clock, **self.options)
        other = store.asynchronous()
        yield other
        server.resume()
        await other.close()
        store.close()


class TestMongoObjects(TestMongo):
    """The contract, for ``stringify: false``."""

    options = {"timeout": 0.5, "stringify": False}
