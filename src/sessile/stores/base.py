# The contract of a store, and every odd case of it. A store knows records, never sessions.
#
#   load     None for absent and for expired. Never raises for a strange sid: a sid is any text.
#   create   Only if absent; an expired record counts as absent. False if present, and nothing changed.
#   replace  Only if present and unexpired, and only if the stored payload is byte for byte `expected`, in one atomic
#            step. Never creates: so a request in flight cannot bring back a session that was ended meanwhile.
#   touch    Only if present and unexpired. Moves the expiry, never the payload. Never creates.
#   delete   Idempotent. True if there was a record that had not expired.
#
#   ttl is in seconds, may be fractional, and counts from the store's own clock. ttl <= 0: expired at once, so
#   create and replace leave nothing that load would return.
#
# Answers are data. Exceptions are outages: a store raises StoreUnavailable, with the driver's error as its cause; or
# StoreRefused, where the server has answered and said no. A bug in a store is neither, and passes as what it is.
# Verbs may be plain `def` or `async def`. Plain ones must not wait for a network under asyncio: a store that has to
# is AsyncCapable (dual.py).
"""What a store is: five verbs and a few optional abilities."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

import msgspec

__all__ = [
    "Answer",
    "Carried",
    "Closable",
    "Conflict",
    "Connectable",
    "Evicting",
    "Indexed",
    "Iterable",
    "Lasting",
    "Missing",
    "Record",
    "Records",
    "Renewable",
    "Replaced",
    "Store",
    "Sweepable",
    "can",
]

T = TypeVar("T")

#: A verb answers at once, or with something to await.
Answer: TypeAlias = T | Awaitable[T]


class Record(msgspec.Struct, frozen=True, gc=False):
    """What a store keeps for a sid."""

    #: The bytes that were given, unchanged.
    payload: bytes
    #: When the record ends, in epoch seconds.
    expires_at: float

    def __repr__(self) -> str:
        return f"<Record {len(self.payload)} bytes>"


#: Each id with its record, for ``for`` or for ``async for``.
Records: TypeAlias = Iterator[tuple[str, Record]] | AsyncIterator[tuple[str, Record]]


class Replaced(msgspec.Struct, frozen=True):
    """The answer of ``replace`` when it did."""


class Conflict(msgspec.Struct, frozen=True):
    """The answer of ``replace`` when the stored payload is not the expected one. Nothing was written."""

    #: The payload that is stored now.
    current: bytes

    def __repr__(self) -> str:
        return f"<Conflict {len(self.current)} bytes>"


class Missing(msgspec.Struct, frozen=True):
    """The answer of ``replace`` when there is no such record, or it has expired. Nothing was written."""


class Store(Protocol):
    """Keeps records. Implement these five, plain or async, and sessile can use it."""

    def load(self, sid: str, /) -> Answer[Record | None]:
        """Return the record of ``sid``, or None if there is none or it has expired."""

    def create(self, sid: str, payload: bytes, ttl: float, /) -> Answer[bool]:
        """Store a new record that ends ``ttl`` seconds from now. Return False, and change nothing, if there is one."""

    def replace(
        self, sid: str, payload: bytes, ttl: float, expected: bytes, /
    ) -> Answer[Replaced | Conflict | Missing]:
        """Put ``payload`` in the place of ``expected``, in one atomic step. Never creates."""

    def touch(self, sid: str, ttl: float, /) -> Answer[bool]:
        """Let the record end ``ttl`` seconds from now. Return False if there is none. Never changes the payload."""

    def delete(self, sid: str, /) -> Answer[bool]:
        """Remove the record. Return whether there was one that had not expired."""


def can(store: object, ability: type) -> bool:
    """Tell whether ``store`` has an optional ability, one of the protocols below.

    A store around another one has what that has, by ``__getattr__``, which isinstance does not see from Python 3.12 on.
    """
    verbs = {name for name in (*vars(ability), *ability.__annotations__) if not name.startswith("_")}
    return all(hasattr(store, verb) for verb in verbs)


@runtime_checkable
class Iterable(Protocol):
    """The ability to look at all records: needed by ``all``, ``count`` and ``clear`` of ``Sessions``."""

    def all(self) -> Records:
        """Yield each sid with its record, expired ones left out, in no particular order."""

    def count(self) -> Answer[int]:
        """Return how many unexpired records there are."""

    def clear(self) -> Answer[None]:
        """Remove all records."""


@runtime_checkable
class Indexed(Protocol):
    """The ability to keep records of another kind apart from the sessions: the index of a user's sessions.

    They are as durable as the sessions, and none of the verbs of the one store sees those of the other.
    """

    def index(self) -> Store:
        """Return the store of the index: of the same kind and colour, on the same server."""


@runtime_checkable
class Evicting(Protocol):
    """The ability to say whether the server removes records before their end when it has no room."""

    def evicts(self) -> Answer[bool]:
        """Return True if it may. Then a user's index may be gone, and sessions of users look at it now and then."""


@runtime_checkable
class Sweepable(Protocol):
    """The ability to remove expired records, for stores whose server does not."""

    def prune(self) -> Answer[int]:
        """Remove expired records in bounded batches. Return how many."""


@runtime_checkable
class Renewable(Protocol):
    """The ability to renew a record that the same request has loaded, without waiting for the server."""

    def renew(self, sid: str, ttl: float, /) -> None:
        """Let the record end ``ttl`` seconds from now. Never waits, never raises; the store logs a failure."""


@runtime_checkable
class Closable(Protocol):
    """The ability to let go of connections. The store opens them again if it is used again."""

    def close(self) -> Answer[None]:
        """Close what is open."""


@runtime_checkable
class Connectable(Protocol):
    """The ability to know whether the store is connected: what the events ``disconnect`` and ``connect`` tell express.

    While ``ready`` is false, a request with a session is answered as in any outage (``on_store_error``), at once and
    without asking the store. A session that is in use already is still saved.
    """

    ready: bool


@runtime_checkable
class Lasting(Protocol):
    """Says how long the Node store with the same layout keeps a session whose cookie has no end, in ``default_life``.

    In seconds. It is used where the option ``ttl`` is left out, so that a look at a page of one side does not shorten
    what the other side has promised.
    """

    default_life: float


@runtime_checkable
class Carried(Protocol):
    """Says that records are not kept by this store: they travel in the cookie, in the ``form`` named here."""

    form: str
    #: The numbers that the secrets have as passwords in iron-session, in the same order; None: counted down to 1.
    password_ids: Sequence[int] | None
    #: Whether keys for secure-session are derived from the secrets, and with which salt; None: the package's own.
    derive: bool
    salt: bytes | None
