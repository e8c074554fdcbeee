# A store of an SQL database is one table, with a row for each record, and one statement for each verb. The statements
# differ from one database to the other; what is done with them does not, and stands here.
#
# Columns hold text, and so does Node: the sid as it is, and the JSON of the session, byte for byte. What is not such
# text is kept in JSON all the same, for Node ends in an error where it cannot parse:
#
#     %<SHA-256 of the sid>   {"__sid":"<base64>","__payload":"<base64>"}
#
# Ends are whole seconds, rounded up, as the Node stores write them: so both sides agree on when a session is over.
"""What the stores of SQL databases share: verbs as statements, ids and payloads as text, pruning in passing."""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any, TypeAlias, TypeVar

import msgspec

from holdfast.dual import Steps, run_async, run_sync
from holdfast.errors import InvalidOption, UnserialisableValue
from holdfast.stores.base import Conflict, Missing, Record, Replaced
from holdfast.stores.pool import limited
from holdfast.stores.server import DEADLINE, ServerStore

__all__ = ["Rows", "TableStore", "key_of", "parse", "text_of"]

T = TypeVar("T")

#: What a statement answers: its rows, and how many rows it changed.
Rows: TypeAlias = tuple[list[Any], int]

#: How many rows are read, or removed, in one statement: some milliseconds, far below the deadline.
PAGE_SIZE = 200
BATCH = 1000

#: How often expired rows are removed, in seconds; half of it to one and a half. It is connect-pg-simple's default.
PRUNE_EVERY = 900.0

#: How often a statement is tried again that the server has undone, because another one was in its way.
TRIES = 10

#: Printable ASCII that no collation trims, and that fits into a column of 128 characters.
_PLAIN = re.compile("[!-$&-~][!-~]{0,127}")
_WRAPPED = b'{"__sid":'

_REPLACED, _MISSING = Replaced(), Missing()


class _Wrapped(msgspec.Struct):
    sid: bytes = msgspec.field(name="__sid")
    payload: bytes = msgspec.field(name="__payload")


_any_json = msgspec.json.Decoder(msgspec.Raw)
_wrapped = msgspec.json.Decoder(_Wrapped)


def key_of(sid: str) -> str:
    """Return what stands in the column of ids for ``sid``: no two sids have the same."""
    return sid if _PLAIN.fullmatch(sid) else "%" + sha256(sid.encode("utf-8", "surrogatepass")).hexdigest()


def text_of(sid: str, payload: bytes) -> str:
    """Return what stands in the column of payloads: always JSON."""
    if key_of(sid) == sid and not payload.startswith(_WRAPPED):
        with suppress(UnicodeDecodeError):
            text = payload.decode()
            if _is_json(payload, text):
                return text
    return msgspec.json.encode(_Wrapped(sid.encode("utf-8", "surrogatepass"), payload)).decode()


def parse(key: str, text: str) -> tuple[str, bytes]:
    """Return the sid and the payload of a row."""
    payload = text.encode("utf-8", "surrogatepass")
    if payload.startswith(_WRAPPED):
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            wrapped = _wrapped.decode(payload)
            sid = wrapped.sid.decode("utf-8", "surrogatepass")
            if key_of(sid) == key:
                return sid, wrapped.payload
    return key, payload  # It may be a session of somebody who has such a key.


def _is_json(payload: bytes, text: str) -> bool:
    try:
        _any_json.decode(payload)
        return True
    except (msgspec.MsgspecError, RecursionError):
        # Node escapes lone surrogates, which are legal JSON and which msgspec refuses.
        try:
            json.loads(text, parse_constant=_refuse)
            return True
        except (ValueError, RecursionError):
            return False


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


class TableStore(ServerStore):
    """What a store inherits that keeps records in a table.

    A subclass gives ``self._statements``, with named parameters; ``_connect``, whose client has ``use``, ``close`` and
    ``closed`` as a Pool has them; ``_execute``, which runs one statement on a connection; ``_define``, which makes the
    table; and what its driver's errors say.
    """

    #: The last moment that the table can hold, in epoch seconds. The year 275760: JavaScript's last.
    last_moment: float = 8.64e12

    _statements: Mapping[str, str]

    def __init__(
        self,
        *,
        timeout: float = DEADLINE,
        prune_every: float | None = PRUNE_EVERY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(timeout=timeout, clock=clock)
        if prune_every is not None and (
            isinstance(prune_every, bool) or not isinstance(prune_every, (int, float)) or not prune_every >= 0
        ):
            raise InvalidOption("prune_every", f"{prune_every!r} is no number of seconds", "The default is 900.")
        self._prune_every = prune_every
        self._prune_at = 0.0
        self._put_off_pruning()

    def all(self) -> Any:
        """Yield each sid with its record, a page of rows at a time; nothing is locked in between."""
        return self._pages_async() if self._asyncio else self._pages()

    def count(self) -> Any:
        return self._ask(self._count, twice=True)

    def clear(self) -> Any:
        return self._drive(self._remove_all("clear"))

    def prune(self) -> Any:
        return self._drive(self._remove_all("prune"))

    # For a subclass to give.

    def _execute(self, connection: Any, statement: str, values: Mapping[str, Any]) -> Steps[Rows]:
        raise NotImplementedError

    def _define(self, connection: Any) -> Steps[None]:
        raise NotImplementedError

    def _says_no_table(self, error: Exception) -> bool:
        raise NotImplementedError

    def _says_exists(self, error: Exception) -> bool:
        """Tell whether ``error`` says that what should be made is there already."""
        raise NotImplementedError

    def _says_again(self, error: Exception) -> bool:
        """Tell whether ``error`` says that another statement was in the way, and that nothing was done."""
        raise NotImplementedError

    def _says_taken(self, error: Exception) -> bool:
        """Tell whether ``error`` says that there is such a row. Then it is ``renew`` that replaces an expired one."""
        return False

    def _says_refused(self, error: Exception) -> bool:
        """Tell whether ``error`` says that the table cannot hold what was written."""
        raise NotImplementedError

    # The verbs.

    def _load(self, client: Any, sid: str) -> Steps[Record | None]:
        rows, _ = yield from self._run(client, "load", sid=key_of(sid), now=self._now())
        return _record(key_of(sid), *rows[0])[1] if rows else None

    def _create(self, client: Any, sid: str, payload: bytes, ttl: float) -> Steps[bool]:
        created = yield from self._insert(client, key_of(sid), text_of(sid, payload), self._end(ttl))
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
                if verb == "renew" or not self._says_taken(error):
                    raise
                verb = "renew"

    def _replace(
        self, client: Any, sid: str, payload: bytes, ttl: float, expected: bytes
    ) -> Steps[Replaced | Conflict | Missing]:
        key = key_of(sid)
        values = {"sid": key, "payload": text_of(sid, payload), "expected": text_of(sid, expected)}
        current, replaced = yield from self._exchange(client, values | {"end": self._end(ttl), "now": self._now()})
        if replaced:
            return _REPLACED
        return _MISSING if current is None else Conflict(parse(key, current)[1])

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
        _, touched = yield from self._run(client, "touch", sid=key_of(sid), end=self._end(ttl), now=self._now())
        return bool(touched)

    def _delete(self, client: Any, sid: str) -> Steps[bool]:
        # What has expired stays for pruning.
        _, deleted = yield from self._run(client, "delete", sid=key_of(sid), now=self._now())
        return bool(deleted)

    def _count(self, client: Any) -> Steps[int]:
        rows, _ = yield from self._run(client, "count", now=self._now())
        return int(rows[0][0])

    def _page(self, client: Any, last: str) -> Steps[tuple[list[tuple[str, Record]], str | None]]:
        """Return the live records after the key ``last``, and the key to go on from; None if that was the end."""
        rows, _ = yield from self._run(client, "page", last=last, now=self._now(), limit=PAGE_SIZE)
        return [_record(*row) for row in rows], rows[-1][0] if len(rows) == PAGE_SIZE else None

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

    # How they are run.

    def _drive(self, steps: Steps[T]) -> Any:
        return run_async(steps) if self._asyncio else run_sync(steps)

    def _try_sync(self, body: Callable[..., Steps[T]], arguments: tuple[Any, ...], twice: bool) -> T:
        with limited(self._timeout):
            return super()._try_sync(body, arguments, twice)

    def _run(self, client: Any, verb: str, **values: Any) -> Steps[Rows]:
        """Run a statement. The table is made when it turns out that there is none."""

        def work(connection: Any) -> Steps[Rows]:
            return (yield from self._execute(connection, self._statements[verb], values))

        for tries_left in reversed(range(TRIES)):
            try:
                rows: Rows = yield from client.use(work)
                return rows
            except Exception as error:
                if self._says_refused(error):
                    # Not with its cause: drivers quote what was refused.
                    raise UnserialisableValue("session", self._refusal(error)) from None
                no_table = self._says_no_table(error)
                if not tries_left or not (no_table or self._says_again(error)):
                    raise
            if no_table:
                yield from self._make_table(client)
        raise AssertionError

    def _make_table(self, client: Any) -> Steps[None]:
        try:
            yield from client.use(self._define)
        except Exception as error:
            if not self._says_exists(error):
                raise

    def _refusal(self, error: Exception) -> str:
        return f"is not what the database can hold ({type(error).__name__})"

    def _pages(self) -> Iterator[tuple[str, Record]]:
        last: str | None = ""
        while last is not None:
            records, last = self._ask(self._page, last, twice=True)
            yield from records

    async def _pages_async(self) -> AsyncIterator[tuple[str, Record]]:
        last: str | None = ""
        while last is not None:
            records, last = await self._ask(self._page, last, twice=True)
            for record in records:
                yield record

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
                threading.Thread(target=self._sweep_sync, args=(client,), name="holdfast-prune", daemon=True).start()

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


def _record(key: str, text: str, end: float) -> tuple[str, Record]:
    sid, payload = parse(key, text)
    return sid, Record(payload, float(end))


_sweeps: set[asyncio.Task[None]] = set()
