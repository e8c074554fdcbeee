"""A session on its way from one store to another, and when two copies of it are the same."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from sessile._records.record import decode, stringify
from sessile.migration.journal import Entry, Journal
from sessile.stores.base import Record

__all__ = ["TOLERANCE", "Item", "content", "digest_of", "is_same_end", "is_unchanged", "item_of"]

#: By how many seconds two ends may differ and be the same: stores keep whole seconds, and memcached a duration of them,
#: by a clock that ticks once a second.
TOLERANCE = 3.0

#: What ends later than this, in seconds from now, has no end: each store has a last moment of its own.
ENDLESS = 9 * 365 * 86_400.0


class Item(NamedTuple):
    """A session on its way."""

    sid: str
    record: Record
    #: The digest of its payload.
    digest: bytes
    entry: Entry | None


def item_of(sid: str, record: Record, journal: Journal) -> Item:
    """Return the session ``sid`` with what the journal knows of it."""
    return Item(sid, record, digest_of(record.payload), journal.get(sid))


def digest_of(payload: bytes) -> bytes:
    """Return what the journal keeps of a payload."""
    return hashlib.blake2b(payload, digest_size=16).digest()


def is_unchanged(item: Item, entry: Entry) -> bool:
    """Return True if the source still has what was copied."""
    return item.digest == entry.copied and abs(item.record.expires_at - entry.ends) <= 1


def is_same_end(one: float, other: float, now: float) -> bool:
    """Return True if two records end at the same time, as far as their stores can tell."""
    return abs(one - other) <= TOLERANCE or min(one, other) > now + ENDLESS


def content(payload: bytes) -> str | bytes:
    """Return what a payload says, in whatever order and form it was written."""
    contents = decode(payload)
    if contents is None:
        return payload
    return stringify(_sorted([contents.data, contents.cookie, contents.system]))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(member) for member in value] if isinstance(value, list) else value
