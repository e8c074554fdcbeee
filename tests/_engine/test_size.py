"""A session has a limit of size, for what we write; what another program has made larger is loaded all the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sessile import InvalidOption, Lifetime, RequestFacts, Sessions, SessionTooLarge
from sessile._session.flash import MOST_MESSAGES
from tests.conftest import SECRET

SID = "A" * 32
LIMIT = 2000


def sessions_of(**options: Any) -> Sessions:
    return Sessions(secret=SECRET, max_bytes=LIMIT, **options)


def begin(sessions: Sessions, sid: str) -> Any:
    return sessions.engine.begin_sync(f"connect.sid={sessions.token_of(sid)}".encode(), RequestFacts)


def data_of(sessions: Sessions, sid: str) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(sessions.store.load(sid).payload)
    return {key: value for key, value in whole.items() if key not in ("cookie", "sessile")}


def by_node(sessions: Sessions) -> Any:
    """Return a session that Node has made larger than we would."""
    record = {"cookie": {"originalMaxAge": None, "expires": None}, "draft": "x" * 2 * LIMIT, "n": 1}
    sessions.store.create(SID, json.dumps(record).encode(), 1000)
    return begin(sessions, SID)


def test_what_is_too_large_is_refused_and_named() -> None:
    """The error names the largest key, nothing is written, and the page of the error can be served."""
    sessions = sessions_of()
    session = sessions.engine.blank()
    session["n"] = 1
    sessions.engine.commit_sync(session)
    sid = session.id
    session = begin(sessions, sid)
    session.update(note="short", draft="x" * LIMIT)
    with pytest.raises(SessionTooLarge, match="'draft'") as raised:
        sessions.engine.commit_sync(session)
    assert raised.value.key == "draft"
    assert raised.value.size > LIMIT
    assert "xxx" not in str(raised.value)
    assert sessions.engine.commit_sync(session) == ()
    assert data_of(sessions, sid) == {"n": 1}


def test_a_new_session_has_the_same_limit() -> None:
    sessions = sessions_of()
    session = sessions.engine.blank()
    session["draft"] = "x" * LIMIT
    with pytest.raises(SessionTooLarge):
        session.save()
    assert sessions.count() == 0


def test_two_requests_that_fit_alone_are_refused_together() -> None:
    """What is joined has the limit too; what was stored first stays."""
    sessions = sessions_of()
    session = sessions.engine.blank()
    session["n"] = 1
    sessions.engine.commit_sync(session)
    one, other = begin(sessions, session.id), begin(sessions, session.id)
    one["one"], other["other"] = "x" * 1100, "y" * 1100
    sessions.engine.commit_sync(one)
    with pytest.raises(SessionTooLarge):
        sessions.engine.commit_sync(other)
    assert set(data_of(sessions, session.id)) == {"n", "one"}


@pytest.mark.parametrize("lifetime", [None, Lifetime(absolute=3600, renew_every=600)])
def test_a_larger_record_of_node_is_read_shrunk_logged_in_and_ended(lifetime: Any) -> None:
    """It limits what we write, and not what we read: nobody is locked in, or out."""
    sessions = sessions_of(lifetime=lifetime)
    session = by_node(sessions)
    assert session["n"] == 1
    sessions.engine.commit_sync(session)
    session = begin(sessions, session.id)
    session["n"] = 2
    with session.lock(wait=0):
        session["n"] = 3
    session.login("zoe")
    sessions.engine.commit_sync(session)
    session = begin(sessions, session.id)
    assert (session.user_id, session["n"]) == ("zoe", 3)
    session["more"] = "y" * 200
    with pytest.raises(SessionTooLarge):
        sessions.engine.commit_sync(session)
    session = begin(sessions, session.id)
    session["draft"] = session["draft"][: LIMIT + 500]
    sessions.engine.commit_sync(session)
    assert len(data_of(sessions, session.id)["draft"]) == LIMIT + 500
    session = begin(sessions, session.id)
    session.logout()
    sessions.engine.commit_sync(session)
    assert sessions.count() == 0


def test_messages_are_bounded() -> None:
    """Requests whose answers nobody looks at keep the newest messages, and no more."""
    session = Sessions(secret=SECRET).engine.blank()
    for number in range(3 * MOST_MESSAGES):
        session.flash(f"message {number}")
    kept = session.flashes()["info"]
    assert len(kept) == MOST_MESSAGES
    assert kept[-1] == f"message {3 * MOST_MESSAGES - 1}"


@pytest.mark.parametrize("wrong", [0, -1, True, "1 MB", 1.5, None])
def test_what_is_no_limit(wrong: Any) -> None:
    with pytest.raises(InvalidOption, match="max_bytes"):
        Sessions(secret=SECRET, max_bytes=wrong)
