"""The contract of the five verbs."""

from __future__ import annotations

from typing import Any

import pytest

from sessile.stores.base import Conflict, Missing, Record, Replaced
from sessile.testing.clock import FrozenClock
from sessile.testing.conformance.calls import OTHER, SID, Caller, ask

__all__ = ["Verbs"]


class Verbs(Caller):
    """What load, create, replace, touch and delete do, one after the other."""

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
