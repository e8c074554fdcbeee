"""Sessions that another program has written: under ids that were never entered, and with fields that are not ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sessile import RequestFacts, Session
from tests._engine.test_revocation import Meddling, Servers


def log_in(session: Session) -> None:
    session.login("zoe")


def moved(servers: Servers, cookie: bytes) -> bytes:
    """Let Node give the session a new id, with all that was in it. Return the cookie that it sets."""
    sid = servers.here.engine.begin_sync(cookie, RequestFacts).id
    record = servers.store.load(sid)
    servers.store.delete(sid)
    servers.store.create("by-node", record.payload, 1000)
    return b"connect.sid=" + servers.here.token_of("by-node").encode()


def test_it_is_listed_and_revoked() -> None:
    servers = Servers()
    cookie = moved(servers, servers.visit(b"", log_in))
    assert servers.here.of_user("zoe") == []
    assert servers.user(cookie) == "zoe"
    assert len(servers.here.of_user("zoe")) == 1
    assert servers.here.revoke_user("zoe") == 1
    assert servers.user(cookie) is None


def test_it_meets_the_mark_at_its_first_visit() -> None:
    """The revocation did not know of it."""
    servers = Servers()
    cookie = moved(servers, servers.visit(b"", log_in))
    servers.clock.advance(10)
    assert servers.here.revoke_user("zoe") == 0
    servers.clock.advance(10)
    assert servers.user(cookie) is None
    assert servers.live() == []


@pytest.mark.parametrize("policy", ["end_oldest", "refuse"])
def test_it_counts(policy: Any) -> None:
    """It began before the other; but who is one too many is told when it comes."""
    servers = Servers(max_sessions_per_user=1, too_many_sessions=policy)
    cookie = moved(servers, servers.visit(b"", log_in))
    servers.clock.advance(100)
    servers.visit(b"", log_in)
    servers.user(cookie)
    assert servers.live() == ["zoe"]


def test_one_from_before_the_index_is_entered() -> None:
    before = Servers(index_users=False)
    cookie = before.visit(b"", log_in)
    after = Servers()
    for sid, record in before.store.all():
        after.store.create(sid, record.payload, 1000)
    assert after.user(cookie) == "zoe"
    assert after.here.revoke_user("zoe") == 1


def test_it_costs_a_visit_three_round_trips_once() -> None:
    servers = Servers()
    cookie = moved(servers, servers.visit(b"", log_in))
    servers.store.calls.clear()
    servers.user(cookie)
    assert servers.store.calls == ["load", "index.load", "index.replace", "replace"]
    servers.store.calls.clear()
    servers.user(cookie)
    assert servers.store.calls == ["load"]


def test_a_log_in_out_of_nothing() -> None:
    """A Node handler assigns a request's body to its session: the fields are ignored, and an event tells of it."""
    servers = Servers()
    cookie = servers.visit(b"", lambda session: session.update(n=1))
    ((sid, record),) = servers.store.all()
    forged = {**json.loads(record.payload), "sessile": {"user": "zoe", "auth_time": servers.clock()}}
    servers.store.replace(sid, json.dumps(forged).encode(), 1000, record.payload)
    session = servers.here.engine.begin_sync(cookie, RequestFacts)
    assert (session.user_id, session["n"]) == (None, 1)
    assert "untrusted_fields" in servers.events
    session["n"] = 2
    servers.here.engine.commit_sync(session)
    assert "zoe" not in servers.store.load(sid).payload.decode()


def test_nor_is_it_sealed_by_a_write_that_meets_it() -> None:
    """What is joined with another write is checked as well."""
    servers = Servers()
    cookie = servers.visit(b"", lambda session: session.update(n=1))
    late = servers.here.engine.begin_sync(cookie, RequestFacts)
    late["m"] = 1
    ((sid, record),) = servers.store.all()
    forged = {**json.loads(record.payload), "sessile": {"user": "zoe", "auth_time": servers.clock()}}
    servers.store.replace(sid, json.dumps(forged).encode(), 1000, record.payload)
    servers.here.engine.commit_sync(late)
    assert servers.user(cookie) is None


# A store that evicts --------------------------------------------------------------------------------------------------


def evicting(**options: Any) -> Servers:
    return Servers(store=EvictingStore, **options)


class EvictingStore(Meddling):
    """A store whose server removes what has not been used for long when it has no room."""

    full = True

    def evicts(self) -> bool:
        return self.full


@pytest.mark.parametrize("lost", ["end", "keep"])
def test_a_session_whose_index_was_evicted(lost: Any) -> None:
    """Nobody can tell whether it was revoked. It ends at its next look, unless an option keeps it."""
    servers = evicting(index_lost=lost)
    cookie = servers.visit(b"", log_in)
    assert servers.user(cookie) == "zoe"
    servers.store.index().clear()
    assert servers.here.revoke_user("zoe") == 0
    servers.store.index().clear()
    servers.clock.advance(61)
    assert servers.user(cookie) == (None if lost == "end" else "zoe")
    assert len(servers.here.of_user("zoe")) == (0 if lost == "end" else 1)


def test_a_mark_that_is_there_is_met() -> None:
    servers = evicting(index_lost="keep")
    cookie = servers.visit(b"", log_in)
    servers.store.index().clear()
    servers.here.revoke_user("zoe")
    servers.clock.advance(61)
    assert servers.user(cookie) is None


def test_a_look_costs_one_round_trip_a_minute() -> None:
    """And none where the server does not evict."""
    servers = evicting()
    cookie = servers.visit(b"", log_in)
    costs = []
    for _ in range(3):
        servers.store.calls.clear()
        servers.user(cookie)
        costs.append(list(servers.store.calls))
        servers.clock.advance(40)
    assert costs == [["load", "index.load"], ["load"], ["load", "index.load"]]
    servers.store.full = False  # type: ignore[attr-defined]
    servers.clock.advance(100)
    servers.store.calls.clear()
    servers.user(cookie)
    assert servers.store.calls == ["load"]
