"""Files that session-file-store has encrypted: a site is taken over from Node."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from sessile.codecs import Encrypted
from sessile.codecs.kruptein import Kruptein
from sessile.stores.file import FileStore
from tests.stores.beside import Ours, node_site, sid_of

NODE = json.loads((Path(__file__).parent / "data" / "session-file-store-1.5-encrypted.json").read_text("utf-8"))
KEY = "a key for records, longer than 32 bytes"
SECRET = "the secret of Node's store"
WORDS = {"name": "Zoë Ωmega 漢字 😀", "lone": "\ud800", "0": [1.5, None], "deep": {"a": [1, {"b": 2}]}}


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path, clock=time.time)


@pytest.fixture
def cookie(tmp_path: Path) -> str:
    """That of a session of Node's, which has been there twice: what it adds to a session is in the midst of it."""
    with node_site("encrypted-file-store.js", str(tmp_path), SECRET) as node:
        _, cookie = node.get(None, set='{"0":[1.5,null]}', maxAge="60000")
        assert cookie is not None
        node.get(cookie, set=json.dumps(WORDS))
        seen, _ = node.get(cookie)
        assert list(seen)[2] == "__lastAccess"
    return cookie


def file_of(folder: Path, cookie: str) -> Path:
    return folder / f"{sid_of(cookie)}.json"


@pytest.mark.parametrize("file", NODE["files"], ids=lambda file: file["scenario"])
def test_what_node_encrypted_is_read(file: Any, golden: Any) -> None:
    """The same session as in clear, without what the store itself has put in."""
    codec = Kruptein(NODE["secret"])
    sid = file["file"].removesuffix(".json")
    (expected,) = [record["payload"] for record in golden["records"] if record["sid"] == sid]
    for stored in (file["content"].encode(), json.dumps(file["content"]).encode()):
        decoded = codec.decode(stored, sid)
        assert decoded is not None
        assert json.loads(decoded) == json.loads(expected)
    assert Kruptein("another secret").decode(file["content"].encode(), sid) is None
    assert codec.decode(file["content"].replace('"ct":"', '"ct":"x').encode(), sid) is None


@pytest.mark.parametrize(
    "content", [b"{}", b'{"hmac":"","ct":"","aad":"","iv":{"data":1},"salt":{},"at":{}}', b'{"hm', b'"']
)
def test_what_is_no_such_object_is_no_session(content: bytes) -> None:
    assert Kruptein(SECRET).decode(content, "an id") is None


async def test_a_session_of_node_is_taken_over(store: FileStore, tmp_path: Path, cookie: str) -> None:
    """Read and prolonged as it is; and sealed by us when it is written."""
    ours = Ours(store, codec=[Encrypted(KEY), Kruptein(SECRET)])
    ours.cookie = cookie
    assert await ours.visit() == WORDS
    assert store.touch(sid_of(cookie), 7200) is True
    assert await ours.visit() == WORDS
    await ours.visit(lambda session: session["deep"].update(a="Bob"))
    record = store.load(sid_of(cookie))
    assert record is not None
    assert record.payload.startswith(b'"sealed:')
    assert await ours.visit() == {**WORDS, "deep": {"a": "Bob"}}
    await ours.visit(lambda session: session.destroy())
    assert list(tmp_path.glob("*.json")) == []


async def test_without_the_codec_it_is_no_session_and_stays_as_it_is(
    store: FileStore, tmp_path: Path, cookie: str
) -> None:
    """Its text is JSON, and must not be taken for the data of a session."""
    before = file_of(tmp_path, cookie).read_bytes()
    events: list[str] = []
    ours = Ours(store, on_event=lambda event: events.append(event.name))
    ours.cookie = cookie
    assert await ours.visit() == {}
    assert events == ["corrupt_record"]
    assert file_of(tmp_path, cookie).read_bytes() == before


def test_it_ends_a_ttl_after_it_was_written(store: FileStore, tmp_path: Path, cookie: str) -> None:
    """When else, stands inside; so it is neither kept for ever nor lost."""
    written = os.stat(file_of(tmp_path, cookie)).st_mtime
    record = store.load(sid_of(cookie))
    assert record is not None
    assert record.expires_at == written + 3600
    assert store.count() == 1
    os.utime(file_of(tmp_path, cookie), (written, time.time() - 3601))
    assert store.load(sid_of(cookie)) is None
    assert store.prune() == 1
    assert not file_of(tmp_path, cookie).exists()


@pytest.mark.parametrize("payload", [b'{"hmac":""}', b'{"hmac":"\xff"}', b'"{\\"hmac\\":1}"'])
def test_a_payload_that_looks_like_it_comes_back(store: FileStore, payload: bytes) -> None:
    assert store.create("a", payload, 60) is True
    record = store.load("a")
    assert record is not None
    assert record.payload == payload


def test_what_only_begins_like_it_is_no_record(store: FileStore, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"hmac":"\xff')
    (tmp_path / f"%{'0' * 64}.json").write_bytes(b'{"hmac":"')
    assert store.load("a") is None
    assert store.count() == 0
