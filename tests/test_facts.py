"""What a request says of itself."""

from __future__ import annotations

import dataclasses

import pytest

from sessile import RequestFacts, Sessions
from sessile._records.record import decode
from sessile._records.tombstone import Tombstone
from sessile._session import lifecycle
from sessile._session.lifecycle import Moved
from sessile.asgi import facts_of
from tests.conftest import SECRET


def test_a_header_is_found_by_any_spelling() -> None:
    """The first line of a header is returned, whatever the case it is asked for in."""
    facts = RequestFacts(headers=((b"host", b"one"), (b"host", b"two"), (b"x-raw", b"\xe9")))
    assert facts.header("Host") == facts.header("host") == facts.header("HOST") == "one"
    assert facts.header("X-Raw") == "é"
    assert facts.header("missing") is None


def test_facts_cannot_be_changed() -> None:
    """Facts are handed to the user's functions, and stay what they were."""
    facts = RequestFacts()
    with pytest.raises((AttributeError, dataclasses.FrozenInstanceError)):
        facts.scheme = "https"  # type: ignore[misc]


def test_a_repr_shows_no_token() -> None:
    """It stands in the locals of a traceback, and headers hold cookies and bearer tokens."""
    facts = RequestFacts(
        path="/reset/secret-path",
        headers=((b"cookie", b"connect.sid=secret-token"), (b"authorization", b"Bearer secret-token")),
        client="192.0.2.7",
        raw={"query_string": b"secret-token"},
    )
    assert repr(facts) == "<RequestFacts GET by http>"


def test_what_the_library_hands_on_shows_neither_ids_nor_data() -> None:
    """Handles and the values inside have a repr of their own."""
    sessions = Sessions(secret=SECRET)
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session.login("secret-user", device="secret-claim")
    session["note"] = "secret-data"
    header = sessions.engine.commit_sync(session)[0].partition(";")[0].encode()
    record = sessions.store.load(session.id)
    contents = decode(record.payload)
    session["more"] = "secret-data"
    shown = [
        sessions.of_user("secret-user")[0],
        contents,
        record,
        sessions.engine.setup.transport.read(header),
        lifecycle.commit(sessions.options, sessions.engine.setup.rules, session, False, 0.0),
        Moved(session.id, True),
        Tombstone(session.id),
        session,
        sessions,
        facts_of({"type": "http", "path": "/", "headers": [(b"cookie", header)]}),
    ]
    for value in shown:
        assert "secret-" not in repr(value)
        assert session.id not in repr(value)
