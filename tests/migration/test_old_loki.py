"""The sessions of the real connect-loki: moved, and their visitors stay logged in."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from sessile import InvalidOption, RequestFacts, Sessions
from sessile.migration import MigrationError, migrate, old
from sessile.migration.old_loki import LokiSessions
from tests.conftest import SECRET
from tests.stores.beside import node_site, sid_of

WORDS = {"name": "Zoë 😀", "0": [1.5, None], "tiny": 1e-7, "lone": "\ud800", "deep": {"a": [1, {"b": 2}]}}


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The file that a site of Node has left, and the cookies of two visitors."""
    path = tmp_path_factory.mktemp("loki") / "session-store.db"
    with node_site("loki-store.js", str(path)) as node:
        _, one = node.get(None, set=json.dumps(WORDS), maxAge="3600000")
        _, other = node.get(None, set='{"n":1}')
        node.get(one, save="")
    assert one is not None
    assert other is not None
    return path, [one, other]


def test_visitors_of_node_go_on_here_with_their_cookie(left: tuple[Path, list[str]], tmp_path: Path) -> None:
    path, (one, other) = left
    sessions = Sessions(secret=SECRET, store=f"sqlite:///{tmp_path}/new.db")
    found = old.from_url(f"connect-loki:///{path}")
    assert found is not None
    report = asyncio.run(migrate(found.store, sessions, tmp_path / "journal", rename=found.rename))
    assert (report.copied, report.differing, report.missing) == (2, 0, 0)
    session = sessions.engine.begin_sync(f"connect.sid={one}".encode(), RequestFacts)
    assert dict(session) == WORDS
    assert session.cookie.original_max_age == 3600
    assert sessions.store.load(sid_of(one)).expires_at == pytest.approx(time.time() + 3600, abs=60)
    assert dict(sessions.engine.begin_sync(f"connect.sid={other}".encode(), RequestFacts)) == {"n": 1}
    assert sessions.store.load(sid_of(other)).expires_at == pytest.approx(time.time() + 1_209_600, abs=60)
    sessions.close()


def test_a_session_without_an_end_lives_for_the_ttl_of_the_store(left: tuple[Path, list[str]]) -> None:
    path, (_, other) = left
    store: Any = old.from_url(f"connect-loki:///{path}?ttl=60").store  # type: ignore[union-attr]
    record = asyncio.run(store.load(sid_of(other)))
    assert record.expires_at == pytest.approx(time.time() + 60, abs=30)
    with pytest.raises(MigrationError):
        asyncio.run(store.clear())


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"collections":5}', '{"collections":[{"name":"x"}]}', "[" * 100_000, '{"collections":[5]}'],
)
def test_another_file_is_refused_by_its_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_text(text)
    with pytest.raises(InvalidOption, match=r"other\.db"):
        LokiSessions(path)
    with pytest.raises(InvalidOption, match="missing"):
        old.from_url("connect-loki:///missing.db")
    for url in ("connect-loki:", "connect-loki:///x.db?ttl=soon", "connect-loki:///x.db?table=x"):
        with pytest.raises(InvalidOption):
            old.from_url(url)


def test_documents_that_are_not_sessions_are_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    now = "2026-11-29T07:00:00.000Z"
    documents: list[Any] = [
        5,
        {"sid": 7, "content": {}},
        {"sid": "a", "content": []},
        {"sid": "b", "content": {"cookie": 5}, "updatedAt": "soon"},
        {"sid": "c", "content": {"cookie": {"expires": now}}},
        {"sid": "d", "content": {"cookie": {}}, "updatedAt": now},
    ]
    path.write_text(json.dumps({"collections": [{"name": "Sessions", "data": documents}]}))
    store = LokiSessions(path)
    assert asyncio.run(store.count()) == 2
    assert asyncio.run(store.load("c")).expires_at == 1_795_935_600  # type: ignore[union-attr]
    assert asyncio.run(store.load("d")).payload == b'{"cookie":{}}'  # type: ignore[union-attr]
