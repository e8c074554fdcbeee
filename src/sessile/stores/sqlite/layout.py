# Stores of Node's keep sessions in SQLite, in tables that differ in names, and in how they say when a session ends.
#
#   connect-sqlite3                `expired`, milliseconds as REAL; no column has a type
#   better-sqlite3-session-store   `expire`, text such as 2033-05-18T04:33:20.123Z
#   connect-session-knex           `expired`, the same text
#   connect-session-sequelize      `expires`, text such as 2033-05-18 04:33:20.123 +00:00; and when the row was written
#   connect-typeorm                `expiredAt`, milliseconds; and `destroyedAt`: a row that has it is dead
#   prisma-session-store           `expiresAt`, milliseconds (Prisma up to 6) or the text 2033-05-18T04:33:20.123+00:00
#
# The first is the default: a number is compared to our clock as it is. Text of one form has the order of the moments
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

from sessile.errors import InvalidOption

__all__ = ["LAYOUTS", "USUAL", "Layout", "Statement", "check_name", "fill_in", "filled"]


class Statement(NamedTuple):
    """A statement for one table."""

    #: The verb of the store that it is for.
    operation: str
    table: str
    text: str


class Layout(NamedTuple):
    """A table, and how it says when a session ends."""

    #: Parts of the statements: the columns, the one with the end, what is live, and what is over. See ``USUAL``.
    words: dict[str, str]
    #: From epoch seconds to what stands in the column, rounded up.
    moment: Callable[[float], Any]
    #: And back.
    seconds: Callable[[Any], float]
    #: What the package calls its table.
    table: str = "sessions"


def _milliseconds(moment: float) -> float:
    return moment * 1000.0


def _from_milliseconds(value: float) -> float:
    return value / 1000


#: The last millisecond that four digits of a year can name.
_LATEST = 253_402_300_799_999


def _text(moment: float, between: str = "T", zone: str = "Z") -> str:
    seconds, milliseconds = divmod(max(0, min(math.ceil(round(moment * 1000, 2)), _LATEST)), 1000)
    return f"{time.strftime(f'%Y-%m-%d{between}%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03}{zone}"


def _whole_milliseconds(moment: float) -> int:
    return math.ceil(round(moment * 1000, 2))


def _text_of_sequelize(moment: float) -> str:
    return _text(moment, " ", " +00:00")


def _text_of_prisma(moment: float) -> str:
    return _text(moment, "T", "+00:00")


def _from_text(value: str) -> float:
    try:
        return timegm(time.strptime(f"{value[:10]}T{value[11:19]}", "%Y-%m-%dT%H:%M:%S")) + int(value[20:23]) / 1000
    except ValueError:  # Of the form, and no moment: a month 19.
        return 0.0


def _from_either(value: str | float) -> float:
    return _from_text(value) if isinstance(value, str) else value / 1000


# In SQLite's order NULL is below all numbers, and the empty text above them.
_NUMBER = {"end": "expired", "live": "expired > {now} AND expired < ''", "over": "expired <= {now}"}

_DAY, _TIME = "[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]", "[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]"


def _as_text(end: str, between: str = "T", zone: str = "Z") -> dict[str, str]:
    form = f"'{_DAY}{between}{_TIME}{zone}'"
    return {
        "end": end,
        "live": f"{end} > {{now}} AND {end} GLOB {form}",
        "over": f"{end} <= {{now}} AND {end} GLOB {form}",
    }


# Prisma's connector for SQLite wrote numbers up to version 6, and writes text from 7 on; it reads both. A number is
# made text of the same form, for only that can be compared to the other.
_PRISMAS = "strftime('%Y-%m-%dT%H:%M:%f', expiresAt / 1000.0, 'unixepoch') || '+00:00'"
_ENDS_OF_PRISMA = f"CASE WHEN typeof(expiresAt) IN ('integer', 'real') THEN {_PRISMAS} ELSE expiresAt END"
_GLOB_OF_PRISMA = f"GLOB '{_DAY}T{_TIME}[+Z]*'"

#: What a layout does not say.
USUAL = {
    "sid": "sid",
    "sess": "sess",
    # Columns of a new row beside the three, and their values; what a renewed row gets, and one that is changed.
    "more": "",
    "values": "",
    "renewed": "",
    "touched": "",
    # What makes a row dead, whatever its end; and how it is ended, which answers whether it was live.
    "alive": "",
    "delete": "DELETE FROM {table} WHERE {of_sid} RETURNING ({live}) IS TRUE",
    "indexes": "CREATE INDEX IF NOT EXISTS {index} ON {table} ({end})",
}

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
    "connect-session-sequelize": Layout(
        {
            **_as_text("expires", " ", " +00:00"),
            "sess": "data",
            "columns": "`sid` VARCHAR(36) PRIMARY KEY, `expires` DATETIME, `data` TEXT, "
            "`createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL",
            "more": ", createdAt, updatedAt",
            "values": ", {now}, {now}",
            "renewed": ", createdAt = excluded.createdAt, updatedAt = excluded.updatedAt",
            "touched": ", updatedAt = {now}",
        },
        _text_of_sequelize,
        _from_text,
        "Sessions",
    ),
    "connect-typeorm": Layout(
        {
            "end": "expiredAt",
            "live": "expiredAt > {now} AND expiredAt < '' AND destroyedAt IS NULL",
            "over": "expiredAt <= {now}",
            "sid": "id",
            "sess": "json",
            "columns": '"expiredAt" bigint NOT NULL, "id" varchar(255) PRIMARY KEY NOT NULL, "json" text NOT NULL, '
            '"destroyedAt" datetime',
            "renewed": ", destroyedAt = NULL",
            "delete": "UPDATE {table} SET destroyedAt = strftime('%Y-%m-%d %H:%M:%S', {now} / 1000.0, 'unixepoch') "
            "WHERE {of_sid} AND destroyedAt IS NULL RETURNING (expiredAt > {now} AND expiredAt < '') IS TRUE",
        },
        _whole_milliseconds,
        _from_milliseconds,
        "session",
    ),
    "prisma-session-store": Layout(
        {
            "end": "expiresAt",
            "live": f"{_ENDS_OF_PRISMA} > {{now}} AND {_ENDS_OF_PRISMA} {_GLOB_OF_PRISMA}",
            "over": f"{_ENDS_OF_PRISMA} <= {{now}} AND {_ENDS_OF_PRISMA} {_GLOB_OF_PRISMA}",
            "sess": "data",
            "columns": '"id" TEXT NOT NULL PRIMARY KEY, "sid" TEXT NOT NULL, "data" TEXT NOT NULL, '
            '"expiresAt" DATETIME NOT NULL',
            # No other: Prisma takes what its schema does not name for a mistake, and offers to remove all.
            "indexes": 'CREATE UNIQUE INDEX IF NOT EXISTS {key_index} ON {table} ("sid")',
            "more": ", id",
            "values": ", CAST(?1 AS TEXT)",
        },
        _text_of_prisma,
        _from_either,
        "Session",
    ),
}

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS {table} ({columns})",
    "{indexes}",
)

# The plus keeps SQLite from using the index on expiry: the pages go by sid.
_PAGE = """
    SELECT CAST({sid} AS BLOB), {payload}, {end} FROM {table}
    WHERE {sid} > CAST(?1 AS TEXT) AND typeof({sid}) = 'text' AND +{live} ORDER BY {sid} LIMIT ?3"""

#: The statements, and which of their parameters is the time.
_STATEMENTS = {
    "load": ("?2", "SELECT {payload}, {end} FROM {table} WHERE {of_sid} AND {live}"),
    "create": (
        "?4",
        """
        INSERT INTO {table} ({sid}, {end}, {sess}{more}) VALUES (CAST(?1 AS TEXT), ?2, CAST(?3 AS TEXT){values})
        ON CONFLICT ({sid}) DO UPDATE SET {end} = excluded.{end}, {sess} = excluded.{sess}{renewed}
        WHERE ({live}) IS NOT TRUE""",
    ),
    "replace": (
        "?4",
        """
        UPDATE {table} SET {end} = ?1, {sess} = CAST(?2 AS TEXT){touched}
        WHERE {sid} = CAST(?3 AS TEXT) AND {live} AND {payload} = ?5""",
    ),
    "touch": ("?3", "UPDATE {table} SET {end} = ?1{touched} WHERE {sid} = CAST(?2 AS TEXT) AND {live}"),
    "delete": ("?2", "{delete}"),
    "count": ("?1", "SELECT count(*) FROM {table} WHERE {live}"),
    "clear": ("", "DELETE FROM {table}"),
    "first page": ("?2", _PAGE.replace("{sid} > CAST", "{sid} >= CAST")),
    "page": ("?2", _PAGE),
    "prune": ("?1", "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {over} LIMIT ?2)"),
}

_WORDS = {
    "of_sid": "{sid} = CAST(?1 AS TEXT)",
    "payload": "CAST(coalesce({sess}, '') AS BLOB)",
}


def fill_in(layout: Layout, table: str) -> tuple[dict[str, Statement], tuple[str, ...]]:
    """Return the statements and the schema for one table. Raises InvalidOption for what cannot be its name."""
    check_name(table)
    words = {
        **USUAL,
        **_WORDS,
        **layout.words,
        "table": f'"{table}"',
        "index": f'"{table}_expired"',
        "key_index": f'"{table}_sid_key"',
    }
    statements = {
        verb: Statement("all" if "page" in verb else verb, table, filled(statement, {**words, "now": now}))
        for verb, (now, statement) in _STATEMENTS.items()
    }
    return statements, tuple(filled(statement, {**words, "now": ""}) for statement in _SCHEMA)


def filled(template: str, words: dict[str, str]) -> str:
    """Return ``template`` with words in the place of their names, and of the names in those words."""
    for _ in range(3):
        template = template.format(**words)
    return template


def check_name(table: str) -> None:
    """Raise InvalidOption for what cannot be the name of a table."""
    if not table.replace("_", "").isalnum() or not table.isascii():
        raise InvalidOption("table", f"{table!r} is no plain name", "Use letters, digits and underscores.")
