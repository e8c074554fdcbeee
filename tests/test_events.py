"""Events: what happened, told to the log and to a hook, with nothing in it that a thief could use."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import CookieOptions, Event, RequestFacts, Sessions
from holdfast.events import Events, Happening
from tests.conftest import SECRET, Clock, Visitor

SID = "fzKVhLG8cRvKQXJ2hOe9u0a1BCD-_xyz"


@pytest.fixture
def told() -> list[Event]:
    """What the hook was told."""
    return []


@pytest.fixture
def watched(told: list[Event], new_visitor: Callable[..., Visitor]) -> Visitor:
    """A visitor of a site whose events are heard."""
    return new_visitor(on_event=told.append)


def names(told: list[Event]) -> list[str]:
    return [event.name for event in told]


@pytest.mark.parametrize("happening", Happening, ids=lambda happening: happening.name)
def test_each_is_logged_at_its_level(happening: Happening, caplog: pytest.LogCaptureFixture) -> None:
    """Each happening is one line in the log named ``holdfast``, at the level that the table gives it."""
    caplog.set_level(logging.DEBUG, "holdfast")
    Events(b"key", None).tell(happening, SID, "What it means.")
    (line,) = caplog.records
    assert (line.name, line.levelno) == ("holdfast", happening.level)
    assert line.getMessage().startswith(f"{happening.label} session=")
    assert line.getMessage().endswith("What it means.")


def test_ordinary_life_is_not_logged_by_default(
    told: list[Event], watched: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    """A visitor who comes, writes, logs in and leaves gives no line at the level where most logs begin."""
    caplog.set_level(logging.INFO, "holdfast")
    watched.visit(lambda session: session.update(a=1))
    watched.visit(lambda session: session.update(a=2))
    watched.visit(lambda session: session.login("user"))
    watched.visit(lambda session: session.logout())
    assert names(told) == ["created", "saved", "created", "rotated", "destroyed"]
    assert not caplog.records


def test_labels_are_of_one_kind() -> None:
    """A label is a name that every system of metrics takes, and no two happenings share one."""
    labels = [happening.label for happening in Happening]
    assert all(label.replace("_", "").isalpha() and label.islower() for label in labels)
    assert len(set(labels)) == len(labels) == len(Happening.__members__)


@given(sid=st.text(st.characters(), min_size=6), key=st.binary())
def test_no_id_is_told(sid: str, key: bytes) -> None:
    """Whatever the id, an event has a short keyed hash in its place."""
    told: list[Event] = []
    Events(key, told.append).tell(Happening.SAVED, sid)
    assert len(told[0].session) == 12
    assert sid not in repr(told[0])


def test_one_session_has_one_alias() -> None:
    """Two events of one session can be told to be so; those of others, and those of another site, differ."""

    def alias(key: bytes, sid: str | None) -> str:
        told: list[Event] = []
        Events(key, told.append).tell(Happening.SAVED, sid)
        return told[0].session

    assert alias(b"key", "one") == alias(b"key", "one")
    assert len({alias(b"key", "one"), alias(b"key", "two"), alias(b"other", "one"), alias(b"key", None)}) == 4
    assert alias(b"key", None) == ""


def test_a_hook_that_raises_changes_nothing(
    new_visitor: Callable[..., Visitor], caplog: pytest.LogCaptureFixture
) -> None:
    """An error of the hook is logged, and the visitor is served and remembered all the same."""

    def broken(event: Event) -> None:
        raise RuntimeError("the hook is broken")

    visitor = new_visitor(on_event=broken)
    assert visitor.visit(lambda session: session.update(a=1)).set_cookie
    assert visitor.visit(dict).result == {"a": 1}
    assert "the on_event hook failed" in caplog.text
    assert "the hook is broken" in caplog.text


def test_nothing_is_made_when_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a hook, and with the log silent, no event is made and nothing is hashed."""
    logging.getLogger("holdfast").setLevel(logging.CRITICAL)
    try:
        monkeypatch.setattr("holdfast.events.Event", None)
        monkeypatch.setattr("holdfast.events.hashlib.blake2b", None)
        Events(b"key", None).tell(Happening.STORE_UNAVAILABLE, SID)
    finally:
        logging.getLogger("holdfast").setLevel(logging.NOTSET)


def test_a_visit_without_interest_has_no_events(told: list[Event], watched: Visitor) -> None:
    """Neither a stranger who only looks nor a known visitor who only reads makes an event."""
    watched.visit()
    watched.visit(lambda session: session.get("a"))
    assert told == []
    watched.visit(lambda session: session.update(a=1))
    told.clear()
    watched.visit(lambda session: session.get("a"))
    assert told == []


def test_what_a_cookie_may_be_is_told(told: list[Event], watched: Visitor, clock: Clock) -> None:
    """A forged cookie, one of no session, one of an ended and of an expired session each have an event."""
    watched.visit(lambda session: session.update(a=1))
    cookie = f"connect.sid={watched.jar['connect.sid']}"
    told.clear()

    watched.visit(cookie="connect.sid=forged")
    assert names(told) == ["bad_signature"]
    assert told.pop().session == ""

    clock.advance(86_400)
    watched.visit(cookie=cookie)
    assert names(told) in (["unknown_id"], ["expired"])
    assert told[0].session


def test_a_corrupt_record_is_told(told: list[Event], clock: Clock, new_visitor: Callable[..., Visitor]) -> None:
    """A record that is no session is told of, and its visitor is a stranger."""
    visitor = new_visitor(on_event=told.append)
    visitor.visit(lambda session: session.update(a=1))
    sid = visitor.visit(lambda session: session.id).result
    visitor.sessions.store.delete(sid)
    visitor.sessions.store.create(sid, b"no JSON", 60.0)
    told.clear()
    assert visitor.visit(dict).result == {}
    assert names(told) == ["corrupt_record"]


def test_dropped_changes_are_told(told: list[Event], watched: Visitor) -> None:
    """Changes to a session that was ended meanwhile are dropped, and an event says so."""
    watched.visit(lambda session: session.update(a=1))
    told.clear()

    def work(session: Any) -> None:
        session["a"] = 2
        watched.sessions.store.delete(session.id)

    assert watched.visit(work).set_cookie is None
    assert names(told) == ["changes_dropped"]


def test_a_merge_is_told(told: list[Event], watched: Visitor) -> None:
    """A commit that met another's is told of, and so is a key that both changed."""
    watched.visit(lambda session: session.update(a=1))
    told.clear()

    def meeting(key: str, value: int) -> Callable[[Any], Any]:
        async def work(session: Any) -> None:
            session["mine"] = value
            other = await watched.sessions.open(session.id)
            other[key] = -value
            await other.save()

        return work

    watched.visit(meeting("theirs", 1))
    assert names(told) == ["saved", "merged", "saved"]
    told.clear()
    watched.visit(meeting("mine", 2))
    assert names(told) == ["saved", "merged", "collided", "saved"]
    assert watched.visit(dict).result == {"a": 1, "mine": 2, "theirs": -1}


def test_a_revoked_session_is_told(told: list[Event], watched: Visitor) -> None:
    """Ending a session from outside is told at a level that logs keep."""
    sid = watched.visit(lambda session: (session.update(a=1), session.id)[1]).result
    told.clear()
    assert watched.sessions.revoke(sid) is True
    assert names(told) == ["revoked"]
    assert Happening.REVOKED.level == logging.INFO
    assert watched.sessions.revoke(sid) is False
    assert names(told) == ["revoked"]


def test_a_cookie_that_cannot_leave_is_told(told: list[Event], new_visitor: Callable[..., Visitor]) -> None:
    """A secure cookie on a plain request is told of, with what to do, because the visitor will not be remembered."""
    visitor = new_visitor("http", on_event=told.append, cookie=CookieOptions(secure=True))
    assert visitor.visit(lambda session: session.update(a=1)).set_cookie is None
    assert names(told) == ["insecure_transport"]
    assert "proxy=" in told[0].detail


def test_an_outage_is_told(told: list[Event], clock: Clock) -> None:
    """A store that fails is told of by the type of its error, and by nothing that the error says."""

    class Broken:
        def load(self, sid: str) -> None:
            raise OSError("connection to user:password@host failed")

        create = replace = touch = delete = load

    sessions = Sessions(secret=SECRET, store=Broken(), clock=clock, on_event=told.append)  # type: ignore[arg-type]
    good = Sessions(secret=SECRET, clock=clock)
    session = good.begin_sync(b"", RequestFacts)
    session["a"] = 1
    (cookie,) = good.commit_sync(session)
    visitor = Visitor(sessions)
    visitor.jar["connect.sid"] = cookie.partition(";")[0].partition("=")[2]
    visit = visitor.visit()
    assert visit.response.status == 503
    assert visit.session is None
    assert names(told) == ["store_unavailable"]
    assert "OSError" in told[0].detail
    assert "password" not in repr(told)
