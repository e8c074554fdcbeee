# A new store is tested by a subclass of this class and one fixture. The tests are the contract of stores/base.py, line
# by line; a store that passes can be trusted with sessions. Verbs may be plain or async: `ask` takes both.
"""The conformance kit: what any store must do."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from holdfast.dual import TwoColoured
from holdfast.errors import StoreUnavailable
from holdfast.stores.base import Closable, Conflict, Iterable, Missing, Record, Replaced, Sweepable
from holdfast.testing.clock import FrozenClock

__all__ = ["StoreConformance"]

SID = "DVqOYaEKEmQNw4zwSTSwLWLTkR2quQSm"
OTHER = "6gEAD2GmS0rYQvVsYMwZ0ZbDq0WJmXfT"

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


async def ask(answer: Any) -> Any:
    """Return what a verb answered, waiting for it if it has to be waited for."""
    return await answer if inspect.isawaitable(answer) else answer


async def _asked(call: Callable[[], Any]) -> Any:
    return await ask(call())


def can(store: Any, ability: type) -> bool:
    """Tell whether ``store`` has an optional ability; if not, the tests of it have nothing to prove."""
    return isinstance(store, ability)


class StoreConformance:
    """Subclass this, define the fixture ``store``, and pytest runs the whole contract against it.

    The fixture gets ``clock``, a FrozenClock that the store must use for the expiry of its records::

        class TestMyStore(StoreConformance):
            @pytest.fixture
            def store(self, clock):
                return MyStore(clock=clock)

    Needs pytest-asyncio in auto mode.
    """

    @pytest.fixture
    def clock(self) -> FrozenClock:
        """The clock that the store must go by."""
        return FrozenClock()

    @pytest.fixture
    def store(self, clock: FrozenClock) -> Any:
        """The store under test: override this."""
        raise NotImplementedError("a subclass defines the fixture `store`")

    @pytest.fixture
    def server(self) -> Any:
        """What stands between the store and its server: a Link (``holdfast.testing``). None: there is no server."""
        return None

    # load -------------------------------------------------------------------------------------------------------------

    async def test_load_of_what_is_absent_is_none(self, store: Any) -> None:
        """Absent is an answer, not an error."""
        assert await ask(store.load(SID)) is None

    async def test_load_returns_what_was_created(self, store: Any, clock: FrozenClock) -> None:
        """The payload unchanged, and the end by the store's clock."""
        await ask(store.create(SID, b'{"a":1}', 60))
        record = await ask(store.load(SID))
        assert isinstance(record, Record)
        assert record.payload == b'{"a":1}'
        assert record.expires_at == pytest.approx(clock.now + 60, abs=1.001)

    async def test_load_does_not_prolong(self, store: Any, clock: FrozenClock) -> None:
        """Reading is not touching."""
        await ask(store.create(SID, b"a", 60))
        clock.advance(59)
        assert await ask(store.load(SID)) is not None
        clock.advance(2)
        assert await ask(store.load(SID)) is None

    @pytest.mark.parametrize("ttl", [1, 60, 86_400 * 400])
    async def test_load_is_none_from_the_end_on(self, store: Any, clock: FrozenClock, ttl: int) -> None:
        """The end itself is over."""
        await ask(store.create(SID, b"a", ttl))
        clock.advance(ttl - 0.5)
        assert await ask(store.load(SID)) is not None
        clock.advance(0.5)
        assert await ask(store.load(SID)) is None

    # create -----------------------------------------------------------------------------------------------------------

    async def test_create_says_that_it_did(self, store: Any) -> None:
        """True, and exactly True."""
        assert await ask(store.create(SID, b"a", 60)) is True

    async def test_create_refuses_what_is_there(self, store: Any, clock: FrozenClock) -> None:
        """False, and neither payload nor end have moved."""
        await ask(store.create(SID, b"a", 60))
        assert await ask(store.create(SID, b"b", 6000)) is False
        assert (await ask(store.load(SID))).payload == b"a"
        clock.advance(61)
        assert await ask(store.load(SID)) is None

    async def test_create_takes_the_place_of_what_has_expired(self, store: Any, clock: FrozenClock) -> None:
        """Expired counts as absent, removed or not."""
        await ask(store.create(SID, b"a", 60))
        clock.advance(60)
        assert await ask(store.create(SID, b"b", 60)) is True
        assert (await ask(store.load(SID))).payload == b"b"

    async def test_create_after_delete(self, store: Any) -> None:
        """A deleted id is free again."""
        await ask(store.create(SID, b"a", 60))
        await ask(store.delete(SID))
        assert await ask(store.create(SID, b"b", 60)) is True

    async def test_create_keeps_sessions_apart(self, store: Any) -> None:
        """One record an id."""
        await ask(store.create(SID, b"a", 60))
        await ask(store.create(OTHER, b"b", 60))
        assert (await ask(store.load(SID))).payload == b"a"
        assert (await ask(store.load(OTHER))).payload == b"b"

    async def test_ids_differ_by_case(self, store: Any) -> None:
        """An id in other letters is another id."""
        await ask(store.create("abc", b"a", 60))
        assert await ask(store.load("ABC")) is None
        assert await ask(store.create("ABC", b"b", 60)) is True
        assert (await ask(store.load("abc"))).payload == b"a"

    @pytest.mark.parametrize("ttl", [0, -1, -0.5, -1e9])
    async def test_create_without_a_life_leaves_nothing(self, store: Any, ttl: float) -> None:
        """A life of nothing is over at once."""
        await ask(store.create(SID, b"a", ttl))
        assert await ask(store.load(SID)) is None
        assert await ask(store.create(SID, b"b", 60)) is True

    async def test_a_fraction_of_a_second_is_a_life(self, store: Any, clock: FrozenClock) -> None:
        """It may be rounded up, never down to nothing."""
        await ask(store.create(SID, b"a", 0.5))
        clock.advance(0.25)
        assert await ask(store.load(SID)) is not None
        clock.advance(1)
        assert await ask(store.load(SID)) is None

    async def test_a_very_long_life(self, store: Any, clock: FrozenClock) -> None:
        """A hundred years do not overflow into the past."""
        await ask(store.create(SID, b"a", 86_400 * 36_500))
        clock.advance(86_400 * 365)
        assert await ask(store.load(SID)) is not None

    async def test_a_life_of_ten_thousand_years(self, store: Any, clock: FrozenClock) -> None:
        """Nor does a life that no calendar holds, by any verb that gives one."""
        ttl = 86_400 * 365.25 * 10_000
        assert await ask(store.create(SID, b"a", ttl)) is True
        assert await ask(store.touch(SID, ttl)) is True
        assert await ask(store.replace(SID, b"b", ttl, b"a")) == Replaced()
        clock.advance(86_400 * 365)
        assert (await ask(store.load(SID))).payload == b"b"

    async def test_sessions_end_one_after_the_other(self, store: Any, clock: FrozenClock) -> None:
        """Each life counts from the moment of its own beginning."""
        await ask(store.create(SID, b"a", 60))
        clock.advance(30)
        await ask(store.create(OTHER, b"b", 60))
        clock.advance(30)
        assert await ask(store.load(SID)) is None
        assert (await ask(store.load(OTHER))).payload == b"b"

    async def test_create_soon_after_an_end(self, store: Any, clock: FrozenClock) -> None:
        """What ended within this second has ended, though the store has looked through it just before."""
        clock.advance(0.5)
        await ask(store.create(SID, b"a", 0.2))
        end = (await ask(store.load(SID))).expires_at
        clock.advance(0.1)
        await ask(store.create(OTHER, b"b", 60))
        clock.now = end + 0.001
        assert await ask(store.load(SID)) is None
        assert await ask(store.create(SID, b"c", 60)) is True
        assert (await ask(store.load(SID))).payload == b"c"

    # replace ----------------------------------------------------------------------------------------------------------

    async def test_replace_of_what_is_expected(self, store: Any, clock: FrozenClock) -> None:
        """Replaced; the new payload lives for the new ttl."""
        await ask(store.create(SID, b"a", 60))
        clock.advance(30)
        assert await ask(store.replace(SID, b"b", 60, b"a")) == Replaced()
        clock.advance(59)
        assert (await ask(store.load(SID))).payload == b"b"
        clock.advance(1)
        assert await ask(store.load(SID)) is None

    async def test_replace_of_something_else_is_a_conflict(self, store: Any) -> None:
        """It names what is there, and nothing has changed."""
        await ask(store.create(SID, b"theirs", 60))
        assert await ask(store.replace(SID, b"mine", 60, b"base")) == Conflict(b"theirs")
        assert (await ask(store.load(SID))).payload == b"theirs"

    async def test_a_conflict_moves_no_end(self, store: Any, clock: FrozenClock) -> None:
        """A write that did not happen prolongs nothing."""
        await ask(store.create(SID, b"theirs", 60))
        await ask(store.replace(SID, b"mine", 6000, b"base"))
        clock.advance(61)
        assert await ask(store.load(SID)) is None

    async def test_replace_never_creates(self, store: Any) -> None:
        """Missing: so nobody brings back what is gone."""
        assert await ask(store.replace(SID, b"b", 60, b"")) == Missing()
        assert await ask(store.load(SID)) is None

    async def test_replace_of_what_was_deleted_is_missing(self, store: Any) -> None:
        """A log-out is never undone by a request in flight."""
        await ask(store.create(SID, b"a", 60))
        await ask(store.delete(SID))
        assert await ask(store.replace(SID, b"b", 60, b"a")) == Missing()
        assert await ask(store.load(SID)) is None

    async def test_replace_of_what_has_expired_is_missing(self, store: Any, clock: FrozenClock) -> None:
        """Nor is an end."""
        await ask(store.create(SID, b"a", 60))
        clock.advance(60)
        assert await ask(store.replace(SID, b"b", 60, b"a")) == Missing()
        assert await ask(store.load(SID)) is None

    @pytest.mark.parametrize("expected", [b'{"a": 1}', b'{"a":1} ', b'{"A":1}', b"", b'{"a":1}\x00'])
    async def test_replace_compares_byte_for_byte(self, store: Any, expected: bytes) -> None:
        """Equal as JSON is not equal, nor is equal but for case, blanks or a NUL."""
        await ask(store.create(SID, b'{"a":1}', 60))
        assert await ask(store.replace(SID, b"b", 60, expected)) == Conflict(b'{"a":1}')

    async def test_replace_with_the_same_bytes(self, store: Any, clock: FrozenClock) -> None:
        """It counts as replaced, and moves the end (MySQL's affected rows are the trap here)."""
        await ask(store.create(SID, b"a", 60))
        clock.advance(30)
        assert await ask(store.replace(SID, b"a", 60, b"a")) == Replaced()
        clock.advance(45)
        assert await ask(store.load(SID)) is not None

    async def test_replace_twice_in_the_same_instant(self, store: Any) -> None:
        """The second finds what the first has written."""
        await ask(store.create(SID, b"a", 60))
        assert await ask(store.replace(SID, b"b", 60, b"a")) == Replaced()
        assert await ask(store.replace(SID, b"c", 60, b"a")) == Conflict(b"b")
        assert await ask(store.replace(SID, b"c", 60, b"b")) == Replaced()

    @pytest.mark.parametrize("ttl", [0, -1])
    async def test_replace_without_a_life_leaves_nothing(self, store: Any, ttl: float) -> None:
        """Whatever it answers, load finds nothing."""
        await ask(store.create(SID, b"a", 60))
        await ask(store.replace(SID, b"b", ttl, b"a"))
        assert await ask(store.load(SID)) is None

    async def test_replace_leaves_others_alone(self, store: Any) -> None:
        """One id, one record."""
        await ask(store.create(SID, b"a", 60))
        await ask(store.create(OTHER, b"a", 60))
        await ask(store.replace(SID, b"b", 60, b"a"))
        assert (await ask(store.load(OTHER))).payload == b"a"

    async def test_replace_ends_the_life_that_was(self, store: Any, clock: FrozenClock) -> None:
        """The new ttl may be the shorter one."""
        await ask(store.create(SID, b"a", 6000))
        await ask(store.replace(SID, b"b", 10, b"a"))
        clock.advance(10)
        assert await ask(store.load(SID)) is None

    async def test_replace_goes_on_from_a_conflict(self, store: Any) -> None:
        """What a Conflict names is what the next attempt has to expect."""
        await ask(store.create(SID, b"theirs", 60))
        conflict = await ask(store.replace(SID, b"mine", 60, b"base"))
        assert await ask(store.replace(SID, b"both", 60, conflict.current)) == Replaced()
        assert (await ask(store.load(SID))).payload == b"both"

    # touch ------------------------------------------------------------------------------------------------------------

    async def test_touch_moves_the_end(self, store: Any, clock: FrozenClock) -> None:
        """The life counts anew from now."""
        await ask(store.create(SID, b"a", 60))
        clock.advance(30)
        assert await ask(store.touch(SID, 60)) is True
        clock.advance(59)
        assert await ask(store.load(SID)) is not None
        clock.advance(1)
        assert await ask(store.load(SID)) is None

    async def test_touch_may_shorten_a_life(self, store: Any, clock: FrozenClock) -> None:
        """The ttl is what it says, not a minimum."""
        await ask(store.create(SID, b"a", 6000))
        assert await ask(store.touch(SID, 10)) is True
        clock.advance(10)
        assert await ask(store.load(SID)) is None

    async def test_touch_never_changes_the_payload(self, store: Any) -> None:
        """So a reader in flight reverts nothing."""
        await ask(store.create(SID, b'{"a": 1.0}', 60))
        await ask(store.touch(SID, 60))
        assert (await ask(store.load(SID))).payload == b'{"a": 1.0}'
        assert await ask(store.replace(SID, b"b", 60, b'{"a": 1.0}')) == Replaced()

    async def test_touch_never_creates(self, store: Any) -> None:
        """False, and there is still nothing."""
        assert await ask(store.touch(SID, 60)) is False
        assert await ask(store.load(SID)) is None

    async def test_touch_of_what_was_deleted_is_false(self, store: Any) -> None:
        """A log-out is not undone by a reader either."""
        await ask(store.create(SID, b"a", 60))
        await ask(store.delete(SID))
        assert await ask(store.touch(SID, 60)) is False
        assert await ask(store.load(SID)) is None

    async def test_touch_of_what_has_expired_is_false(self, store: Any, clock: FrozenClock) -> None:
        """What is over stays over."""
        await ask(store.create(SID, b"a", 60))
        clock.advance(60)
        assert await ask(store.touch(SID, 60)) is False
        assert await ask(store.load(SID)) is None

    async def test_touch_without_a_life_ends_it(self, store: Any) -> None:
        """A ttl of nothing is over at once."""
        await ask(store.create(SID, b"a", 60))
        await ask(store.touch(SID, 0))
        assert await ask(store.load(SID)) is None

    async def test_touch_again_and_again(self, store: Any, clock: FrozenClock) -> None:
        """A session that is in use does not end."""
        await ask(store.create(SID, b"a", 60))
        for _ in range(50):
            clock.advance(45)
            assert await ask(store.touch(SID, 60)) is True
        assert (await ask(store.load(SID))).payload == b"a"

    async def test_touch_leaves_others_alone(self, store: Any, clock: FrozenClock) -> None:
        """One id, one record."""
        await ask(store.create(SID, b"a", 60))
        await ask(store.create(OTHER, b"b", 60))
        await ask(store.touch(SID, 600))
        clock.advance(60)
        assert await ask(store.load(SID)) is not None
        assert await ask(store.load(OTHER)) is None

    # delete -----------------------------------------------------------------------------------------------------------

    async def test_delete_removes(self, store: Any) -> None:
        """True, and it is gone."""
        await ask(store.create(SID, b"a", 60))
        assert await ask(store.delete(SID)) is True
        assert await ask(store.load(SID)) is None

    async def test_delete_is_idempotent(self, store: Any) -> None:
        """The second time there is nothing to remove, and no error."""
        await ask(store.create(SID, b"a", 60))
        await ask(store.delete(SID))
        assert await ask(store.delete(SID)) is False

    async def test_delete_of_what_was_never_there(self, store: Any) -> None:
        """False."""
        assert await ask(store.delete(SID)) is False

    async def test_delete_of_what_has_expired(self, store: Any, clock: FrozenClock) -> None:
        """False: there was no session to end."""
        await ask(store.create(SID, b"a", 60))
        clock.advance(60)
        assert await ask(store.delete(SID)) is False
        assert await ask(store.load(SID)) is None

    async def test_delete_leaves_others_alone(self, store: Any) -> None:
        """One id, one record."""
        await ask(store.create(SID, b"a", 60))
        await ask(store.create(OTHER, b"b", 60))
        await ask(store.delete(SID))
        assert (await ask(store.load(OTHER))).payload == b"b"

    # Odd ids and odd payloads -----------------------------------------------------------------------------------------

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

    # Races ------------------------------------------------------------------------------------------------------------

    async def test_of_many_creators_one_wins(self, store: Any) -> None:
        """Exactly one is told True, and its payload is what is stored."""
        answers = await self.at_once(store, [partial(store.create, SID, b"%d" % n, 60) for n in range(8)])
        assert answers.count(True) == 1
        assert (await ask(store.load(SID))).payload == b"%d" % answers.index(True)

    async def test_of_many_replacers_one_wins(self, store: Any) -> None:
        """The others learn what is there now."""
        await ask(store.create(SID, b"base", 60))
        answers = await self.at_once(store, [partial(store.replace, SID, b"%d" % n, 60, b"base") for n in range(8)])
        winner = b"%d" % answers.index(Replaced())
        assert answers.count(Replaced()) == 1
        assert answers.count(Conflict(winner)) == 7

    async def test_of_many_deleters_one_ends_the_session(self, store: Any) -> None:
        """So a log-out is reported once."""
        await ask(store.create(SID, b"a", 60))
        answers = await self.at_once(store, [lambda: store.delete(SID) for _ in range(8)])
        assert answers.count(True) == 1

    async def test_no_increment_is_lost(self, store: Any) -> None:
        """Eight clients count to 25 each by comparing and replacing."""
        await ask(store.create(SID, b'{"n":0}', 60))

        async def count() -> None:
            for _ in range(25):
                current = (await ask(store.load(SID))).payload
                while True:
                    mine = json.dumps({"n": json.loads(current)["n"] + 1}).encode()
                    answer = await ask(store.replace(SID, mine, 60, current))
                    if answer == Replaced():
                        break
                    current = answer.current

        if await self.waits(store):
            await asyncio.gather(*(count() for _ in range(8)))
        else:
            self.in_threads([count] * 8)
        assert json.loads((await ask(store.load(SID))).payload) == {"n": 200}

    async def test_touching_among_writers_reverts_nothing(self, store: Any) -> None:
        """A touch at the moment of a change does not put the old payload back."""
        await ask(store.create(SID, b"0", 60))
        for number in range(10):
            answers = await self.at_once(
                store,
                [
                    lambda: store.touch(SID, 60),
                    partial(store.replace, SID, b"%d" % (number + 1), 60, b"%d" % number),
                    lambda: store.touch(SID, 600),
                ],
            )
            assert answers == [True, Replaced(), True]
        assert (await ask(store.load(SID))).payload == b"10"

    async def test_deleting_among_writers_is_final(self, store: Any) -> None:
        """Whatever the order, the record is gone in the end."""
        for _ in range(10):
            await ask(store.create(SID, b"base", 60))
            await self.at_once(
                store,
                [
                    lambda: store.replace(SID, b"mine", 60, b"base"),
                    lambda: store.touch(SID, 60),
                    lambda: store.delete(SID),
                    lambda: store.touch(SID, 60),
                    lambda: store.replace(SID, b"base", 60, b"mine"),
                ],
            )
            assert await ask(store.load(SID)) is None

    async def waits(self, store: Any) -> bool:
        """Tell whether the store is asynchronous, and so bound to this event loop."""
        answer = store.load("probe")
        if inspect.isawaitable(answer):
            await answer
            return True
        return False

    async def at_once(self, store: Any, calls: list[Callable[[], Any]]) -> list[Any]:
        """Run ``calls`` at the same time: as tasks where the store is async, in threads where it is not."""
        if await self.waits(store):
            return list(await asyncio.gather(*(ask(call()) for call in calls)))
        return self.in_threads(calls)

    @staticmethod
    def in_threads(calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """Run ``calls`` in threads that start together, each with an event loop in case it is asked to wait."""
        start = threading.Barrier(len(calls))
        answers: list[Any] = [None] * len(calls)
        errors: list[BaseException] = []

        def run(position: int, call: Callable[[], Any]) -> None:
            try:
                start.wait(30)
                answers[position] = asyncio.run(_asked(call))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return answers

    # Abilities --------------------------------------------------------------------------------------------------------

    async def test_all_yields_what_is_live(self, store: Any, clock: FrozenClock) -> None:
        """Each record once, expired ones left out."""
        if not can(store, Iterable):
            return
        await ask(store.create("ended", b"e", 10))
        for number in range(1203):
            await ask(store.create(f"sid{number}", b"%d" % number, 60))
        clock.advance(10)
        found = await self.listed(store)
        assert sorted(found) == sorted((f"sid{number}", b"%d" % number) for number in range(1203))

    async def test_count_counts_what_is_live(self, store: Any, clock: FrozenClock) -> None:
        """Expired records do not count, removed or not."""
        if not can(store, Iterable):
            return
        assert await ask(store.count()) == 0
        await ask(store.create(SID, b"a", 10))
        await ask(store.create(OTHER, b"b", 60))
        assert await ask(store.count()) == 2
        clock.advance(10)
        assert await ask(store.count()) == 1

    async def test_clear_removes_all(self, store: Any) -> None:
        """And the store goes on working."""
        if not can(store, Iterable):
            return
        await ask(store.create(SID, b"a", 60))
        await ask(store.create(OTHER, b"b", 60))
        await ask(store.clear())
        assert await self.listed(store) == []
        assert await ask(store.create(SID, b"c", 60)) is True

    async def test_prune_removes_what_has_expired(self, store: Any, clock: FrozenClock) -> None:
        """All of it, nothing else, and it says how many."""
        if not can(store, Sweepable):
            return
        for number in range(1203):
            await ask(store.create(f"sid{number}", b"x", 10))
        await ask(store.create(SID, b"a", 60))
        assert await ask(store.prune()) == 0
        clock.advance(10)
        assert await ask(store.prune()) == 1203
        assert await ask(store.prune()) == 0
        assert (await ask(store.load(SID))).payload == b"a"

    async def test_prune_respects_a_touch(self, store: Any, clock: FrozenClock) -> None:
        """What was prolonged is not removed at its first end."""
        if not can(store, Sweepable):
            return
        await ask(store.create(SID, b"a", 10))
        await ask(store.touch(SID, 60))
        clock.advance(30)
        await ask(store.prune())
        assert await ask(store.load(SID)) is not None

    async def test_prune_respects_a_shorter_life(self, store: Any, clock: FrozenClock) -> None:
        """What was shortened is removed at its new end."""
        if not can(store, Sweepable):
            return
        await ask(store.create(SID, b"a", 600))
        await ask(store.create(OTHER, b"b", 600))
        await ask(store.touch(SID, 10))
        await ask(store.replace(OTHER, b"c", 10, b"b"))
        clock.advance(11)
        assert await ask(store.prune()) == 2

    async def test_count_follows_the_verbs(self, store: Any) -> None:
        """Only create adds, only delete takes away."""
        if not can(store, Iterable):
            return
        await ask(store.create(SID, b"a", 60))
        await ask(store.create(SID, b"b", 60))
        await ask(store.replace(SID, b"c", 60, b"a"))
        await ask(store.replace(OTHER, b"c", 60, b""))
        await ask(store.touch(OTHER, 60))
        assert await ask(store.count()) == 1
        await ask(store.delete(SID))
        await ask(store.delete(SID))
        assert await ask(store.count()) == 0

    async def test_all_yields_ids_as_they_went_in(self, store: Any) -> None:
        """So that a record can be removed by the id that was listed."""
        if not can(store, Iterable):
            return
        for sid in HOSTILE_SIDS.values():
            await ask(store.create(sid, b"a", 60))
        assert {sid for sid, _ in await self.listed(store)} == set(HOSTILE_SIDS.values())

    async def test_what_is_listed_may_be_removed_meanwhile(self, store: Any) -> None:
        """A loop over ``all`` may delete what it gets, and it gets everything."""
        if not can(store, Iterable):
            return
        for number in range(20):
            await ask(store.create(f"sid{number}", b"a", 60))
        seen = set()
        records = store.all()
        if hasattr(records, "__aiter__"):
            async for sid, _ in records:
                seen.add(sid)
                await ask(store.delete(sid))
        else:
            for sid, _ in records:
                seen.add(sid)
                await ask(store.delete(sid))
        assert len(seen) == 20
        assert await ask(store.count()) == 0

    async def test_a_closed_store_opens_again(self, store: Any) -> None:
        """Closing lets go of connections, not of sessions."""
        if not can(store, Closable):
            return
        await ask(store.create(SID, b"a", 60))
        await ask(store.close())
        assert (await ask(store.load(SID))).payload == b"a"
        await ask(store.close())
        await ask(store.close())

    async def test_both_colours_are_one_store(self, store: Any) -> None:
        """What ``asynchronous`` returns keeps the same records."""
        if not can(store, TwoColoured):
            return
        other = store.asynchronous()
        await ask(store.create(SID, b"a", 60))
        assert (await ask(other.load(SID))).payload == b"a"
        assert await ask(other.delete(SID)) is True
        assert await ask(store.load(SID)) is None
        if can(other, Closable):
            # Its connections belong to this event loop; nobody else can close them.
            await ask(other.close())

    # Faults -----------------------------------------------------------------------------------------------------------

    #: How long a call may take, in seconds, while the server is silent: the deadline of the store under test.
    deadline = 2.0

    @pytest.mark.parametrize("verb", ["load", "create", "replace", "touch", "delete"])
    async def test_a_silent_server_costs_the_deadline_and_no_more(self, store: Any, server: Any, verb: str) -> None:
        """An outage by the deadline, whatever the driver does; and the first call after it is answered."""
        if server is None:
            return
        await ask(store.create(SID, b"a", 60))
        server.silence()
        await self.refused(store, verb)
        server.resume()
        assert await ask(store.load(OTHER)) is None

    async def test_a_silent_server_costs_one_of_many(self, store: Any, server: Any) -> None:
        """Calls at once do not wait one behind the other."""
        if server is None:
            return
        await ask(store.create(SID, b"a", 60))
        waits = await self.waits(store)
        calls = [partial(self.error_of, store, "load")] * 8
        server.silence()
        began = time.monotonic()
        errors = await asyncio.gather(*(call() for call in calls)) if waits else self.in_threads(calls)
        assert time.monotonic() - began < self.deadline + 3
        assert {type(error) for error in errors} == {StoreUnavailable}
        server.resume()
        assert (await ask(store.load(SID))).payload == b"a"

    @pytest.mark.parametrize("verb", ["load", "create", "replace", "touch", "delete"])
    async def test_a_server_that_is_gone_is_an_outage(self, store: Any, server: Any, verb: str) -> None:
        """And its return is noticed by the first call."""
        if server is None:
            return
        await ask(store.create(SID, b"a", 60))
        server.refuse()
        for _ in range(4):
            await self.refused(store, verb)
        server.resume()
        assert (await ask(store.load(SID))).payload == b"a"

    async def test_connections_that_broke_are_replaced(self, store: Any, server: Any) -> None:
        """A server that was restarted costs no request: what may be asked twice is asked again."""
        if server is None:
            return
        await ask(store.create(SID, b"a", 60))
        for verb in (partial(store.load, SID), partial(store.touch, SID, 60)):
            server.cut()
            assert await ask(verb())

    async def test_replies_that_come_late_are_nobody_elses(self, store: Any, server: Any) -> None:
        """What was asked before an outage does not answer what is asked after it."""
        if server is None:
            return
        await ask(store.create(SID, b"mine", 60))
        await ask(store.create(OTHER, b"another's", 60))
        server.silence()
        await self.refused(store, "load")
        server.resume()
        for _ in range(10):
            assert (await ask(store.load(OTHER))).payload == b"another's"

    async def test_a_request_that_is_cancelled_leaves_nothing_behind(self, store: Any, server: Any) -> None:
        """Wherever it is cut off, the next one reads its own record."""
        if server is None or not await self.waits(store):
            return
        await ask(store.create(SID, b"mine", 60))
        await ask(store.create(OTHER, b"another's", 60))
        for pauses in range(40):
            task = asyncio.ensure_future(_asked(partial(store.load, SID)))
            for _ in range(pauses):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert (await ask(store.load(OTHER))).payload == b"another's"

    async def refused(self, store: Any, verb: str) -> None:
        """Make sure that ``verb`` is an outage, in time."""
        began = time.monotonic()
        assert isinstance(await self.error_of(store, verb), StoreUnavailable)
        assert time.monotonic() - began < self.deadline + 1.5

    async def error_of(self, store: Any, verb: str) -> Exception | None:
        """Return what ``verb`` raises."""
        arguments = {"load": (), "create": (b"b", 60), "replace": (b"b", 60, b"a"), "touch": (60,), "delete": ()}[verb]
        try:
            await ask(getattr(store, verb)(SID, *arguments))
        except Exception as error:
            return error
        return None

    async def test_its_repr_tells_nothing_of_a_session(self, store: Any) -> None:
        """Neither ids nor payloads get into a log by way of what a store is or answers."""
        await ask(store.create("secret-id", b"secret-payload", 60))
        answers = [await ask(store.load("secret-id")), await ask(store.replace("secret-id", b"b", 60, b"a"))]
        assert "secret" not in repr([store, *answers])

    async def listed(self, store: Any) -> list[tuple[str, bytes]]:
        """Return what ``all`` yields, sync or async."""
        records = store.all()
        if hasattr(records, "__aiter__"):
            return [(sid, record.payload) async for sid, record in records]
        return [(sid, record.payload) for sid, record in records]
