"""The index stands where no id reaches it, and under keys that nobody can guess."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import sessile._engine
from sessile import InvalidOption, RequestFacts, Sessions
from sessile._engine.index import SUFFIX, KeyedIndex, key_of
from sessile.migration import migrate
from sessile.stores.memory import MemoryStore

OLD, NEW = "the old secret, which was long enough", "the new secret, which is long enough"


class OneRoom(MemoryStore):
    """A store that keeps the index among its sessions, as memcached does where no prefix is set."""

    def index(self) -> MemoryStore:
        return self


def log_in(sessions: Sessions, user: str = "zoe") -> str:
    session = sessions.engine.blank()
    session.login(user)
    sessions.engine.commit_sync(session)
    return session.id


def begin(sessions: Sessions, sid: str) -> Any:
    return sessions.engine.begin_sync(f"connect.sid={sessions.token_of(sid)}".encode(), RequestFacts)


@pytest.mark.parametrize("transport", ["cookie", "header"])
def test_no_id_reaches_the_index(transport: Any) -> None:
    """Not even one that was signed, and that is a key of the index to the letter."""
    sessions = Sessions(secret=OLD, store=OneRoom(), transport=transport)
    sid = log_in(sessions)
    (key,) = [key for key, _ in sessions.store.all() if key.endswith(SUFFIX)]
    token = sessions.token_of(key).encode()
    header = b"connect.sid=" + token if transport == "cookie" else token
    assert sessions.engine.begin_sync(header, RequestFacts).is_new
    assert asyncio.run(begun(sessions, header)).is_new
    assert sessions.open(key) is None
    assert sessions.revoke(key) is False
    assert [session.id for session in sessions.all()] == [sid]
    assert [handle.user_id for handle in sessions.of_user("zoe")] == ["zoe"]


async def begun(sessions: Sessions, header: bytes) -> Any:
    answer: Any = sessions.engine.begin_async(header, RequestFacts)
    return await answer if hasattr(answer, "__await__") else answer


def test_genid_makes_no_key_of_the_index() -> None:
    """Such an id would be of no use, so it is refused when it is made."""
    sessions = Sessions(secret=OLD, genid=lambda facts: "x" + SUFFIX)
    with pytest.raises(InvalidOption, match="genid"):
        sessions.engine.begin_sync(b"", RequestFacts)


def test_the_keys_are_keyed() -> None:
    """Who reads the store cannot find a user in it by trying all names."""
    one, other = (Sessions(secret=secret, store=MemoryStore()) for secret in (OLD, NEW))
    keys = set()
    for sessions in (one, other):
        log_in(sessions)
        keys |= {key for key, _ in sessions.store.index().all()}
    assert len(keys) == 2
    assert not any(key.startswith(key_of("user", "zoe")) for key in keys)


def test_a_new_secret_finds_what_the_old_one_has_entered() -> None:
    """While both are known, the index moves to the new one; so the old one can be taken away."""
    store = MemoryStore()
    log_in(Sessions(secret=OLD, store=store))
    both = Sessions(secret=[NEW, OLD], store=store)
    assert len(both.of_user("zoe")) == 1
    log_in(both)
    assert len(both.of_user("zoe")) == 2
    assert store.index().count() == 1
    assert Sessions(secret=NEW, store=store).revoke_user("zoe") == 2


async def test_what_was_migrated_without_a_secret_is_found(tmp_path: Path) -> None:
    """`sessile migrate` knows no secret where it is given URLs; the site finds its users all the same."""
    source, target = MemoryStore(), MemoryStore()
    log_in(Sessions(secret=OLD, store=source))
    await migrate(source, target, tmp_path / "journal")
    site = Sessions(secret=OLD, store=target)
    assert len(await site.aof_user("zoe")) == 1
    assert await site.arevoke_user("zoe") == 1


def test_the_engine_goes_to_the_index_by_one_way() -> None:
    """A plain `store.index()` in the engine would bring back keys that can be guessed."""
    folder = Path(sessile._engine.__file__).parent
    users = [path.name for path in folder.glob("*.py") if "store.index()" in path.read_text(encoding="utf-8")]
    assert users == ["setup.py"]
    assert KeyedIndex.__doc__
