# Three stores of Node's keep sessions in SQLite, in tables that differ in one column: how it says when a session ends.
#
#   connect-sqlite3                `expired`, milliseconds as REAL; no column has a type
#   better-sqlite3-session-store   `expire`, text such as 2033-05-18T04:33:20.123Z
#   connect-session-knex           `expired`, the same text
#
# The first is the default: a number is compared to our clock as it is. Text of this form has the order of the moments
# that it names, and whatever has another form is no expiry.
#
# A row of somebody else's may hold anything. A payload and a sid are bytes on their way in and out, and TEXT in the
# table, where Node reads it: the casts convert without looking.
"""The tables in which stores of Node's keep sessions in SQLite, and the statements for them."""

from __future__ import annotations

import math
import time
from calendar import timegm
from collections.abc import Callable
from typing import Any, NamedTuple

from holdfast.errors import InvalidOption

__all__ = ["LAYOUTS", "SCHEMA_VERSION", "Layout", "check_name", "fill_in"]

#: Written to PRAGMA user_version. 1: the table of connect-sqlite3, and an index on its expiry.
SCHEMA_VERSION = 1


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

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS {table} ({columns})",
    "CREATE INDEX IF NOT EXISTS {index} ON {table} ({end})",
)

_WORDS = {
    "of_sid": "sid = CAST(? AS TEXT)",
    "payload": "CAST(coalesce(sess, '') AS BLOB)",
}

# The plus keeps SQLite from using the index on expiry: the pages go by sid.
_PAGE = """
    SELECT CAST(sid AS BLOB), {payload}, {end} FROM {table}
    WHERE sid > CAST(? AS TEXT) AND typeof(sid) = 'text' AND +{live} ORDER BY sid LIMIT ?"""

_STATEMENTS = {
    "load": "SELECT {payload}, {end} FROM {table} WHERE {of_sid} AND {live}",
    "create": """
        INSERT INTO {table} (sid, {end}, sess) VALUES (CAST(? AS TEXT), ?, CAST(? AS TEXT))
        ON CONFLICT (sid) DO UPDATE SET {end} = excluded.{end}, sess = excluded.sess WHERE ({live}) IS NOT TRUE""",
    "replace": """
        UPDATE {table} SET {end} = ?, sess = CAST(? AS TEXT) WHERE {of_sid} AND {live} AND {payload} = ?""",
    "touch": "UPDATE {table} SET {end} = ? WHERE {of_sid} AND {live}",
    "delete": "DELETE FROM {table} WHERE {of_sid} RETURNING ({live}) IS TRUE",
    "count": "SELECT count(*) FROM {table} WHERE {live}",
    "clear": "DELETE FROM {table}",
    "first page": _PAGE.replace("sid > CAST", "sid >= CAST"),
    "page": _PAGE,
    "prune": "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {over} LIMIT ?)",
}


def fill_in(layout: Layout, table: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the statements and the schema for one table. Raises InvalidOption for what cannot be its name."""
    check_name(table)
    words = {**_WORDS, **layout.words, "table": f'"{table}"', "index": f'"{table}_expired"'}
    statements = {verb: statement.format(**words) for verb, statement in _STATEMENTS.items()}
    return statements, tuple(statement.format(**words) for statement in _SCHEMA)


def check_name(table: str) -> None:
    """Raise InvalidOption for what cannot be the name of a table."""
    if not table.replace("_", "").isalnum() or not table.isascii():
        raise InvalidOption("table", f"{table!r} is no plain name", "Use letters, digits and underscores.")
