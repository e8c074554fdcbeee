"""A store that fails once, or whose answer is lost once: an end is an end, or it says that it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sessile import RequestFacts, Session, StoreUnavailable
from sessile.errors import StoreRefused
from tests._engine.test_revocation import Servers, zoe


def fails(error: Exception | None = None) -> Callable[[], Any]:
    def fail() -> None:
        raise error or StoreUnavailable("the answer was lost")

    return fail


def sid_of(servers: Servers, jar: bytes) -> str:
    return str(servers.here.sid_of(jar.decode().partition("=")[2]))


def rotated(session: Session) -> None:
    session.regenerate(keep=True)


def test_an_end_does_not_take_silence_for_no() -> None:
    """The index beside the sessions may know where the session goes on."""
    servers = Servers()
    old = servers.visit(b"", zoe)
    new = servers.visit(old, rotated)
    servers.store.before["index.load"] = fails()
    with pytest.raises(StoreUnavailable):
        servers.here.revoke(sid_of(servers, old))
    assert servers.user(new) == "zoe"
    assert servers.here.revoke(sid_of(servers, old))
    assert servers.user(new) is None


def test_a_refusal_of_the_index_keeps_nobody_from_ending() -> None:
    """A database that forbids the table answers, and says no: nothing is beside the sessions."""
    servers = Servers()
    jar = servers.visit(b"", zoe)
    assert servers.here.revoke(sid_of(servers, jar))
    servers.store.before["index.load"] = fails(StoreRefused("Meddling", "load", "permission denied"))
    assert not servers.here.revoke(sid_of(servers, jar))


def test_an_end_whose_answer_is_lost_spares_no_new_id() -> None:
    """The session gets a new id between the look at the record and the end: that is followed."""
    servers = Servers()
    old = servers.visit(b"", zoe)
    jars: list[bytes] = []

    def elsewhere() -> None:
        jars.append(servers.visit(old, lambda session: session.regenerate(keep=True, grace=10), servers.there))

    def lost() -> None:
        servers.store.after["load"] = elsewhere
        raise StoreUnavailable("the answer was lost")

    servers.store.before["replace"] = lost
    assert servers.here.revoke(sid_of(servers, old))
    assert jars
    assert [servers.user(jar) for jar in (*jars, old)] == [None, None]


def test_a_mark_is_tried_once_more() -> None:
    """One answer that is lost on the way to it leaves no gap for a log-in under way."""
    servers = Servers()
    servers.visit(b"", zoe)
    servers.store.before["index.load"] = fails()
    assert servers.here.revoke_user("zoe") == 1
    assert "revocation_incomplete" not in servers.events


def test_who_spares_their_own_session_does_not_bring_it_back() -> None:
    """A log-out on another tab, at the time of the change of a password, stays one."""
    servers = Servers()
    jar = servers.visit(b"", zoe)

    def change(session: Session) -> None:
        servers.here.revoke_user("zoe", keep=session)
        session.login("zoe")
        servers.visit(jar, lambda other: other.logout(), servers.there)

    after = servers.visit(jar, change)
    assert servers.user(after) is None
    assert "changes_dropped" in servers.events


@pytest.mark.parametrize("grace", [0, 10])
def test_a_new_id_takes_over_the_length_of_life(grace: float) -> None:
    """Another request has changed it meanwhile."""
    servers = Servers()
    jar = servers.visit(b"", zoe)

    def shorter(session: Session) -> None:
        session.cookie.max_age = 300

    def renew(session: Session) -> None:
        session.regenerate(keep=True, grace=grace)
        servers.visit(jar, shorter, servers.there)

    after = servers.visit(jar, renew)
    assert after != jar
    assert servers.here.engine.begin_sync(after, RequestFacts).cookie.max_age == 300
