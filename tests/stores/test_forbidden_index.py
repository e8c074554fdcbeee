"""A server that forbids the index, and nothing else: real PostgreSQL, MariaDB and Redis."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from sessile import Sessions, StoreRefused, StoreUnavailable
from sessile._engine.forbidden import TRIED_AGAIN
from tests.conftest import SECRET
from tests.stores.databases import Mariadb, Postgres
from tests.stores.redis_servers import started


@contextmanager
def of_postgresql(postgres: Postgres) -> Iterator[tuple[str, Any]]:
    with psycopg.connect(postgres.url(), autocommit=True) as owner:
        owner.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC")
        owner.execute("CREATE TABLE session (sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamp NOT NULL)")
        owner.execute("CREATE ROLE app LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON session TO app")

        def grant() -> None:
            owner.execute("GRANT CREATE ON SCHEMA public TO app")

        try:
            yield postgres.url().replace("postgres@", "app@"), grant
        finally:
            owner.execute("DROP OWNED BY app; DROP ROLE app; DROP SCHEMA public CASCADE; CREATE SCHEMA public")


@contextmanager
def of_mysql(mariadb: Mariadb) -> Iterator[tuple[str, Any]]:
    connection = mariadb.connect()
    owner = connection.cursor()
    owner.execute("CREATE DATABASE guarded")  # In `test` anybody may make tables.
    owner.execute(
        "CREATE TABLE guarded.sessions (session_id varchar(128) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,"
        " expires int unsigned NOT NULL, data mediumtext COLLATE utf8mb4_bin)"
    )
    owner.execute("CREATE USER app@'%' IDENTIFIED BY 'a-password'")
    owner.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON guarded.sessions TO app@'%'")

    def grant() -> None:
        owner.execute("GRANT ALL ON guarded.sessions_index TO app@'%'")

    try:
        yield f"mysql://app:a-password@127.0.0.1:{mariadb.port}/guarded", grant
    finally:
        owner.execute("DROP USER app@'%'")
        owner.execute("DROP DATABASE guarded")
        connection.close()


@contextmanager
def of_redis() -> Iterator[tuple[str, Any]]:
    with started() as server:
        server.ask("ACL", "SETUSER", "app", "on", ">a-password", "~sess:*", "+@all")

        def grant() -> None:
            server.ask("ACL", "SETUSER", "app", "~*")

        yield f"redis://app:a-password@127.0.0.1:{server.port}", grant


@pytest.fixture(params=["postgresql", "mysql", "redis"])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[str, Any]]:
    """The URL of a store for which a role may use Node's table or keys only, and what grants it the rest."""
    if request.param == "redis":
        made = of_redis()
    elif request.param == "mysql":
        made = of_mysql(request.getfixturevalue("mariadb"))
    else:
        made = of_postgresql(request.getfixturevalue("postgres"))
    with made as found:
        yield found


def log_in(sessions: Sessions, user: str) -> str:
    session = sessions.engine.blank()
    session.login(user)
    session.save()
    return session.id or ""


def test_log_ins_go_on_and_one_warning_says_what_was_refused(
    place: tuple[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """All works but what needs the index. When the right is granted, sessions are entered as they come."""
    url, grant = place
    ahead = 0.0  # Servers have clocks of their own, so ours is not frozen.
    sessions = Sessions(secret=SECRET, store=url, clock=lambda: time.time() + ahead)
    try:
        with caplog.at_level(logging.WARNING, "sessile"):
            ids = [log_in(sessions, "zoe") for _ in range(3)]
            ahead += TRIED_AGAIN + 1
            ids.append(log_in(sessions, "zoe"))
            for sid in ids:
                found = sessions.open(sid)
                assert found is not None
                assert found.user_id == "zoe"
                found["n"] = 1
                found.save()
            assert sessions.revoke(ids.pop()) is True
        warnings = [each.getMessage() for each in caplog.records if "index_users" in each.getMessage()]
        assert len(warnings) == 1
        assert "refused" in warnings[0]
        assert not any(sid in caplog.text for sid in ids)
        with pytest.raises(StoreRefused):
            sessions.of_user("zoe")
        grant()
        ahead += TRIED_AGAIN + 1
        for sid in ids:
            assert sessions.open(sid) is not None
        assert len(sessions.of_user("zoe")) == 3
        assert sessions.revoke_user("zoe") == 3
        assert [sessions.open(sid) for sid in ids] == [None] * 3
    finally:
        sessions.close()


def test_a_limit_of_sessions_needs_the_index(place: tuple[str, Any]) -> None:
    """Otherwise a user would have more sessions than the program allows, and nobody would know."""
    sessions = Sessions(secret=SECRET, store=place[0], max_sessions_per_user=2)
    try:
        with pytest.raises(StoreUnavailable, match="index_users=False"):
            log_in(sessions, "zoe")
    finally:
        sessions.close()
