# A pass goes through the source once. For each session it finds, the journal says what was put into the target before:
#
#   never            `create`. If it is there: equal is well, and what differs is the target's own, and stays.
#   as it is now     Nothing; the target is not even asked.
#   something else   `replace`, if the target still has what was put there, in one step. If not, somebody has used the
#                    session there, and that is worth more. If it has nothing, it was ended there, and stays so.
#   and it is gone   It was ended in the source. So it is ended in the target, if nobody has changed or used it there.
#
# So nothing that happens in the target is ever undone, but for two moments in which nobody can tell: a session whose
# copy was about to be made when this process was killed, and one whose copy has expired although the source kept the
# session alive. If such a session was ended in the target before the next pass, that one brings it back. Hence the
# advice to stop the site for the last pass, or to make it at once.
#
# The index of users is not copied: each session says itself whose it is, and is entered in the target's index before it
# is written there, as everywhere.
"""Go through one store, and bring another up to date with it."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, TypeVar, cast

from sessile._engine.coded import StoredId
from sessile._engine.index import LIVES, Index, KeyedIndex, Page, index_keys, keys_of
from sessile._engine.index import Entry as Entered
from sessile._engine.manager import Sessions
from sessile._records.record import decode, encode
from sessile._records.tombstone import TOMBSTONE
from sessile.dual import run_async
from sessile.errors import SessionError
from sessile.migration.errors import MigrationError
from sessile.migration.item import TOLERANCE, Item, content, digest_of, is_same_end, is_unchanged, item_of
from sessile.migration.journal import Entry, Journal, State
from sessile.migration.report import Progress, Report, Teller
from sessile.migration.sides import DrySide, Side, Through
from sessile.stores.base import Conflict, Indexed, Iterable, Record, Replaced, Store, can

__all__ = ["migrate"]

T = TypeVar("T")

#: How many sessions are on their way at once.
BATCH = 64

#: More than these must have been ended in the source, and than half of all, before that is found odd.
MANY = 100

#: How long the target remembers that sessions were copied to it, in seconds.
MARKED = 365 * 86_400.0

_HASHED = re.compile("[A-Za-z0-9_-]{43}")


async def migrate(
    source: Store | Sessions,
    target: Store | Sessions,
    journal: str | os.PathLike[str],
    *,
    between: str = "",
    rename: Callable[[str], str] = str,
    index: bool = True,
    verify: bool = True,
    dry_run: bool = False,
    expect_ended: bool = False,
    patience: float = 60.0,
    clock: Callable[[], float] = time.time,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Report:
    """Bring ``target`` up to date with ``source``, and return what came of it. Both may be in use meanwhile.

    Both are stores, or the ``Sessions`` of a site: those know what ``codec`` and ``hash_ids`` do to a record.
    ``journal`` is the file that makes this repeatable: the next call with it moves only what is new or has changed,
    ends what was ended in the source, and leaves alone what was used in the target. ``between`` names the two stores.

    ``rename`` gives the id under which a session of the source is kept in the target. ``index=False`` enters nothing in
    the target's index of users; ``verify=False`` does not compare at the end; ``dry_run`` writes nothing.
    ``expect_ended`` tells that it is right if most sessions have been ended in the source. ``patience`` is for how many
    seconds a call to a server that does not answer is tried again. ``watch`` is told how far it has come.

    Raises MigrationError if it cannot be done, or a store stays away for too long. Whatever ends it, it can be
    called again, and goes on.
    """
    begun = time.monotonic()
    report, teller = Report(), Teller(watch)
    sides = Side("source", source, patience, teller.wait), Side("target", target, patience, teller.wait)
    _check(*sides)
    memory = Journal(journal, between, dry=dry_run)
    try:
        one = _Pass(*sides, memory, report, teller, rename, index, dry_run, expect_ended, clock)
        await one.remember()
        await one.copy()
        await one.remove()
        if verify and not dry_run:
            await one.verify()
        if not dry_run:
            memory.complete()
    finally:
        memory.close()
        for side in sides:
            await side.close()
    report.seconds = time.monotonic() - begun
    return report


def _check(source: Side, target: Side) -> None:
    if not can(source.store, Iterable):
        raise MigrationError(
            f"{type(source.store).__name__} cannot list what it keeps, so nothing can be moved from there. Let the old "
            "sessions end by themselves"
        )
    if source.hashed and not target.hashed:
        raise MigrationError(
            "the source has hash_ids=True, and the target has not: nobody can tell the ids of sessions from their "
            "hashes. Give the target hash_ids=True as well"
        )


@dataclass
class _Pass:
    source: Side
    target: Side
    journal: Journal
    report: Report
    teller: Teller
    rename: Callable[[str], str]
    enters: bool
    dry: bool
    expect_ended: bool
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        store = self.target.store
        #: The index of the target, if it has one that may be used.
        enters = self.enters and self.target.indexes and can(store, Indexed)
        self._marks = KeyedIndex(store.index(), index_keys(self.target.secrets), self.clock) if enters else None
        self._index_store = None if self.dry else self._marks
        self._index = Index(Through(), self.clock, self._stored)
        self._store = DrySide(store) if self.dry else store

    def _name(self, sid: str) -> str:
        """Return the id of ``sid`` in the target."""
        return StoredId(sid) if self.source.hashed else self.rename(sid)

    def _stored(self, name: str) -> str:
        """Return ``name``, an id of the target, as it stands there."""
        return StoredId.of(name) if self.target.hashed else name

    def _key(self, sid: str) -> str:
        """Return ``sid``, an id of the source that the journal knows, as the source takes it."""
        return StoredId(sid) if self.source.hashed else sid

    async def _ask(self, verb: str, sid: str, *arguments: Any) -> Any:
        return await self.target.ask(getattr(self._store, verb), self._name(sid), *arguments)

    async def remember(self) -> None:
        """Make sure that the target is the one to which the journal's sessions were copied, and has not lost them."""
        if self._marks is None:
            return
        mark = self.journal.fact("mark") or f"migration:{token_hex(16)}"
        there = await self.target.ask(self._marks.load, mark)
        known, _ = self.journal.count(self.clock())
        if there is None and known and self.journal.fact("mark"):
            raise MigrationError(
                f"the target has forgotten what was copied, up to {known} sessions: it was emptied, or started anew, "
                "or is another one. If nobody has used it since, start with --fresh: then all are copied again"
            )
        if not self.dry:
            if there is None:
                await self.target.ask(self._marks.create, mark, b'{"sessions":{}}', MARKED)
            else:
                await self.target.ask(self._marks.touch, mark, MARKED)
            self.journal.note(mark=mark)

    async def _exchange(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> bool:
        """Put ``payload`` in the place of ``expected`` in the target, in one step. Return whether it is there."""
        answer = await self._ask("replace", sid, payload, ttl, expected)
        # In a second try, it finds what it has put there in the first one.
        return isinstance(answer, Replaced) or (isinstance(answer, Conflict) and answer.current == payload)

    # What the source has ----------------------------------------------------------------------------------------------

    async def copy(self) -> None:
        """Bring over what the source has."""
        self.teller.total = await self.source.count()
        async for batch in self.source.batches(BATCH):
            await self._bring([self._item(sid, record) for sid, record in dict(batch).items()])
            self.teller.tell("copy", self.report.found)

    def _item(self, sid: str, record: Record) -> Item:
        return item_of(sid, self._sealed(sid, record), self.journal)

    def _sealed(self, sid: str, record: Record) -> Record:
        """Return ``record``, of another library, with system fields that the target's site believes.

        Those of a source that keeps sessile's records bear their seal already, or are ignored.
        """
        if self.target.fields is None or self.rename is str:
            return record
        contents = decode(record.payload)
        if contents is None or not contents.system:
            return record
        contents.system = self.target.fields.sealed(contents.system, self._name(sid))
        return Record(encode(contents), record.expires_at)

    async def _bring(self, items: list[Item]) -> None:
        items = [item for item in items if item.entry is None or item.entry.seen < self.journal.number]
        self.report.found += len(items)
        due = [item for item in items if not self._is_settled(item)]
        due = await _together(self._certain(item) for item in due)
        number, waiting = self.journal.number, {item.sid for item in due}
        settled = [item for item in items if item.sid not in waiting]
        self.journal.put((item.sid, item.entry._replace(seen=number)) for item in settled if item.entry is not None)
        self.journal.put((item.sid, self._intent(item)) for item in due)
        await self._enter(due)
        outcomes = await _together(self._move(item) for item in due)
        self.journal.put((item.sid, entry) for item, entry in zip(due, outcomes, strict=True) if entry is not None)

    def _is_settled(self, item: Item) -> bool:
        """Tell whether there is nothing to be done for ``item``, and count it if so."""
        entry = item.entry
        if entry is None or (entry.state is State.OURS and not is_unchanged(item, entry)):
            return False
        name = {State.OURS: "present", State.THEIRS: "kept", State.ENDED: "ended"}[entry.state]
        setattr(self.report, name, getattr(self.report, name) + 1)
        return True

    async def _certain(self, item: Item) -> Item:
        """Find out whether the target has what was about to be written when a run ended, if that is about to change."""
        entry = item.entry
        if entry is None or entry.intended in (entry.copied, item.digest):
            return item
        there: Record | None = await self._ask("load", item.sid)
        if there is None or digest_of(there.payload) != entry.intended:
            return item
        return item._replace(entry=entry._replace(copied=entry.intended))

    def _intent(self, item: Item) -> Entry:
        """Return what is to be known of ``item`` before anything is written."""
        number = self.journal.number
        if item.entry is None:
            return Entry(None, item.digest, item.record.expires_at, number, number)
        return item.entry._replace(seen=number, intended=item.digest)

    async def _enter(self, items: list[Item]) -> None:
        """Enter what is about to be written in the target's index."""
        by_key: defaultdict[str, dict[str, float]] = defaultdict(dict)
        now = self.clock()
        for item in items:
            contents = decode(item.record.payload)
            if contents is None:
                self.report.opaque += bool(item.record.payload)
                continue
            keys = keys_of(contents.system)
            if keys and self._index_store is not None and self._looks_hashed(item.sid):
                raise MigrationError(
                    "the ids in the source look like those of a site with hash_ids=True, and a URL does not tell how "
                    "such a site names its users. Name the site's Sessions instead: --from shop.main:sessions"
                )
            for key in keys:
                by_key[key][self._stored(self._name(item.sid))] = item.record.expires_at - now
        if self._index_store is not None:
            await _together(self._enter_all(key, lives, now) for key, lives in by_key.items())

    def _looks_hashed(self, sid: str) -> bool:
        return not (self.source.known or self.target.known) and bool(_HASHED.fullmatch(sid))

    async def _enter_all(self, key: str, lives: dict[str, float], now: float) -> None:
        change = self._index.change
        names = {name: Entered(now, now + LIVES * life) for name, life in lives.items()}

        def enter(page: Page) -> Page:
            return Page({**page.sessions, **names}, page.revoked)

        try:
            life = LIVES * max(lives.values())
            await self.target.ask(lambda: run_async(change(self._index_store, key, enter, life)))
        except MigrationError as error:
            raise MigrationError(
                f"{error}. (It was about to enter a user's session in the index. If the target may keep no index, "
                "use --no-index)"
            ) from error

    async def _move(self, item: Item) -> Entry | None:
        """Bring the target up to date with ``item``. Return what is known of it then; None if it could not be moved."""
        try:
            if not item.record.payload:
                unread = "there is nothing in the record, or nothing that a codec of the source can read"
                raise SessionError(getattr(item.record.payload, "reason", unread))
            return await self._moved(item)
        except MigrationError:
            raise
        except SessionError as error:
            self.report.refused += 1
            self.report.reason = self.report.reason or str(error)
            return None

    async def _moved(self, item: Item) -> Entry | None:
        sid, record, digest, entry = item
        now, number, report = self.clock(), self.journal.number, self.report
        copy = Entry(digest, digest, record.expires_at, number, number)
        ttl = record.expires_at - now
        if ttl <= 0:
            report.present += 1
            return copy
        is_new = entry is None or entry.copied is None or entry.ends <= now
        if is_new and await self._ask("create", sid, record.payload, ttl):
            report.copied += 1
            return copy
        there: Record | None = await self._ask("load", sid)
        if there is None:
            report.ended += 1
            return copy._replace(copied=None, state=State.ENDED)
        if there.payload == record.payload:
            return await self._renew(item, there, copy)
        if entry is not None and digest_of(there.payload) in (entry.copied, entry.intended):
            used = not is_same_end(there.expires_at, entry.ends, now)
            # Whoever has looked at it in the target has given it a life of its own.
            life = max(ttl, there.expires_at - now) if used else ttl
            if await self._exchange(sid, record.payload, life, there.payload):
                report.updated += 1
                return copy._replace(written=0) if used else copy
        report.kept += 1
        return copy._replace(copied=None, state=State.THEIRS)

    async def _renew(self, item: Item, there: Record, copy: Entry) -> Entry:
        """Give what is in the target already the end that it has in the source, unless it was used in the target."""
        end, entry, now = item.record.expires_at, item.entry, self.clock()
        same = is_same_end(there.expires_at, end, now)
        untouched = entry is not None and is_same_end(there.expires_at, entry.ends, now)
        if not same and (there.expires_at < end or untouched):
            await self._ask("touch", item.sid, end - now)
            self.report.renewed += 1
            return copy
        self.report.present += 1
        return copy if same else copy._replace(written=0)

    # What the source has no more --------------------------------------------------------------------------------------

    async def remove(self) -> None:
        """End in the target what was ended in the source, if it is there as it was copied."""
        known, unseen = self.journal.count(self.clock())
        if unseen > MANY and unseen * 2 > known and not self.expect_ended:
            raise MigrationError(
                f"of {known} sessions that were copied and have not expired, {unseen} are no longer in the source. Was "
                "it emptied, or is it another one? If they were all ended there, say so with --expect-ended, and they "
                "are ended in the target too"
            )
        for batch in self.journal.unseen(BATCH):
            load = self.source.store.load
            records = await _together(self.source.ask(load, self._key(sid)) for sid, _ in batch)
            # What was made, or renewed, behind the back of the listing is there all the same.
            found = [(sid, record) for (sid, _), record in zip(batch, records, strict=True) if record is not None]
            await self._bring([self._item(sid, cast("Record", record)) for sid, record in found])
            gone = [(sid, entry) for (sid, entry), record in zip(batch, records, strict=True) if record is None]
            await _together(self._end(sid, entry) for sid, entry in gone)
            self.journal.forget(sid for sid, _ in gone)
            self.teller.tell("remove", self.report.found)

    async def _end(self, sid: str, entry: Entry) -> None:
        now = self.clock()
        if entry.ends <= now or entry.state is not State.OURS:
            return
        there: Record | None = await self._ask("load", sid)
        if there is None:
            return
        untouched = is_same_end(there.expires_at, entry.ends, now)
        if not untouched or digest_of(there.payload) not in (entry.copied, entry.intended):
            self.report.kept += 1
            return
        # As everywhere, in one step: a request that is changing it finds the tombstone.
        if await self._exchange(sid, TOMBSTONE, 60.0, there.payload):
            await self._ask("delete", sid)
            self.report.removed += 1
            contents = decode(there.payload)
            for key in () if contents is None or self._index_store is None else keys_of(contents.system):
                await self._leave(key, self._stored(self._name(sid)))

    async def _leave(self, key: str, name: str) -> None:
        await self.target.ask(lambda: run_async(self._index.leave(self._index_store, key, {name})))

    # What became of it ------------------------------------------------------------------------------------------------

    async def verify(self) -> None:
        """Compare what the source has with what the target has."""
        report, done = self.report, 0
        report.verified = True
        numbers = ("matching", "rewritten", "used", "behind", "differing", "missing")

        def begin() -> None:
            nonlocal done
            done = 0
            for name in numbers:
                setattr(report, name, 0)

        async for batch in self.source.batches(BATCH, begin):
            items = [self._item(sid, record) for sid, record in dict(batch).items()]
            for verdict in await _together(self._verdict(item) for item in items):
                if verdict is not None:
                    setattr(report, verdict, getattr(report, verdict) + 1)
            done += len(items)
            self.teller.tell("verify", done)

    async def _verdict(self, item: Item) -> str | None:
        """Return in which number of the report ``item`` counts, or None if it was counted before."""
        entry, now = item.entry, self.clock()
        if entry is None:
            return "behind"
        if entry.state is not State.OURS or entry.copied is None:
            return None
        if not is_unchanged(item, entry):
            return "behind"
        if item.record.expires_at <= now + TOLERANCE:
            return None
        there: Record | None = await self._ask("load", item.sid)
        same_end = there is not None and is_same_end(there.expires_at, item.record.expires_at, now)
        if there is not None and there.payload == item.record.payload and same_end:
            return "matching"
        # Whoever uses a session in the target does it between two passes; within one, nobody is expected to.
        if entry.written < self.journal.since:
            return "used"
        if there is None:
            return "missing"
        return "rewritten" if same_end and content(there.payload) == content(item.record.payload) else "differing"


async def _together(work: Iterator[Coroutine[Any, Any, T]]) -> list[T]:
    """Do all of ``work`` at once, and return the answers. Nothing of it goes on if a part fails."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
