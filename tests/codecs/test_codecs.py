"""What stands in the store, and that nobody else notices."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile import InvalidOption, Session, SessionError, Sessions
from sessile._engine.coded import CodedStore
from sessile.codecs import Encrypted, Json, Msgpack
from sessile.codecs.kruptein import Kruptein
from sessile.errors import MissingExtra
from sessile.stores.base import Iterable, Sweepable, can
from sessile.stores.memory import MemoryStore
from sessile.stores.sqlite import SqliteStore
from sessile.testing import FrozenClock, StoreConformance
from tests.conftest import SECRET, VECTORS, Visitor

KEY = "a key for records, longer than 32 bytes"
OLD_KEY = "the key of last year, longer than 32 bytes"
KRUPTEIN = json.loads((VECTORS / "kruptein.json").read_text("utf-8"))

CODECS: dict[str, Callable[[], Any]] = {"json": Json, "msgpack": Msgpack, "encrypted": lambda: Encrypted(KEY)}
PAYLOADS = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
        max_leaves=12,
    ),
    max_size=6,
)


# Codecs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CODECS)
@given(PAYLOADS)
def test_what_was_encoded_is_decoded(name: str, data: dict[str, Any]) -> None:
    """Every payload, by its own codec or by the one behind it."""
    payload = json.dumps(data, separators=(",", ":")).encode()
    codec = CODECS[name]()
    stored = codec.encode(payload, "an id")
    decoded = codec.decode(stored, "an id")
    if decoded is None:
        decoded = Json().decode(stored, "an id")
    assert decoded is not None
    assert json.loads(decoded) == data


@pytest.mark.parametrize("name", CODECS)
@given(st.binary(max_size=200))
def test_no_stored_bytes_raise(name: str, stored: bytes) -> None:
    CODECS[name]().decode(stored, "an id")
    Kruptein("secret").decode(b"MI" + stored, "an id")
    Encrypted(KEY).decode(b'"sealed:' + stored + b'"', "an id")


def test_msgpack_is_smaller() -> None:
    payload = b'{"cookie":{"originalMaxAge":null,"expires":null},"user":{"id":42,"roles":["admin","ops"]},"views":1}'
    assert len(Msgpack().encode(payload, "")) < 0.85 * len(payload)


@pytest.mark.parametrize("payload", [b'{"n":%d}' % 2**70, rb'{"a":"\ud800"}', b'{"a":1.0,"a":2}'])
def test_what_msgpack_cannot_give_back_stays_json(payload: bytes) -> None:
    """Nothing is rounded, and nothing that another program wrote is put into another form."""
    assert Msgpack().encode(payload, "") == payload


def test_an_encrypted_record_says_nothing_and_is_json() -> None:
    """A column of type json takes it, and nobody reads it."""
    stored = Encrypted(KEY).encode(b'{"user":"ada"}', "an id")
    assert json.loads(stored).startswith("sealed:")
    assert b"ada" not in stored
    assert stored != Encrypted(KEY).encode(b'{"user":"ada"}', "an id")


def test_an_encrypted_record_is_bound_to_its_id() -> None:
    """Who can write to the store cannot give one visitor another's session."""
    stored = Encrypted(KEY).encode(b"{}", "hers")
    assert Encrypted(KEY).decode(stored, "hers") == b"{}"
    assert Encrypted(KEY).decode(stored, "his") is None


def test_keys_are_rotated() -> None:
    stored = Encrypted(OLD_KEY).encode(b"{}", "an id")
    assert Encrypted([KEY, OLD_KEY]).decode(stored, "an id") == b"{}"
    assert Encrypted(KEY).decode(stored, "an id") is None
    assert Encrypted(KEY).decode(Encrypted([KEY, OLD_KEY]).encode(b"{}", "an id"), "an id") == b"{}"


def test_msgpack_may_be_what_is_sealed() -> None:
    codec = Encrypted(KEY, codec=Msgpack())
    assert codec.decode(codec.encode(b'{"a":[1,2,3]}', "an id"), "an id") == b'{"a":[1,2,3]}'


@pytest.mark.parametrize("secret", ["short", [], [KEY, "short"], ""])
def test_a_weak_key_is_refused(secret: Any) -> None:
    with pytest.raises(InvalidOption, match="secret"):
        Encrypted(secret)


@pytest.mark.parametrize("make", [lambda: Encrypted(KEY), lambda: Kruptein("secret")])
def test_encryption_says_what_to_install(make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sessile._wire.sealing", None)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(MissingExtra, match=r"sessile\[encryption\]"):
        make()


# kruptein -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", ["mx", "full"])
@pytest.mark.parametrize("package", ["connect-mongo-6", "connect-memcached-3"])
def test_what_node_encrypted_is_read(package: str, record: str) -> None:
    """The same session as the one that connect-redis stored in clear, byte for byte."""
    held = KRUPTEIN["records"][f"{package} {record}"]
    codec = Kruptein(KRUPTEIN["secret"])
    expected = KRUPTEIN["records"][f"plain {record}"].encode()
    for stored in (held["stored"].encode(), json.dumps(held["stored"]).encode()):
        decoded = codec.decode(stored, held["sid"])
        assert decoded is not None
        assert json.loads(decoded)["user"] == json.loads(expected)["user"]


def test_what_node_encrypted_under_another_secret_is_no_session() -> None:
    held = KRUPTEIN["records"]["connect-mongo-6 mx"]["stored"].encode()
    assert Kruptein("another secret").decode(held, "") is None
    changed = held[:-8] + b"AAAA" + held[-4:]
    assert Kruptein(KRUPTEIN["secret"]).decode(changed, "") is None


def test_kruptein_only_reads() -> None:
    with pytest.raises(SessionError, match="only reads"):
        Kruptein("secret").encode(b"{}", "an id")
    with pytest.raises(InvalidOption, match="only reads"):
        Sessions(secret=SECRET, codec=Kruptein("secret"))


# The store around the store -------------------------------------------------------------------------------------------


class TestEncrypted(StoreConformance):
    """The whole contract, through a codec and hashed ids. What is no JSON object is a payload of nobody's."""

    @pytest.fixture
    def inner(self, clock: FrozenClock, tmp_path: Path) -> Iterator[Any]:
        store = SqliteStore(tmp_path / "sessions.db", clock=clock)
        yield store
        store.close()

    @pytest.fixture
    def store(self, inner: Any) -> Any:
        return CodedStore(inner, [Encrypted(KEY, codec=_AsItIs())], hash_ids=False)


class TestEncryptedUnderAsyncio(TestEncrypted):
    @pytest.fixture
    def store(self, inner: Any) -> Any:
        return CodedStore(inner, [Encrypted(KEY, codec=_AsItIs())]).asynchronous()


class TestHashedIds(StoreConformance):
    """The whole contract with hashed ids, but for what cannot be: ids come back as hashes."""

    @pytest.fixture
    def store(self, clock: FrozenClock) -> Any:
        return CodedStore(MemoryStore(clock=clock), [_AsItIs()], hash_ids=True)

    async def test_all_yields_what_is_live(self, store: Any, clock: FrozenClock) -> None:
        store.create("an id", b"a", 60)
        ((sid, record),) = store.all()
        assert record.payload == b"a"
        assert "an id" not in sid
        assert store.load(sid) is not None

    async def test_all_yields_ids_as_they_went_in(self, store: Any) -> None:
        store.create("an id", b"a", 60)
        ((sid, _),) = store.all()
        assert store.delete(sid)
        assert store.count() == 0


class _AsItIs:
    """The kit's payloads are any bytes; those of sessions are JSON objects."""

    def encode(self, payload: bytes, sid: str) -> bytes:
        return payload

    def decode(self, stored: bytes, sid: str) -> bytes | None:
        return stored


def test_abilities_are_those_of_the_store_inside(clock: FrozenClock) -> None:
    class Plain:
        def load(self, sid: str) -> None: ...

        create = replace = touch = delete = load

    assert can(CodedStore(MemoryStore(clock=clock), []), Iterable)
    assert can(CodedStore(MemoryStore(clock=clock), []), Sweepable)
    assert not can(CodedStore(Plain(), []), Iterable)


# Sessions -------------------------------------------------------------------------------------------------------------


def put(session: Session) -> int:
    session["n"] = session.get("n", 0) + 1
    return int(session["n"])


def site(clock: FrozenClock, store: Any, **options: Any) -> Visitor:
    return Visitor(Sessions(secret=SECRET, store=store, clock=clock, **options))


@pytest.mark.parametrize("hash_ids", [False, True])
@pytest.mark.parametrize("name", CODECS)
def test_a_session_lives_through_any_codec(clock: FrozenClock, name: str, hash_ids: bool) -> None:
    store = MemoryStore(clock=clock)
    visitor = site(clock, store, codec=CODECS[name](), hash_ids=hash_ids)
    assert [visitor.visit(put).result for _ in range(3)] == [1, 2, 3]
    sid = visitor.visit(lambda session: session.id).result
    assert (store.load(sid) is None) is hash_ids
    visitor.visit(lambda session: session.login("ada"))
    assert visitor.visit(lambda session: (session.user_id, session["n"])).result == ("ada", 3)
    visitor.visit(lambda session: session.destroy())
    assert store.count() == 0


@pytest.mark.parametrize("name", CODECS)
def test_an_unchanged_session_is_not_written(clock: FrozenClock, name: str) -> None:
    """A nested value was looked at, so the payload is compared; what stands in the store stays, byte for byte."""
    store = MemoryStore(clock=clock)
    visitor = site(clock, store, codec=CODECS[name]())
    visitor.visit(lambda session: session.update(cart={"items": [1, 2.5]}))
    ((_, before),) = store.all()
    visitor.visit(lambda session: session["cart"]["items"][0])
    ((_, after),) = store.all()
    assert before.payload == after.payload


@pytest.mark.parametrize("name", CODECS)
def test_overlapping_changes_are_joined_through_any_codec(clock: FrozenClock, name: str) -> None:
    visitor = site(clock, MemoryStore(clock=clock), codec=CODECS[name]())
    visitor.visit(lambda session: session.update(base=1))
    other = Visitor(visitor.sessions)
    other.jar = dict(visitor.jar)

    async def slow(session: Session) -> None:
        session["mine"] = 1
        await asyncio.to_thread(other.visit, lambda session: session.update(theirs=2))

    visitor.visit(slow)
    assert visitor.visit(dict).result == {"base": 1, "mine": 1, "theirs": 2}


@pytest.mark.parametrize("name", CODECS)
def test_two_writes_in_one_request(clock: FrozenClock, name: str) -> None:
    """The second one does not know which bytes the first one made, and finds out."""
    visitor = site(clock, MemoryStore(clock=clock), codec=CODECS[name]())

    async def twice(session: Session) -> None:
        session["a"] = 1
        await session.asave()
        session["b"] = 2
        await session.asave()
        session["c"] = 3

    visitor.visit(twice)
    assert visitor.visit(dict).result == {"a": 1, "b": 2, "c": 3}
    visitor.visit(twice)
    assert visitor.visit(dict).result == {"a": 1, "b": 2, "c": 3}


def test_codecs_are_changed_while_the_site_runs(clock: FrozenClock) -> None:
    """Each record changes when it is next written; until then it is read as it is."""
    store = MemoryStore(clock=clock)
    visitor = site(clock, store)
    visitor.visit(put)
    steps: list[tuple[Any, bytes]] = [
        ([Msgpack(), Json()], b"\x82"),
        ([Encrypted(KEY), Msgpack(), Json()], b'"sealed:'),
        ([Encrypted([OLD_KEY, KEY])], b'"sealed:'),
        ([Json(), Encrypted([OLD_KEY, KEY])], b'{"cookie":'),
    ]
    for number, (codecs, begins) in enumerate(steps):
        moved = site(clock, store, codec=codecs)
        moved.jar = visitor.jar
        assert moved.visit(put).result == number + 2
        ((_, record),) = store.all()
        assert record.payload.startswith(begins)


def test_records_in_clear_are_not_believed_where_all_are_to_be_encrypted(clock: FrozenClock) -> None:
    """Or whoever can write to the store could make a session. Only who says so reads both."""
    store = MemoryStore(clock=clock)
    events: list[str] = []
    visitor = site(clock, store)
    visitor.visit(put)
    strict = site(clock, store, codec=Encrypted(KEY), on_event=lambda event: events.append(event.name))
    strict.jar = visitor.jar
    assert strict.visit(dict).result == {}
    assert events == ["corrupt_record"]


@pytest.mark.parametrize("codec", [None, Json()])
def test_a_sealed_record_is_no_session_without_its_codec(clock: FrozenClock, codec: Any) -> None:
    """Who forgot the codec finds no session, and writes nothing in the place of the record."""
    store = MemoryStore(clock=clock)
    visitor = site(clock, store, codec=Encrypted(KEY))
    visitor.visit(put)
    forgetful = site(clock, store, codec=codec)
    forgetful.jar = dict(visitor.jar)
    assert forgetful.visit(dict).result == {}


def test_sessions_of_node_are_taken_over(clock: FrozenClock) -> None:
    """What kruptein encrypted is read, and sealed by us when it is written."""
    clock.now = 2_000_000_000
    held = KRUPTEIN["records"]["connect-mongo-6 mx"]
    store = MemoryStore(clock=clock)
    store.create(held["sid"], held["stored"].encode(), 3600)
    sessions = Sessions(secret=SECRET, store=store, clock=clock, codec=[Encrypted(KEY), Kruptein(KRUPTEIN["secret"])])
    session = sessions.open(held["sid"])
    assert session["user"]["id"] == 42
    session["views"] += 1
    session.save()
    record = store.load(held["sid"])
    assert record is not None
    assert record.payload.startswith(b'"sealed:')
    assert sessions.open(held["sid"])["views"] == 2


def test_listed_sessions_of_hashed_ids_can_be_ended(clock: FrozenClock) -> None:
    visitor = site(clock, MemoryStore(clock=clock), hash_ids=True)
    visitor.visit(put)
    (session,) = visitor.sessions.all()
    assert session["n"] == 1
    assert visitor.sessions.revoke(session.id)
    assert visitor.visit(dict).result == {}


def test_a_session_that_was_listed_can_be_changed(clock: FrozenClock) -> None:
    visitor = site(clock, MemoryStore(clock=clock), hash_ids=True, codec=Encrypted(KEY))
    visitor.visit(put)
    for session in visitor.sessions.all():
        session["notice"] = "maintenance at noon"
        assert session.save()
    assert visitor.visit(dict).result == {"n": 1, "notice": "maintenance at noon"}


@pytest.mark.parametrize("options", [{"codec": "json"}, {"codec": [Json(), 5]}, {"hash_ids": 1}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption) as caught:
        Sessions(secret=SECRET, **options)
    assert caught.value.option in options


@pytest.mark.parametrize("options", [{"codec": Json()}, {"hash_ids": True}])
def test_they_mean_nothing_where_the_session_travels(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption, match="with cookie://"):
        Sessions(secret=SECRET, store="cookie://", **options)


def test_msgspec_agrees_about_msgpack() -> None:
    """It is msgpack, not something of ours."""
    assert msgspec.msgpack.decode(Msgpack().encode(b'{"a":[1,null,"x"]}', "")) == {"a": [1, None, "x"]}
