"""Many callers at the same moment."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

from sessile.stores.base import Conflict, Replaced
from sessile.testing.conformance.calls import SID, Caller, ask

__all__ = ["Races"]


class Races(Caller):
    """Verbs that meet."""

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
