"""The commands on a real Redis, which another process has filled"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cli.conftest import Run, Shop
from tests.stores.redis_servers import Server, started


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with started() as server:
        yield server


@pytest.fixture
def shop(server: Server, new_shop: Callable[..., Shop]) -> Shop:
    server.ask("FLUSHALL")
    return new_shop(store=f"redis://127.0.0.1:{server.port}")


def test_a_store_alone_is_listed_counted_watched_and_revoked(run: Run, server: Server, shop: Shop) -> None:
    """With nothing but the URL, and no secret."""
    zoe, stranger = shop.visit("zoe"), shop.visit(a=1)
    url = ("--store", f"redis://127.0.0.1:{server.port}")
    assert {row["user"] for row in run("ls", "--json", *url).objects} == {"zoe", None}
    assert [row["user"] for row in run("ls", "--user", "zoe", "--json", *url).objects] == ["zoe"]
    assert run("stats", "--json", *url).objects[0]["sessions"] == 2
    assert run("watch", "--once", "--json", *url).objects[0]["logged_in"] == 1
    assert run("revoke", "--user", "zoe", "--yes", *url).out == "Ended 1 session.\n"
    assert (shop.lives(zoe), shop.lives(stranger)) == (False, True)
    assert run("prune", *url).out.startswith("Nothing to do")
    assert run("revoke", "--all", "--yes", *url).out == "Ended 1 session.\n"
    assert not shop.lives(stranger)


def test_a_handle_ends_one(run: Run, server: Server, shop: Shop) -> None:
    """What ls shows names the session for show and revoke."""
    cookies = [shop.visit("zoe") for _ in range(3)]
    url = ("--store", f"redis://127.0.0.1:{server.port}")
    handle = run("ls", "--json", *url).objects[0]["handle"]
    assert run("show", handle, *url).code == 0
    assert run("revoke", handle, "--yes", *url).code == 0
    assert sum(map(shop.lives, cookies)) == 2
