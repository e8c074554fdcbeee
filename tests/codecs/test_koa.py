"""The records of koa-session: what stands in them, and what nobody should find there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile import Sessions
from sessile._records.record import decode
from sessile.codecs import Json
from sessile.codecs.koa import KoaSession
from sessile.stores.memory import MemoryStore
from tests.conftest import SECRET, Clock

CODEC = KoaSession()


@pytest.mark.parametrize(
    ("record", "payload"),
    [
        (
            b'{"n":1,"_expire":1796022196497,"_maxAge":86400000}',
            b'{"cookie":{"originalMaxAge":86400000,"expires":"2026-11-30T07:03:16.497Z"},"n":1}',
        ),
        (b'{"n":1,"_session":true}', b'{"cookie":{"originalMaxAge":null,"expires":null},"n":1}'),
        (b'{"_session":true}', b'{"cookie":{"originalMaxAge":null,"expires":null}}'),
        (
            b'{"2":"a","n":1e-7,"lone":"\\ud800","_expire":1000,"_maxAge":1}',
            b'{"cookie":{"originalMaxAge":1,"expires":"1970-01-01T00:00:01.000Z"},"2":"a","n":1e-07,"lone":"\\ud800"}',
        ),
        (
            '{"名":"Zoë 😀","_session":true}'.encode(),
            '{"cookie":{"originalMaxAge":null,"expires":null},"名":"Zoë 😀"}'.encode(),
        ),
    ],
)
def test_a_record_is_read_and_written(record: bytes, payload: bytes) -> None:
    """What is spelled as JavaScript does comes back byte for byte; half a surrogate pair may change the spelling."""
    read = CODEC.decode(record, "sid")
    assert read == payload
    again = CODEC.encode(payload, "sid")
    assert json.loads(again) == json.loads(record)
    if b"lone" not in record:
        assert again == record


def test_koas_own_keys_are_not_a_handlers() -> None:
    """Who puts them into a session does not decide how long it lives."""
    payload = (
        b'{"cookie":{"originalMaxAge":60000,"expires":"2026-11-30T07:03:16.497Z"},"_expire":9e15,"_session":true,"n":1}'
    )
    assert CODEC.encode(payload, "sid") == b'{"n":1,"_expire":1796022196497,"_maxAge":60000}'


def test_a_record_that_is_no_session_is_over_for_koa() -> None:
    """A tombstone has no cookie. Koa would take it for a session without an end."""
    stone = b'{"sessile":{"moved":"there"}}'
    stored = CODEC.encode(stone, "sid")
    assert json.loads(stored)["_expire"] == 0
    assert CODEC.decode(stored, "sid") == stone


def test_a_record_of_express_session_is_left_to_another_codec() -> None:
    assert CODEC.decode(b'{"cookie":{},"n":1}', "sid") is None


@pytest.mark.parametrize(
    "end", [b"1e400", b"-1e400", b'"soon"', b"true", b"null", b"[]", b"9" * 5000, b"1e15", b"-62135596800001", b"1.5"]
)
def test_any_end_is_borne(end: bytes) -> None:
    payload = CODEC.decode(b'{"n":1,"_expire":%b,"_maxAge":%b}' % (end, end), "sid")
    if payload is not None:
        contents = decode(payload)
        assert contents is None or contents.data == {"n": 1}
        CODEC.encode(payload, "sid")


@given(st.binary(max_size=200))
def test_nothing_in_a_record_raises(raw: bytes) -> None:
    for record in (raw, b"{" + raw, b'{"_expire":' + raw + b"}", b'{"a":' * 2000, b"[" * 100_000):
        payload = CODEC.decode(record, "sid")
        if payload is not None:
            CODEC.encode(payload, "sid")
        CODEC.encode(record, "sid")


def test_a_session_lives_under_it_as_under_any_codec() -> None:
    """It is created, changed, given a new id at the log-in, listed by its user, and ended."""
    clock = Clock()
    sessions = Sessions(secret=SECRET, store=MemoryStore(clock=clock), clock=clock, codec=[KoaSession(), Json()])
    session = sessions.engine.blank()
    session.update(cart=[1])
    sessions.engine.commit_sync(session)
    old = session.id
    again = sessions.open(old)
    again.login("zoe")
    again["cart"].append(2)
    again.save()
    assert sessions.open(old) is None
    found = sessions.open(again.id)
    assert (found.user_id, found["cart"]) == ("zoe", [1, 2])
    assert found.cookie.path == "/", "as the options say"
    assert len(sessions.of_user("zoe")) == 1
    assert sessions.revoke_user("zoe") == 1
    assert sessions.open(again.id) is None
