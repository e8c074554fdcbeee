"""What a store may be able to do beside the verbs."""

from __future__ import annotations

from typing import Any

from sessile.dual import AsyncCapable
from sessile.stores.base import Closable, Conflict, Indexed, Iterable, Missing, Replaced, Sweepable, can
from sessile.testing.clock import FrozenClock
from sessile.testing.conformance.calls import OTHER, SID, Caller, ask
from sessile.testing.conformance.oddities import HOSTILE_SIDS

__all__ = ["Abilities"]


class Abilities(Caller):
    """Listing, counting, clearing, pruning, closing, synchronous and async, of a store that can."""

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
        if not can(store, AsyncCapable):
            return
        other = store.asynchronous()
        await ask(store.create(SID, b"a", 60))
        assert (await ask(other.load(SID))).payload == b"a"
        assert await ask(other.delete(SID)) is True
        assert await ask(store.load(SID)) is None
        if can(other, Closable):
            # Its connections belong to this event loop; nobody else can close them.
            await ask(other.close())

    async def test_the_index_is_apart_from_the_sessions(self, store: Any) -> None:
        """The same id may be in both, and no verb of the one sees the other; pruning and clearing neither."""
        if not can(store, Indexed):
            return
        index = store.index()
        await ask(index.delete(SID))
        assert await ask(index.create(SID, b'{"of":"the index"}', 60)) is True
        assert await ask(store.load(SID)) is None
        assert await ask(store.create(SID, b'{"of":"the sessions"}', 60)) is True
        assert (await ask(index.load(SID))).payload == b'{"of":"the index"}'
        if can(store, Iterable):
            assert [payload for _, payload in await self.listed(store)] == [b'{"of":"the sessions"}']
            assert await ask(store.count()) == 1
            await ask(store.clear())
        assert await ask(store.delete(SID)) is not can(store, Iterable)
        assert (await ask(index.load(SID))).payload == b'{"of":"the index"}'

    async def test_the_index_keeps_the_contract(self, store: Any, clock: FrozenClock) -> None:
        """It is a store like any other: it compares, never creates but by ``create``, and its records end."""
        if not can(store, Indexed):
            return
        index = store.index()
        await ask(index.delete(SID))
        assert await ask(index.replace(SID, b"{}", 60, b"")) == Missing()
        assert await ask(index.touch(SID, 60)) is False
        assert await ask(index.create(SID, b'{"n":1}', 10)) is True
        assert await ask(index.create(SID, b'{"n":2}', 10)) is False
        assert await ask(index.replace(SID, b'{"n":3}', 10, b'{"n":2}')) == Conflict(b'{"n":1}')
        assert await ask(index.replace(SID, b'{"n":3}', 10, b'{"n":1}')) == Replaced()
        assert await ask(index.touch(SID, 20)) is True
        clock.advance(15)
        assert (await ask(index.load(SID))).payload == b'{"n":3}'
        clock.advance(5)
        assert await ask(index.load(SID)) is None
        assert await ask(store.index().create(SID, b'{"n":4}', 10)) is True
        assert await ask(index.delete(SID)) is True
