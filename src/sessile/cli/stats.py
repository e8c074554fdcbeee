# One pass over all sessions, and nothing kept of them but sums: memory does not grow with the store. The number of
# users is exact up to a few thousand; beyond that it is an estimate, from how close together the smallest of their
# hashes stand (Bar-Yossef et al., "Counting distinct elements in a data stream", 2002), off by some two per cent.
"""``sessile stats``: count the sessions, and tell how they are."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from heapq import heappush, heapreplace

from rich.console import JustifyMethod
from rich.table import Table

from sessile.cli.handle import Summary, summary_of
from sessile.cli.output import Json, bytes_of, console, emit, grid, note, plain
from sessile.cli.span import length
from sessile.cli.target import App, Store, opened

__all__ = ["Distinct", "stats"]

#: What is counted by time: a name, and up to how many seconds. The last one takes the rest.
SPANS = (
    ("5 minutes", 300.0),
    ("1 hour", 3600.0),
    ("1 day", 86_400.0),
    ("1 week", 604_800.0),
    ("30 days", 2_592_000.0),
    ("later", math.inf),
)

#: The length of the longest bar of a histogram, in characters.
BAR = 24


class Distinct:
    """Counts different things, and remembers ``most`` hashes at most."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._smallest: list[int] = []  # A heap of their negatives: the largest of them is on top.
        self._known: set[int] = set()

    def add(self, thing: str | int) -> None:
        """Count ``thing``, if it is new."""
        value = int.from_bytes(hashlib.blake2b(repr(thing).encode("utf-8", "replace"), digest_size=8).digest())
        if value in self._known:
            return
        if len(self._smallest) < self._most:
            heappush(self._smallest, -value)
        elif value < -self._smallest[0]:
            self._known.discard(-heapreplace(self._smallest, -value))
        else:
            return
        self._known.add(value)

    @property
    def exact(self) -> bool:
        """Whether ``count`` is the number, and no estimate."""
        return len(self._smallest) < self._most

    @property
    def count(self) -> int:
        """How many different things there were."""
        if self.exact:
            return len(self._smallest)
        return round((self._most - 1) * 2**64 / -self._smallest[0])


class _Sums:
    def __init__(self, now: float) -> None:
        self.now = now
        self.number = self.logged_in = self.bytes = self.largest = 0
        self.users = Distinct()
        self.oldest: float | None = None
        self.seen = dict.fromkeys((name for name, _ in SPANS), 0)
        self.ends = dict(self.seen)

    def add(self, each: Summary) -> None:
        self.number += 1
        self.bytes += each.size
        self.largest = max(self.largest, each.size)
        if each.user is not None:
            self.logged_in += 1
            self.users.add(each.user)
        if each.created_at is not None and (self.oldest is None or each.created_at < self.oldest):
            self.oldest = each.created_at
        self.seen[_span(self.now - each.last_seen)] += 1
        self.ends[_span(each.expires_at - self.now)] += 1


def stats(app: App = None, store: Store = None, json: Json = False) -> None:
    """Count the sessions.

    Those of users and of nobody, how large and how old they are, and when they end. All are looked at, once.
    """
    with opened(app, store) as site:
        now = site.sessions.options.clock()
        sums = _sum((summary_of(site, session) for session in site.all()), now)
        if json:
            _emit(sums, site.unreadable())
        else:
            _print(sums)
            if site.unreadable():
                note(f"{site.unreadable()} records cannot be read: damaged, or of a codec, which --app knows.")


def _sum(summaries: Iterable[Summary], now: float) -> _Sums:
    sums = _Sums(now)
    for each in summaries:
        sums.add(each)
    return sums


def _span(seconds: float) -> str:
    return next(name for name, most in SPANS if seconds <= most)


def _emit(sums: _Sums, unreadable: int) -> None:
    emit(
        sessions=sums.number,
        logged_in=sums.logged_in,
        anonymous=sums.number - sums.logged_in,
        users=sums.users.count,
        users_exact=sums.users.exact,
        bytes=sums.bytes,
        largest=sums.largest,
        oldest_seconds=None if sums.oldest is None else round(sums.now - sums.oldest),
        seen_within=sums.seen,
        ends_within=sums.ends,
        unreadable=unreadable,
    )


def _print(sums: _Sums) -> None:
    out = console()
    facts = grid()
    users = f"{sums.users.count:,}" if sums.users.exact else f"about {sums.users.count:,}"
    facts.add_row("sessions", f"{sums.number:,}")
    facts.add_row("logged in", f"{sums.logged_in:,} (of {users} users)")
    facts.add_row("anonymous", f"{sums.number - sums.logged_in:,}")
    if sums.number:
        mean = bytes_of(sums.bytes / sums.number)
        facts.add_row("size", f"{mean} on average, {bytes_of(sums.largest)} at most, {bytes_of(sums.bytes)} in all")
    if sums.oldest is not None:
        facts.add_row("oldest", length(sums.now - sums.oldest))
    out.print(facts)
    sides: tuple[JustifyMethod, ...] = ("left", "left", "right")
    for title, counts in (("last seen within", sums.seen), ("end within", sums.ends)):
        if sums.number:
            out.print()
            out.print(plain(title, "bold"))
            bars = Table.grid(padding=(0, 2, 0, 0))
            for side in sides:
                bars.add_column(justify=side, no_wrap=True)
            for name, count in counts.items():
                bars.add_row(f"  {name}", "█" * math.ceil(BAR * count / sums.number), f"{count:,}")
            out.print(bars)
