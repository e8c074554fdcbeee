# A server may be restarted while a million sessions are on their way. So each call is tried again for a while, and only
# then the migration stops; it can be begun again, for the journal knows how far it came. All calls may be made twice:
# what `create` or `replace` has done before its answer got lost is found there, and recognised.
"""The two stores of a migration, each with patience."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn, TypeVar, cast

from sessile._engine.manager import Sessions
from sessile._engine.store_calls import StoreCalls
from sessile.dual import AnyStore, AsyncCapable
from sessile.errors import SessionError, StoreUnavailable
from sessile.migration.errors import MigrationError
from sessile.stores.base import Carried, Closable, Iterable, Missing, Record, Replaced, can

T = TypeVar("T")

__all__ = ["DrySide", "Side", "Through"]

#: The pauses between tries, in seconds: doubled each time up to the last.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0


class Side:
    """One of the two stores, under asyncio. ``given`` is a store, or the ``Sessions`` of a site.

    ``patience`` is for how long, in seconds, a call is tried again; ``waiting`` is told the name of this side when that
    begins, and "" when it answers again.
    """

    def __init__(self, name: str, given: Any, patience: float, waiting: Callable[[str], None]) -> None:
        self._name = name
        self._patience = patience
        self._waiting = waiting
        self._failing = 0
        #: The secrets of the site, where it is known.
        self.secrets = given.options.secrets() if isinstance(given, Sessions) else []
        self.hashed = isinstance(given, Sessions) and given.options.hash_ids
        #: Whether it is known how the site names its sessions, and writes them.
        self.known = isinstance(given, Sessions)
        #: What seals system fields, where it is known whose they are to be.
        self.fields = given.engine.setup.fields if isinstance(given, Sessions) else None
        self.indexes = given.options.index_users if isinstance(given, Sessions) else True
        store: AnyStore = given.store if isinstance(given, Sessions) else given
        if can(store, Carried):
            raise MigrationError(f"the {name} keeps nothing: its sessions travel in the cookies of the visitors")
        self.store: AnyStore = store.asynchronous() if can(store, AsyncCapable) else store

    async def ask(self, verb: Callable[..., Any], *arguments: object) -> object:
        """Return the answer of ``verb``, a verb of the store. Raises MigrationError when patience is at its end."""
        outage = _Outage(self._name, self._patience, self._fails)
        while True:
            try:
                given = verb(*arguments)
                answer: object = (await given) if hasattr(given, "__await__") else given
            except Exception as error:
                await outage.wait(error)
                continue
            outage.end()
            return answer

    async def batches(
        self, size: int, begin: Callable[[], None] = lambda: None
    ) -> AsyncIterator[list[tuple[str, Record]]]:
        """Yield all records, up to ``size`` at a time. After an outage it begins again, calling ``begin`` each time."""
        outage = _Outage(self._name, self._patience, self._fails)
        while True:
            begin()
            batch: list[tuple[str, Record]] = []
            try:
                records = self.store.all()
                records = records if hasattr(records, "__aiter__") else _later(records)
                async for item in records:
                    outage.end()
                    batch.append(item)
                    if len(batch) >= size:
                        yield batch
                        batch = []
                outage.end()
                if batch:
                    yield batch
                return
            except MigrationError:
                raise
            except Exception as error:
                await outage.wait(error)

    def _fails(self, change: int) -> None:
        before, self._failing = self._failing, self._failing + change
        if bool(before) != bool(self._failing):
            self._waiting(self._name if self._failing else "")

    async def count(self) -> int | None:
        """Return how many sessions there are, or None if it cannot tell."""
        return cast("int", await self.ask(self.store.count)) if can(self.store, Iterable) else None

    async def close(self) -> None:
        """Let go of its connections."""
        if can(self.store, Closable):
            answer = self.store.close()
            if hasattr(answer, "__await__"):
                await answer


class _Outage:
    """What one call, or listing, has to wait for: none as long as all is well."""

    def __init__(self, name: str, patience: float, fails: Callable[[int], None]) -> None:
        self._name, self._patience, self._fails = name, patience, fails
        self._begun, self._pause = 0.0, FIRST_PAUSE

    async def wait(self, error: Exception) -> None:
        """Wait before the next try, or raise if ``error`` is none that passes, or it is too late."""
        if not self._begun:
            self._begun = time.monotonic()
            self._fails(1)
        if isinstance(error, SessionError) and not isinstance(error, StoreUnavailable):
            self._fails(-1)
            raise error
        if time.monotonic() - self._begun >= self._patience:
            raise MigrationError(
                f"the {self._name} has not answered for {self._patience:g} seconds ({_told(error)}). What was moved is "
                "moved: start the same command again when it is back"
            ) from error
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def end(self) -> None:
        """Note that there is an answer."""
        if self._begun:
            self._begun, self._pause = 0.0, FIRST_PAUSE
            self._fails(-1)


class DrySide:
    """What a target answers, if nothing is to be written to it."""

    def __init__(self, store: Any) -> None:
        self._store = store

    async def load(self, sid: str) -> Record | None:
        answer = self._store.load(sid)
        record: Record | None = (await answer) if hasattr(answer, "__await__") else answer
        return record

    async def create(self, sid: str, payload: bytes, ttl: float) -> bool:
        return await self.load(sid) is None

    async def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Replaced | Missing:
        return Missing() if await self.load(sid) is None else Replaced()

    async def touch(self, sid: str, ttl: float) -> bool:
        return await self.load(sid) is not None

    async def delete(self, sid: str) -> bool:
        return await self.load(sid) is not None


async def _later(records: Any) -> AsyncIterator[tuple[str, Record]]:
    for item in records:
        yield item


def _told(error: Exception) -> str:
    """Say what went wrong, without what a driver may tell of its URL."""
    return str(error) if isinstance(error, SessionError) else type(error).__name__


class Through(StoreCalls):
    """Lets the errors of a store through, because a side of the migration handles them and reports them once."""

    __slots__ = ()

    def __init__(self) -> None:
        pass

    def fail(self, error: Exception, verb: Callable[..., Any] | None = None) -> NoReturn:
        raise error
