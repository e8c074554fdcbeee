# Three stores of Node's keep sessions in SQLite, in tables that differ in one column: how it says when a session ends.
#
#   connect-sqlite3                `expired`, milliseconds as REAL; no column has a type
#   better-sqlite3-session-store   `expire`, text such as 2033-05-18T04:33:20.123Z
#   connect-session-knex           `expired`, the same text
#
# The first is the default: a number is compared to our clock as it is. Text of this form has the order of the moments
# that it names, and whatever has another form is no expiry.
"""The tables in which stores of Node's keep sessions in SQLite."""

from __future__ import annotations

import math
import time
from calendar import timegm
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["LAYOUTS", "Layout"]


class Layout(NamedTuple):
    """A table, and how it says when a session ends."""

    #: Parts of the statements: the columns, the one with the end, what is live, and what is over.
    words: dict[str, str]
    #: From epoch seconds to what stands in the column, rounded up.
    moment: Callable[[float], Any]
    #: And back.
    seconds: Callable[[Any], float]


def _milliseconds(moment: float) -> float:
    return moment * 1000.0


def _from_milliseconds(value: float) -> float:
    return value / 1000


#: The last millisecond that four digits of a year can name.
_LATEST = 253_402_300_799_999


def _text(moment: float) -> str:
    seconds, milliseconds = divmod(max(0, min(math.ceil(round(moment * 1000, 2)), _LATEST)), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03}Z"


def _from_text(value: str) -> float:
    try:
        return timegm(time.strptime(value[:19], "%Y-%m-%dT%H:%M:%S")) + int(value[20:23]) / 1000
    except ValueError:  # Of the form, and no moment: a month 19.
        return 0.0


# In SQLite's order NULL is below all numbers, and the empty text above them.
_NUMBER = {"end": "expired", "live": "expired > ? AND expired < ''", "over": "expired <= ?"}


def _as_text(end: str) -> dict[str, str]:
    form = "'[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z'"
    return {"end": end, "live": f"{end} > ? AND {end} GLOB {form}", "over": f"{end} <= ? AND {end} GLOB {form}"}


LAYOUTS = {
    "connect-sqlite3": Layout(
        {**_NUMBER, "columns": "sid PRIMARY KEY, expired, sess"}, _milliseconds, _from_milliseconds
    ),
    "better-sqlite3-session-store": Layout(
        {**_as_text("expire"), "columns": "sid TEXT NOT NULL PRIMARY KEY, sess JSON NOT NULL, expire TEXT NOT NULL"},
        _text,
        _from_text,
    ),
    "connect-session-knex": Layout(
        {
            **_as_text("expired"),
            "columns": "sid varchar(255), sess json not null, expired datetime not null, primary key (sid)",
        },
        _text,
        _from_text,
    ),
}
