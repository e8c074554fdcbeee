# How long a session may live is decided by its record and our clock, whatever the cookie says and whenever the store
# removes it: the idle limit is the end of the record, which each visit moves, and the absolute one counts from what the
# record says of its beginning.
#
# Pure: no I/O, no clock.
"""The limits of a session's life."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, ClassVar, Final

from sessile._records.record import AUTHENTICATED, CREATED, JSON, REMEMBERED, RENEWED, USER
from sessile._wire.warn import warn_outside
from sessile.cookies import MAX_AGE_LIMIT
from sessile.errors import InvalidOption

__all__ = [
    "CLOCKS_APART",
    "LONGEST_GRACE",
    "LONGEST_LIFE",
    "MOMENTS",
    "LengthWarning",
    "Lifetime",
    "in_milliseconds",
    "moment",
    "seconds",
]

#: The range of a JavaScript date (ECMA-262 21.4.1.1), in seconds: Node could not read a longer life.
LONGEST_LIFE: Final = 8.64e12

#: How long an old id may be good beside the new one, in seconds: a request is hardly longer in flight.
LONGEST_GRACE: Final = 300

#: By how many seconds the clocks of two servers of one site may differ, and a moment of one counts on the other.
CLOCKS_APART: Final = 2.0

#: The system fields that are moments at which the visitor was there.
MOMENTS: Final = (RENEWED, AUTHENTICATED, CREATED)


def seconds(length: object) -> float | None:
    """Return a length of time, seconds or a timedelta, in seconds. None if it is none, or too long for a date."""
    if isinstance(length, timedelta):
        length = length.total_seconds()
    if isinstance(length, bool) or not isinstance(length, (int, float)) or not abs(length) <= LONGEST_LIFE:
        return None
    return float(length)


class LengthWarning(UserWarning):
    """Says that a length of time is hardly what was meant: milliseconds, or no time at all."""


def in_milliseconds(name: str, length: object) -> str:
    """Return what is odd about a length of over 400 days, "" if nothing is. A timedelta has a unit, so it is meant."""
    if not isinstance(length, (int, float)) or not MAX_AGE_LIMIT < length <= LONGEST_LIFE:
        return ""
    return (
        f"{length:.0f} seconds are {length / 86_400:.0f} days. If you meant milliseconds, as in express-session, "
        f"give seconds: {name}={length / 1000:.10g}. If you meant that long, give a timedelta"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Lifetime:
    """The limits of a session's life: ``Sessions(lifetime=Lifetime(...))``. Each is seconds or a timedelta, or None.

    They are kept by the server, so a copied cookie is worth nothing after them (NIST SP 800-63B-4 section 5.1; OWASP
    ASVS 5.0 7.3.1 and 7.3.2). Raises InvalidOption for what contradicts itself.

    >>> office = Lifetime(idle=30 * 60, absolute=12 * 3600)
    """

    #: How long a session lives after its last visit, whatever its cookie says. None: as long as its cookie, or ``ttl``.
    idle: float | timedelta | None = None
    #: How long it lives however busy it is, from the log-in; without one, from when it began. Logging in again, or
    #: ``session.reauthenticated()``, begins it anew. None: no limit.
    absolute: float | timedelta | None = None
    #: How long a session in which nobody is logged in lives after its last visit. None: as long as any.
    anonymous: float | timedelta | None = None
    #: How long a session keeps its id: the next visit gets a new one, so that a token that leaked is not good for
    #: ever (OWASP Session Management: renewal timeout). None: until something else changes it.
    renew_every: float | timedelta | None = None
    #: For how many seconds, up to 300, the id before is good as well, for requests in flight. A browser that still
    #: comes by it gets the new one; one whose answer was lost, and that comes later, has to log in again.
    renewal_grace: float | timedelta = 60.0
    #: How long a session lives that was begun by ``login(..., remember=True)``, in place of ``idle`` and ``absolute``:
    #: its cookie outlives the browser. None: nobody is remembered, and ``remember=True`` raises SessionError.
    remember: float | timedelta | None = None

    #: NIST SP 800-63B-4 for authenticator assurance level 1: 30 days at most, with no limit for idle sessions.
    AAL1: ClassVar[Lifetime]
    #: Level 2: 24 hours at most, one hour without a visit.
    AAL2: ClassVar[Lifetime]
    #: Level 3: 12 hours at most, 15 minutes without a visit.
    AAL3: ClassVar[Lifetime]

    def __post_init__(self) -> None:
        for each in fields(self):
            given = getattr(self, each.name)
            if given is None and each.name != "renewal_grace":
                continue
            length = seconds(given)
            if length is None or length < 0 or (length == 0 and each.name != "renewal_grace"):
                raise InvalidOption(f"lifetime {each.name}", f"{given!r} is no length of time", "Give seconds or None.")
            if problem := in_milliseconds(each.name, given):
                warn_outside(f"lifetime {each.name}: {problem}", LengthWarning)
            object.__setattr__(self, each.name, length)
        if not self.renewal_grace <= LONGEST_GRACE:  # type: ignore[operator]
            raise InvalidOption(
                "lifetime renewal_grace", f"{self.renewal_grace!r} is too long", f"Give up to {LONGEST_GRACE} seconds."
            )
        for shorter, longer in (("idle", "absolute"), ("anonymous", "absolute"), ("renewal_grace", "renew_every")):
            less, more = getattr(self, shorter), getattr(self, longer)
            if less is not None and more is not None and less > more:
                problem = f"{less:g} seconds are more than {longer}={more:g}"
                raise InvalidOption(f"lifetime {shorter}", problem, "Make it shorter, or leave it out.")

    # What the rules ask. A length is a number of seconds here, whatever was given.

    def of_record(self, system: Mapping[str, JSON], life: float | None, ttl: float) -> float:
        """Return for how many seconds after a visit a session with these system fields lives.

        ``life`` is what its cookie says, None if that has no end; ``ttl`` is what holds then.
        """
        own: Any = self
        if own.remember is not None and system.get(REMEMBERED) is True:
            return float(own.remember)
        shortest = life
        if shortest is None:
            shortest = ttl if own.idle is None else own.idle
        for limit in (own.idle, own.absolute, None if USER in system else own.anonymous):
            if limit is not None and limit < shortest:
                shortest = limit
        return shortest

    def end(self, system: Mapping[str, JSON], now: float) -> float:
        """Return when a session with these system fields is over, however busy it is, in epoch seconds."""
        own: Any = self
        limit = own.absolute
        if own.remember is not None and system.get(REMEMBERED) is True:
            limit = own.remember
        if limit is None:
            return math.inf
        begun = AUTHENTICATED if USER in system and AUTHENTICATED in system else CREATED
        return moment(system.get(begun), now) + float(limit)

    def lacks_beginning(self, system: Mapping[str, JSON]) -> bool:
        """Tell whether a limit counts from the beginning of a session, and these system fields do not name it."""
        return CREATED not in system and not (self.absolute is None and self.renew_every is None)

    def renewal_is_due(self, system: Mapping[str, JSON], now: float) -> bool:
        """Tell whether a session with these system fields has had its id for too long."""
        every: Any = self.renew_every
        if every is None:
            return False
        known = False
        for name in MOMENTS:
            if name in system:
                if now - moment(system[name], now) < every:
                    return False
                known = True
        return known


def moment(value: JSON, now: float) -> float:
    """Return the moment that a system field names: ``now`` for what is none, and never a later one."""
    if (value.__class__ is float or value.__class__ is int) and value < now:
        return float(max(value, 0))
    return now


_DAY = 86_400.0
Lifetime.AAL1 = Lifetime(absolute=30 * _DAY, remember=30 * _DAY)
Lifetime.AAL2 = Lifetime(idle=3600, absolute=_DAY)
Lifetime.AAL3 = Lifetime(idle=900, absolute=_DAY / 2)
