"""Ids and payloads that a store has to take as they are."""

from __future__ import annotations

from typing import Any

import pytest

from sessile.stores.base import Conflict, Missing, Replaced
from sessile.testing.conformance.calls import SID, Caller, ask

__all__ = ["HOSTILE_SIDS", "LOOKALIKES", "PAYLOADS", "Oddities"]

HOSTILE_SIDS = {
    "empty": "",
    "one letter": "x",
    "unicode": "zoë-漢字-😀",
    "quotes": "'\"`",
    "sql": "x'; DROP TABLE sessions; --",
    "path": "../../../../etc/passwd",
    "glob": "*?[a-z]",
    "like": "%_%",
    "nul": "a\x00b",
    "newline": "a\r\nSET b 1",
    "blank": " a b ",
    "dollar": "$ne",
    "surrogate": "\ud800",
    "long": "x" * 10_000,
}

#: Pairs of ids that a database may take for one, by its collation or by trimming.
LOOKALIKES = {
    "accent": ("resume", "resum\u00e9"),
    "composed and decomposed": ("\u00e9", "e\u0301"),
    "sharp s": ("stra\u00dfe", "strasse"),
    "case beyond ASCII": ("\u00c4", "\u00e4"),
    "blank behind": ("same", "same "),
    "blank before": ("same", " same"),
    "newline behind": ("same", "same\n"),
    "NUL behind": ("same", "same\x00"),
    "beginning": ("same", "sam"),
    "number": ("1", "01"),
    "surrogate and its escape": ("\ud800", "\\ud800"),
}

PAYLOADS = {
    "empty": b"",
    "json": b'{"cookie":{"originalMaxAge":null},"n":1}',
    "utf-8": "zoë 漢字 😀 \u2028".encode(),
    "escaped surrogate": rb'{"a":"\ud800"}',
    "not utf-8": b"\xff\xfe\x00\x80",
    "nul": b"a\x00b\x00",
    "quotes": b"'\"\\`;--",
    "newlines": b"\r\n\r\n",
    "1 MiB": b'{"a":"' + b"x" * (1 << 20) + b'"}',
}


class Oddities(Caller):
    """Odd ids and odd payloads."""

    @pytest.mark.parametrize("sid", HOSTILE_SIDS.values(), ids=HOSTILE_SIDS.keys())
    async def test_a_strange_id_is_absent_and_harmless(self, store: Any, sid: str) -> None:
        """No verb but create may raise for it, and nobody else's record is found or changed by it."""
        await ask(store.create(SID, b"a", 60))
        assert await ask(store.load(sid)) is None
        assert await ask(store.touch(sid, 60)) is False
        assert await ask(store.replace(sid, b"b", 60, b"a")) == Missing()
        assert await ask(store.delete(sid)) is False
        assert (await ask(store.load(SID))).payload == b"a"

    @pytest.mark.parametrize("sid", HOSTILE_SIDS.values(), ids=HOSTILE_SIDS.keys())
    async def test_a_strange_id_is_an_id(self, store: Any, sid: str) -> None:
        """All verbs work for it as they do for an honest one."""
        assert await ask(store.create(sid, b"a", 60)) is True
        assert await ask(store.create(sid, b"b", 60)) is False
        assert (await ask(store.load(sid))).payload == b"a"
        assert await ask(store.touch(sid, 600)) is True
        assert await ask(store.replace(sid, b"b", 60, b"a")) == Replaced()
        assert (await ask(store.load(sid))).payload == b"b"
        assert await ask(store.delete(sid)) is True
        assert await ask(store.load(sid)) is None

    async def test_strange_ids_are_kept_apart(self, store: Any) -> None:
        """None is another's pattern, prefix or abbreviation; to remove one is to remove one."""
        for number, sid in enumerate(HOSTILE_SIDS.values()):
            assert await ask(store.create(sid, b"%d" % number, 60)) is True
        for number, sid in enumerate(HOSTILE_SIDS.values()):
            assert (await ask(store.load(sid))).payload == b"%d" % number
            assert await ask(store.delete(sid)) is True

    @pytest.mark.parametrize(("one", "two"), LOOKALIKES.values(), ids=LOOKALIKES.keys())
    async def test_ids_that_look_alike_are_different(self, store: Any, one: str, two: str) -> None:
        """Ids are compared code point by code point: not by a collation, and nothing is trimmed."""
        await ask(store.create(one, b"1", 60))
        assert await ask(store.load(two)) is None
        assert await ask(store.create(two, b"2", 60)) is True
        assert await ask(store.delete(two)) is True
        assert (await ask(store.load(one))).payload == b"1"

    @pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
    async def test_a_payload_comes_back_byte_for_byte(self, store: Any, payload: bytes) -> None:
        """A store does not look into what it keeps."""
        assert await ask(store.create(SID, payload, 60)) is True
        assert (await ask(store.load(SID))).payload == payload

    @pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
    async def test_a_payload_can_be_expected_and_replaced(self, store: Any, payload: bytes) -> None:
        """Comparison is of bytes, whatever they are."""
        await ask(store.create(SID, payload, 60))
        assert await ask(store.replace(SID, payload + b"x", 60, payload + b"y")) == Conflict(payload)
        assert await ask(store.replace(SID, payload + b"x", 60, payload)) == Replaced()
        assert (await ask(store.load(SID))).payload == payload + b"x"
