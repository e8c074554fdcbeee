# A store of an SQL database is one table, with a row for each record, and one statement for each verb. The statements
# differ from one database to the other; what is done with them does not, and stands here.
#
# What stands in a row is said in row.py. Ends are whole seconds, rounded up, as the Node stores write them: so both
# sides agree on when a session is over.
"""What the stores of SQL databases share: their verbs as statements, and pruning in passing."""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any

from sessile.dual import Found, Steps, run_async, run_sync
from sessile.stores._shared import options
from sessile.stores._shared.pool import limited
from sessile.stores._shared.row import Keys
from sessile.stores._shared.server import DEADLINE
from sessile.stores._shared.statements import StatementStore
from sessile.stores.base import Answer, Conflict, Missing, Record, Records, Replaced

__all__ = ["TableStore", "index_table"]

#: How many rows are read, or removed, in one statement: some milliseconds, far below the deadline.
PAGE_SIZE = 200
BATCH = 1000

#: How often expired rows are removed, in seconds; half of it to one and a half. It is connect-pg-simple's default.
PRUNE_EVERY = 900.0

_REPLACED, _MISSING = Replaced(), Missing()


def index_table(table: str, longest: int) -> str:
    """Return the name of the table of the index beside ``table``, where a name may have ``longest`` bytes."""
    name = f"{table}_index"
    if len(name.encode("utf-8", "replace")) <= longest:
        return name
    return f"index_{sha256(table.encode('utf-8', 'replace')).hexdigest()[:16]}"


class TableStore(StatementStore):
    """What a store inherits that keeps records in a table.

    A subclass gives what StatementStore says, and ``_keys`` for the column of ids.
    """

    _keys: Keys

    #: For how many seconds Node keeps a session whose cookie has no end: a day, in each layout of SQL.
    default_life = 86_400.0
    #: The last moment that the table can hold, in epoch seconds. The year 275760: JavaScript's last.
    last_moment: float = 8.64e12

    def __init__(
        self,
        *,
        timeout: float = DEADLINE,
        prune_every: float | None = PRUNE_EVERY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(timeout=timeout, clock=clock)
        self._prune_every = options.seconds_or_none("prune_every", prune_every, PRUNE_EVERY)
        self._prune_at = 0.0
        self._put_off_pruning()

    def all(self) -> Records:
        """Yield each sid with its record, a page of rows at a time; nothing is locked in between."""
        return self._iterate(self._all())

    def count(self) -> Answer[int]:
        return self._ask(self._count, twice=True)

    def clear(self) -> Answer[None]:
        return self._drive(self._remove_all("clear"))

    def prune(self) -> Answer[int]:
        return self._drive(self._remove_all("prune"))

    # The verbs.

    def _load(self, client: Any, sid: str) -> Steps[Record | None]:
        key = self._keys.key_of(sid)
        rows, _ = yield from self._run(client, "load", sid=key, now=self._now())
        return self._keys.record_of(key, *rows[0])[1] if rows else None

    def _create(self, client: Any, sid: str, payload: bytes, ttl: float) -> Steps[bool]:
        key, text = self._keys.key_of(sid), self._keys.text_of(sid, payload)
        created = yield from self._insert(client, key, text, self._end(ttl))
        self._prune_in_passing(client)
        return created

    def _insert(self, client: Any, key: str, text: str, end: int) -> Steps[bool]:
        values = {"sid": key, "payload": text, "end": end, "now": self._now()}
        verb = "create"
        while True:
            try:
                _, made = yield from self._run(client, verb, **values)
                return bool(made)
            except Exception as error:
                if verb == "renew" or not self.codes.say(self._code(error), self.codes.taken):
                    raise
                verb = "renew"

    def _replace(
        self, client: Any, sid: str, payload: bytes, ttl: float, expected: bytes
    ) -> Steps[Replaced | Conflict | Missing]:
        keys = self._keys
        key = keys.key_of(sid)
        values = {"sid": key, "payload": keys.text_of(sid, payload), "expected": keys.text_of(sid, expected)}
        current, replaced = yield from self._exchange(client, values | {"end": self._end(ttl), "now": self._now()})
        if replaced:
            return _REPLACED
        return _MISSING if current is None else Conflict(keys.parse(key, current)[1])

    def _exchange(self, client: Any, values: dict[str, Any]) -> Steps[tuple[str | None, bool]]:
        """Return the text that was found, if any, and whether it was replaced."""
        rows, replaced = yield from self._run(client, "replace", **values)
        if rows:
            found: tuple[str, bool] = tuple(rows[0])
            return found
        if replaced:
            return None, True
        rows, _ = yield from self._run(client, "load", sid=values["sid"], now=values["now"])
        return (rows[0][0] if rows else None), False

    def _touch(self, client: Any, sid: str, ttl: float) -> Steps[bool]:
        key = self._keys.key_of(sid)
        _, touched = yield from self._run(client, "touch", sid=key, end=self._end(ttl), now=self._now())
        return bool(touched)

    def _delete(self, client: Any, sid: str) -> Steps[bool]:
        # What has expired stays for pruning.
        _, deleted = yield from self._run(client, "delete", sid=self._keys.key_of(sid), now=self._now())
        return bool(deleted)

    def _count(self, client: Any) -> Steps[int]:
        rows, _ = yield from self._run(client, "count", now=self._now())
        return int(rows[0][0])

    def _page(self, client: Any, last: str) -> Steps[tuple[list[tuple[str, Record]], str | None]]:
        """Return the live records after the key ``last``, and the key to go on from; None if that was the end."""
        rows, _ = yield from self._run(client, "page", last=last, now=self._now(), limit=PAGE_SIZE)
        return [self._keys.record_of(*row) for row in rows], rows[-1][0] if len(rows) == PAGE_SIZE else None

    def _batch(self, client: Any, verb: str) -> Steps[int]:
        _, removed = yield from self._run(client, verb, now=self._now(), limit=BATCH)
        return removed

    def _sweep(self, client: Any) -> Steps[int]:
        """Remove a batch of expired rows, unless another process is at it."""
        if "sweep" in self._statements:
            return (yield from self._batch(client, "sweep"))

        def take_turn(connection: Any) -> Steps[int]:
            # The lock belongs to the connection, and is gone when that breaks.
            rows, _ = yield from self._execute(connection, self._statements["begin sweep"], {})
            if rows[0][0] != 1:
                return 0
            values = {"now": self._now(), "limit": BATCH}
            try:
                _, removed = yield from self._execute(connection, self._statements["prune"], values)
            except Exception:
                with suppress(Exception):
                    yield from self._execute(connection, self._statements["end sweep"], {})
                raise
            yield from self._execute(connection, self._statements["end sweep"], {})
            return removed

        removed: int = yield from client.use(take_turn)
        return removed

    def _all(self) -> Steps[None]:
        last: str | None = ""
        while last is not None:
            records, last = yield self._ask(self._page, last, twice=True)
            yield Found(records)

    def _remove_all(self, verb: str) -> Steps[int]:
        total, removed = 0, BATCH
        while removed == BATCH:
            removed = yield self._ask(self._batch, verb, twice=True)
            total += removed
        return total

    def _prune_in_passing(self, client: Any) -> None:
        # Apart from the request, for there may be many rows, and whoever is served has not come for that.
        if self._prune_every is None or self._clock() < self._prune_at:
            return
        self._put_off_pruning()
        if self._asyncio:
            task = asyncio.get_running_loop().create_task(self._sweep_async(client))
            _sweeps.add(task)
            task.add_done_callback(_sweeps.discard)
        else:
            with suppress(RuntimeError):  # No thread is to be had.
                threading.Thread(target=self._sweep_sync, args=(client,), name="sessile-prune", daemon=True).start()

    def _put_off_pruning(self) -> None:
        # Processes that were started together do not prune together.
        self._prune_at = self._clock() + (self._prune_every or 0.0) * random.uniform(0.5, 1.5)  # noqa: S311

    # Whatever goes wrong with it: the next sweep does it.

    def _sweep_sync(self, client: Any) -> None:
        removed = BATCH
        with suppress(Exception):
            while removed == BATCH and not client.closed:
                with limited(self._timeout):
                    removed = run_sync(self._sweep(client))

    async def _sweep_async(self, client: Any) -> None:
        removed = BATCH
        with suppress(Exception):
            while removed == BATCH and not client.closed:
                async with asyncio.timeout(self._timeout):
                    removed = await run_async(self._sweep(client))

    def _now(self) -> float:
        return float(self._clock())

    def _end(self, ttl: float) -> int:
        end = self._clock() + ttl
        if ttl <= 0:
            # Not rounded up to a life; and Node, which rounds the time, is to agree.
            return math.floor(max(end, 1.0)) - 1
        return math.ceil(round(min(end, self.last_moment), 6))


_sweeps: set[asyncio.Task[None]] = set()
