"""Ids that Node's `genid` takes from elsewhere: found here, changed here, and seen there, where the store can hold them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from sessile import RequestFacts, Sessions, stores
from sessile.stores._shared.row import Keys
from tests.conftest import SECRET
from tests.stores.beside import Node, node_site
from tests.stores.memcached import Memcached

JWT = ".".join(("eyJhbGciOiJIUzI1NiJ9" * 2, "eyJzdWIiOiIxMjM0NTY3ODkwIn0" * 5, "x" * 43))
IDS = {
    "uuid": "0513aa87-2376-4f42-b42e-f3fb2fb3540b",
    "mail": "zoe@example.com_4f42",
    "CAS": "ST-" + "1234567890" * 20,
    "JWT": JWT,
    "percent": "%7Bshop%7D-123",
    "tilde": "~guest-123",
    "blank": "guest 123",
    "umlaut": "zoë-123",
    "longest": "x" * 255,
}
#: What a store cannot hold as it is. memcached's keys have 250 bytes and no blanks: Node fails with the latter as well.
#: A file's name has 255 bytes, with its ending. The column of express-mysql-session has 128 characters.
EXCEPT = {
    "memcached": {"blank", "longest"},
    "file": {"longest"},
    "express-mysql-session": {"CAS", "JWT", "longest"},
}


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str, list[str], str]]:
    """Return the script of Node's site, what it is given, and our URL."""
    name = request.param
    if name.startswith("connect-session-knex") or name in ("connect-pg-simple", "express-mysql-session"):
        in_mysql = "mysql" in name
        server: Any = request.getfixturevalue("mariadb" if in_mysql else "postgres")
        url = server.url()
        if "knex" in name:
            script, given = "knex-store.js", ["mysql2" if in_mysql else "pg", url]
        else:
            script = "database-store.js"
            given = ["mysql", str(server.port)] if in_mysql else ["postgresql", url]
        store = stores.from_url(f"{url}?layout={name.split()[0]}", time.time)
        store.count()  # type: ignore[attr-defined]
        store.close()  # type: ignore[attr-defined]
        yield name, script, given, f"{url}?layout={name.split()[0]}"
        table = "session" if name == "connect-pg-simple" else "sessions"
        connection = server.connect() if in_mysql else psycopg.connect(url, autocommit=True)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {table}")
        connection.close()
    elif name == "memcached":
        process = Memcached(tmp_path)
        yield name, "memcached-store.js", [f"127.0.0.1:{process.port}"], f"memcached://127.0.0.1:{process.port}"
        process.kill()
    elif name == "sqlite":
        yield name, "sqlite-store.js", ["connect-sqlite3", f"{tmp_path}/s.db"], f"sqlite:///{tmp_path}/s.db"
    else:
        yield name, "file-store.js", [str(tmp_path)], f"file:///{tmp_path}"


def begin(node: Node, sid: str) -> str | None:
    response = httpx.get(
        node.url, params={"set": '{"a":1}', "maxAge": "60000"}, headers={"x-id": quote(sid)}, timeout=30
    )
    return response.headers.get("set-cookie", "").partition(";")[0].removeprefix("connect.sid=") or None


PLACES = [
    "connect-pg-simple",
    "connect-session-knex in postgresql",
    "express-mysql-session",
    "connect-session-knex in mysql",
    "sqlite",
    "memcached",
    "file",
]


@pytest.mark.parametrize("place", PLACES, indirect=True)
def test_what_node_began_under_a_long_id_goes_on_here(place: tuple[str, str, list[str], str]) -> None:
    name, script, given, url = place
    held = []
    sessions = Sessions(secret=SECRET, store=url)
    with node_site(script, *given) as node:
        node.get(None)
        for kind, sid in IDS.items():
            if kind in EXCEPT.get(name, ()):
                continue
            cookie = begin(node, sid)
            session = sessions.engine.begin_sync(f"connect.sid={cookie}".encode(), RequestFacts)
            found = session.get("a")
            session["b"] = 2
            sessions.engine.commit_sync(session)
            seen, _ = node.get(cookie)
            held.append((kind, found, seen.get("b")))
    sessions.close()
    assert held == [(kind, 1, 2) for kind in IDS if kind not in EXCEPT.get(name, ())]


@pytest.mark.parametrize("sid", ["", "a ", "a\0", "a\n", "\ud800", "x" * 256, "%" + "0" * 64, "a\u2003"])
def test_other_ids_stand_under_a_digest(sid: str) -> None:
    """Two ids never have one key."""
    keys = Keys(255)
    key = keys.key_of(sid)
    assert key != sid
    assert len(key) == 65
    assert keys.key_of(key) != key


def test_what_is_longer_than_its_column_stands_under_a_digest() -> None:
    keys = Keys(128)
    assert keys.key_of("zoë@example.com") == "zoë@example.com"
    assert len(keys.key_of("x" * 129)) == 65
