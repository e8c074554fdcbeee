# The names are JavaScript's, for the attributes stand in the record as express-session writes them, and the record may
# have been written by anybody: so each is read with its type in doubt, and arithmetic survives any number.
"""The attributes of a session's cookie, as they are stored."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from sessile._records.record import JSON

__all__ = ["ends_inside", "is_life", "iso", "moment_in", "original_max_age", "parse_iso", "refresh", "text"]


#: Thirty thousand years, in milliseconds. A record may name any number, and arithmetic has to survive it.
_LONGEST_LIFE = 10**15


def original_max_age(stored: Mapping[str, JSON]) -> float | None:
    """Return the stored life in milliseconds, or None where there is none or something else stands in its place."""
    value = stored.get("originalMaxAge")
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return min(max(value, -_LONGEST_LIFE), _LONGEST_LIFE)


def moment_in(value: JSON) -> float | None:
    """Return the moment, in epoch seconds, that a field of a record names, or None if it names none.

    JSON has integers that no float can hold.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


#: What a package of Node keeps of a cookie that keeps the length of its life, and none of the other attributes.
_LIFE = {"originalMaxAge", "expires"}


def is_life(stored: Mapping[str, JSON]) -> bool:
    """Tell whether ``stored`` says how long a session lives and nothing else, so that the options say the rest."""
    return stored.keys() == _LIFE


def ends_inside(stored: Mapping[str, JSON]) -> bool:
    """Tell whether a program decides by the stored ``expires``, and not by the store, whether the session has ended.

    @fastify/session does, and puts it first; express-session puts ``originalMaxAge`` first.
    """
    return next(iter(stored), "") == "expires" and stored["expires"] is not None


def refresh(stored: dict[str, JSON], now: float) -> None:
    """Move the stored end of the cookie to ``now`` plus its whole life. Exact: in express-session it drifts."""
    life = original_max_age(stored)
    if life is not None:
        stored["expires"] = iso((now * 1000 + life) / 1000)
    elif stored.get("expires") is not None:
        stored["expires"] = None


#: JavaScript's Date.prototype.toISOString has four digits for the year up to here.
_LATEST = 253_402_300_799.0


def iso(moment: float) -> str:
    """Return epoch seconds as JavaScript's ``toISOString`` does: UTC, three digits of milliseconds, Z."""
    seconds, milliseconds = divmod(round(min(max(moment, 0.0), _LATEST) * 1000), 1000)
    return f"{_second_of(seconds)}.{milliseconds:03}Z"


@lru_cache
def _second_of(seconds: int) -> str:
    at = time.gmtime(seconds)
    return f"{at.tm_year:04}-{at.tm_mon:02}-{at.tm_mday:02}T{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"


def parse_iso(value: JSON) -> datetime | None:
    """Return the moment that a stored ``expires`` names, or None for whatever else stands there."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def text(stored: Mapping[str, JSON], key: str) -> str | None:
    """Return a stored attribute if it is text, and None for whatever else stands there."""
    value = stored.get(key)
    return value if isinstance(value, str) else None
