# The index says which sessions a user has. It is made of records like any others, which the store keeps apart from the
# sessions (base.Indexed): one page for each user, which names ids, and when each was entered.
#
#   1. A session is entered before its record is made, and taken out after its end. If a process dies in between, the
#      index names too much, and never too little.
#   2. What it names too much is dropped when its time is over, by the next session that is entered.
#   3. It is written by `replace`, which compares. So a limit on how many sessions a user may have is kept in the same
#      step in which one more is entered, however many people log in at the time.
#   4. It outlives what it names: each session renews it about once in a life of its own.
#   5. A revocation begins with a mark on the page. Entering compares with the mark in the same step, so nothing that is
#      older than the mark can be entered after it.
#
# The key of a page ends as no id may end. So no id reaches it, even where a store keeps the index among its sessions.
# It is keyed with the secret, so that whoever reads the store cannot find a user in it by trying all ids of users. You
# rotate the secret by putting a new one in front. What stands under the key of an older one is moved when it is next
# read, so that nothing is left there when you take the older secret away. The same goes for what `sessile migrate`
# enters without a secret, where it is given URLs: that stands under the plain digest until it is next read.
#
# A user is one index, of the name "user". An application may have more: a tenant, the `sid` of an OpenID provider.
#
# All methods with Steps are bodies of code for both kinds of stores (dual.py).
"""Which sessions belong together: the index of a store."""

from __future__ import annotations

import hmac
import json
import math
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from sessile._engine.coded import digest
from sessile._engine.patience import MAX_TRIES, pause_before
from sessile._engine.store_calls import StoreCalls
from sessile._records.record import AUTHENTICATED, CREATED, INDEXED, INDEXES, JSON, USER
from sessile.dual import AnyStore, Steps, start
from sessile.errors import RetriesExhausted
from sessile.lifetime import moment
from sessile.stores.base import Answer, Conflict, Missing, Record, Replaced, Store

__all__ = [
    "ENTERING",
    "LIVES",
    "Entry",
    "Index",
    "KeyedIndex",
    "Mark",
    "Named",
    "Page",
    "index_keys",
    "is_reserved",
    "key_of",
    "keys_of",
    "memberships_of",
    "renewal_is_due",
]

#: For how long, in seconds, a session may be named whose record is not there: longer than a commit takes.
ENTERING = 60.0

#: How many lives of a session its entry lasts, counted from when it was renewed.
LIVES = 3

#: The version of the format. A newer one may add fields, which this one keeps as they are.
FORMAT = 1

#: How the keys of an index end, and no id does.
SUFFIX = ".sessile-index"


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What a page says of one session."""

    #: When it was entered, in epoch seconds.
    entered: float
    #: When the entry may be dropped, in epoch seconds.
    until: float
    #: What the session is called. Two ids of one session have one name.
    name: str = ""


#: Ids as they stand in the store, and what is said of each.
Named = dict[str, Entry]


class Mark(msgspec.Struct, frozen=True):
    """Says that all sessions of a page were ended, but for some."""

    #: When, in epoch seconds.
    at: float
    #: Which revocation it was.
    id: str
    #: The names of the sessions that go on.
    spared: tuple[str, ...] = ()


class Page(msgspec.Struct, frozen=True):
    """What the index says of one user."""

    sessions: Named = {}
    revoked: Mark | None = None


def key_of(name: str, value: str | int) -> str:
    """Return the key of the index ``name`` for ``value``. Neither can be read from it in the store."""
    return digest(json.dumps([name, value]).encode("ascii"))


def memberships_of(system: Mapping[str, JSON], now: float) -> dict[str, float]:
    """Return the keys of all indexes in which a session with these system fields belongs.

    With each key goes the moment since when it belongs there: of the log-in, or of ``session.index``.
    """
    others, moments = system.get(INDEXES), system.get(INDEXED)
    values = {**(others if isinstance(others, dict) else {}), USER: system.get(USER)}
    since = moments if isinstance(moments, dict) else {}
    found = {}
    for name, value in values.items():
        if isinstance(value, (str, int)):
            at = system.get(AUTHENTICATED) if name == USER else since.get(name, system.get(CREATED))
            found[key_of(name, value)] = 0.0 if at is None else moment(at, now)
    return found


def keys_of(system: Mapping[str, JSON]) -> list[str]:
    """Return the keys of all indexes in which a session with these system fields belongs."""
    return list(memberships_of(system, math.inf))


def renewal_is_due(seen: float, now: float, ttl: float) -> bool:
    """Tell whether a session that lives for ``ttl`` seconds, and was seen at ``seen`` and ``now``, renews its entries.

    It does at the first visit in each stretch of that length; so, with LIVES, they always outlive it.
    """
    # A thousandth of a second is the shortest life that a record can name; below that the quotient has no end.
    return ttl >= 0.001 and math.floor(seen / ttl) != math.floor(now / ttl)


class Index:
    """Reads pages and changes them. ``name`` turns an id into what stands in the store for it."""

    def __init__(self, calls: StoreCalls, clock: Callable[[], float], name: Callable[[str], str]) -> None:
        self._calls = calls
        self._clock = clock
        self.name = name

    def with_entry(self, page: Page, sid: str, ttl: float, name: str = "") -> Page:
        """Return ``page`` with ``sid``, whose record lives for ``ttl`` seconds, and without what is over."""
        now = self._clock()
        kept = {one: entry for one, entry in page.sessions.items() if entry.until > now}
        kept[self.name(sid)] = Entry(now, now + LIVES * ttl, name)
        return Page(kept, page.revoked)

    def leave(self, store: AnyStore, key: str, gone: Collection[str]) -> Steps[None]:
        """Take out ``gone``, ids as they stand in the store."""

        def leave(page: Page) -> Page:
            return Page({one: entry for one, entry in page.sessions.items() if one not in gone}, page.revoked)

        yield from self.change(store, key, leave)

    def read(self, store: AnyStore, key: str) -> Steps[Page]:
        """Return what the index says of ``key``."""
        record = yield from self._calls.ask(store.load, key)
        return Page() if record is None else _read(record.payload)[0]

    def change(
        self, store: AnyStore, key: str, change: Callable[[Page], Page | Steps[Page]], life: float = 0.0
    ) -> Steps[Page]:
        """Put ``change`` of a page in the place of that, in one step. Return the page as it is then.

        ``change`` may have steps of its own; it is called again if somebody else was first. ``life`` is for how many
        seconds the page has to last.
        """
        for tries in range(MAX_TRIES):
            yield from pause_before(tries)
            record = yield from self._calls.ask(store.load, key)
            before, rest = (Page(), {}) if record is None else _read(record.payload)
            changed = change(before)
            after: Page = changed if isinstance(changed, Page) else (yield from changed)
            if after == before:
                return after
            payload = _write(after, rest)
            if record is None:
                done = yield from self._calls.ask(store.create, key, payload, life)
            else:
                # An empty one is not removed, for somebody may be entering; it ends soon, unless it bears a mark.
                empty = not after.sessions and after.revoked is None
                lasts = ENTERING if empty else max(life, record.expires_at - self._clock())
                answer = yield from self._calls.ask(store.replace, key, payload, lasts, record.payload)
                done = isinstance(answer, Replaced)
            if done:
                return after
        raise RetriesExhausted(MAX_TRIES)


def _read(payload: bytes) -> tuple[Page, dict[str, JSON]]:
    """Return the page that ``payload`` holds, and fields that another version has put there. No input raises."""
    try:
        whole = msgspec.json.decode(payload)
        page = msgspec.convert(whole, Page)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Page(), {}
    rest = {name: value for name, value in whole.items() if name not in ("sessions", "revoked")}
    return page, rest


def _write(page: Page, rest: Mapping[str, JSON]) -> bytes:
    whole: dict[str, JSON] = {"v": FORMAT, **rest, "sessions": page.sessions}
    if page.revoked is not None:
        whole["revoked"] = page.revoked
    return msgspec.json.encode(whole)


def is_reserved(sid: str) -> bool:
    """Tell whether ``sid`` could be a key of the index, and so is not an id."""
    return sid.endswith(SUFFIX)


def index_keys(secrets: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return with what the keys of an index are keyed: the newest first, and at last nothing.

    ``secrets`` may be empty: then the keys end as no id does, and are not keyed.
    """
    return (*(hmac.digest(secret, b"sessile index", "sha256") for secret in secrets), b"")


class KeyedIndex:
    """The records of ``index``, which is the store that ``Indexed.index`` returns, under keys that ``keys`` make."""

    def __init__(self, index: AnyStore, keys: Sequence[bytes], clock: Callable[[], float]) -> None:
        self._index: Store = index
        self._whole = index
        self._keys = keys
        self._clock = clock

    def __repr__(self) -> str:
        return f"<KeyedIndex of {self._index!r}>"

    def load(self, key: str) -> Answer[Record | None]:
        return start(self._load(key))

    def create(self, key: str, payload: bytes, ttl: float) -> Answer[bool]:
        return self._index.create(self._at(key), payload, ttl)

    def replace(self, key: str, payload: bytes, ttl: float, expected: bytes) -> Answer[Replaced | Conflict | Missing]:
        return self._index.replace(self._at(key), payload, ttl, expected)

    def touch(self, key: str, ttl: float) -> Answer[bool]:
        return self._index.touch(self._at(key), ttl)

    def clear(self) -> Answer[None]:
        """Remove all records."""
        answer: Answer[None] = self._whole.clear()
        return answer

    def prune(self) -> Answer[int]:
        """Remove expired records."""
        answer: Answer[int] = self._whole.prune()
        return answer

    def _at(self, key: str, position: int = 0) -> str:
        if not self._keys[position]:
            return key + SUFFIX
        digest = hmac.digest(self._keys[position], key.encode("utf-8", "surrogatepass"), "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii") + SUFFIX

    def _load(self, key: str) -> Steps[Record | None]:
        record: Record | None = yield self._index.load(self._at(key))
        for position in range(1, len(self._keys)):
            if record is not None:
                break
            record = yield from self._moved(self._at(key, position), self._at(key))
        return record

    def _moved(self, old: str, new: str) -> Steps[Record | None]:
        """Move the record at ``old``, if there is one, and return what is at ``new`` then."""
        record: Record | None = yield self._index.load(old)
        if record is None:
            return None
        yield self._index.create(new, record.payload, record.expires_at - self._clock())
        yield self._index.delete(old)
        moved: Record | None = yield self._index.load(new)
        return moved
