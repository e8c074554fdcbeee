"""Sessions that connect-mongo encrypts with createWebCryptoAdapter, read there and written here, and the other way."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile import InvalidOption, Sessions
from sessile.codecs import Encrypted
from sessile.codecs.webcrypto import WebCrypto
from sessile.errors import MissingExtra
from sessile.stores.memory import MemoryStore
from sessile.stores.mongodb import MongoStore
from sessile.testing import FrozenClock
from tests.conftest import SECRET, VECTORS
from tests.stores.beside import Node, Ours, node_site, sid_of
from tests.stores.mongo_server import mongo_server

GOLDEN = json.loads((VECTORS / "webcrypto.json").read_text("utf-8"))
WORDS = {"name": "Zoë Ωmega 漢字 😀", "lone": "\ud800", "0": [1.5, None], "deep": {"a": [1, {"b": 2}]}}

CODEC = WebCrypto("secret", iterations=1)


@pytest.fixture(scope="module")
def codec() -> WebCrypto:
    """The key is dear, and derived once."""
    return WebCrypto(GOLDEN["secret"])


# The codec ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", GOLDEN["records"])
def test_what_node_encrypted_is_read(codec: WebCrypto, golden: Any, scenario: str) -> None:
    """The session that connect-redis stored in clear, byte for byte."""
    held = GOLDEN["records"][scenario]
    (expected,) = [record["payload"] for record in golden["records"] if record["sid"] == held["sid"]]
    decoded = codec.decode(held["stored"].encode(), held["sid"])
    assert decoded is not None
    assert decoded.decode() == expected


def test_a_session_of_node_is_taken_over(codec: WebCrypto) -> None:
    """Read as it is, and sealed by us when it is written."""
    clock = FrozenClock(2_000_000_000)
    held = GOLDEN["records"]["mx"]
    store = MemoryStore(clock=clock)
    store.create(held["sid"], held["stored"].encode(), 3600)
    sessions = Sessions(
        secret=SECRET, store=store, clock=clock, codec=[Encrypted("a key for records, longer than 32 bytes"), codec]
    )
    session = sessions.open(held["sid"])
    session["views"] += 1
    session.save()
    record = store.load(held["sid"])
    assert record is not None
    assert record.payload.startswith(b'"sealed:')
    assert sessions.open(held["sid"])["views"] == 2


@given(st.binary(max_size=200).map(lambda tail: b"{" + tail))
def test_what_was_encoded_is_decoded(payload: bytes) -> None:
    """As text, and as another text each time."""
    stored = CODEC.encode(payload, "an id")
    assert stored.isascii()
    assert stored != CODEC.encode(payload, "an id")
    assert CODEC.decode(stored, "an id") == payload


@given(st.binary(max_size=200))
def test_no_stored_bytes_raise(stored: bytes) -> None:
    assert CODEC.decode(stored, "an id") is None


def test_what_was_changed_or_is_of_another_key_is_no_session() -> None:
    stored = CODEC.encode(b'{"a":1}', "an id")
    changed = bytearray(stored)
    changed[20] ^= 1
    assert CODEC.decode(bytes(changed), "an id") is None
    for other in (
        WebCrypto("Secret", iterations=1),
        WebCrypto("secret", iterations=2),
        WebCrypto("secret", salt="x", iterations=1),
    ):
        assert other.decode(stored, "an id") is None
    assert WebCrypto(b"secret", iterations=1).decode(stored, "an id") == b'{"a":1}'


def test_what_is_no_object_is_no_session() -> None:
    assert CODEC.decode(CODEC.encode(b'"a"', "an id"), "an id") is None


@pytest.mark.parametrize("options", [{"secret": ""}, {"secret": None}, {"secret": "a", "iterations": 0}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption) as caught:
        WebCrypto(**options)
    assert caught.value.option in options


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(MissingExtra, match=r"sessile\[encryption\]"):
        WebCrypto("secret")


# Beside Node ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["as it is", "with options"])
async def beside(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A site of connect-mongo, and a store and a codec for the same sessions."""
    options = {} if request.param == "as it is" else {"salt": "a salt", "iterations": 1000}
    stringify = not options
    adapter = json.dumps({"secret": "node's own", **options})
    with (
        mongo_server(tmp_path) as server,
        node_site("webcrypto-store.js", server.url(), adapter, json.dumps({"stringify": stringify})) as node,
    ):
        store = MongoStore(server.url(), stringify=stringify)
        yield node, store, WebCrypto("node's own", **options)  # type: ignore[arg-type]
        await store.asynchronous().close()
        store.close()


async def test_node_and_we_hand_a_session_to_and_fro(beside: tuple[Node, MongoStore, WebCrypto]) -> None:
    """One session, changed here and there in turn, from either beginning to either end; and nobody else reads it."""
    node, store, codec = beside

    # Begun here.
    ours = Ours(store, codec=codec)
    await ours.visit(lambda session: session.update(WORDS))
    seen, _ = node.get(ours.cookie)
    assert {key: seen[key] for key in WORDS} == WORDS
    node.get(ours.cookie, set='{"node":"Größe"}')
    assert await ours.visit() == {**WORDS, "node": "Größe"}
    await ours.visit(lambda session: session["deep"]["a"][1].update(b="python"))
    seen, _ = node.get(ours.cookie)
    assert seen["deep"] == {"a": [1, {"b": "python"}]}
    assert b"python" not in store.load(sid_of(ours.cookie)).payload
    node.get(ours.cookie, destroy="")
    assert await ours.visit(lambda session: session.is_new) is True

    # Begun there.
    _, ours.cookie = node.get(None, set=json.dumps(WORDS), maxAge="60000")
    sid = sid_of(ours.cookie)
    before = store.load(sid)
    assert before.expires_at == pytest.approx(time.time() + 60, abs=5)
    assert await ours.visit() == WORDS
    assert store.load(sid).payload == before.payload, "nothing has changed, byte for byte"
    await ours.visit(lambda session: session["deep"].update(a="Bob"))
    assert store.touch(sid, 3600) is True
    seen, _ = node.get(ours.cookie)
    assert seen["deep"] == {"a": "Bob"}
    assert store.load(sid).expires_at == pytest.approx(time.time() + 60, abs=5)
    cookie = ours.cookie
    await ours.visit(lambda session: session.destroy())
    seen, _ = node.get(cookie)
    assert list(seen) == ["cookie"]
