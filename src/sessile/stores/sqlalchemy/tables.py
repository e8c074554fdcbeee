"""The tables of the SQLAlchemy store, and the statements for them: by dialect, those of the store for that database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from sessile.errors import InvalidOption
from sessile.stores._shared.codes import Codes
from sessile.stores.mysql import table as mysql_table
from sessile.stores.postgresql import table as postgresql_table
from sessile.stores.sqlite import layout as sqlite_layout

__all__ = ["Prepared", "default_table", "prepare"]

#: Statements for SQLite, where a moment is in seconds. A layout says what its columns are and hold.
_SQLITE = {
    "load": "SELECT coalesce({sess}, ''), {seconds} FROM {table} WHERE {sid} = %(sid)s AND {live}",
    "create": """
        INSERT INTO {table} ({sid}, {ends}, {sess}{more}) VALUES (%(sid)s, {end}, %(payload)s{values})
        ON CONFLICT ({sid}) DO UPDATE SET {ends} = excluded.{ends}, {sess} = excluded.{sess}{renewed}
        WHERE ({live}) IS NOT TRUE""",
    "replace": """
        UPDATE {table} SET {ends} = {end}, {sess} = %(payload)s{touched}
        WHERE {sid} = %(sid)s AND {live} AND CAST(coalesce({sess}, '') AS BLOB) = CAST(%(expected)s AS BLOB)""",
    "touch": "UPDATE {table} SET {ends} = {end}{touched} WHERE {sid} = %(sid)s AND {live}",
    "delete": "{delete} WHERE {sid} = %(sid)s AND {live}",
    "page": """
        SELECT {sid}, coalesce({sess}, ''), {seconds} FROM {table}
        WHERE {sid} > %(last)s AND typeof({sid}) = 'text' AND +{live} ORDER BY {sid} LIMIT %(limit)s""",
    "count": "SELECT count(*) FROM {table} WHERE {live}",
    "clear": "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} LIMIT %(limit)s)",
    "prune": "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {over} LIMIT %(limit)s)",
}
_SQLITE["sweep"] = _SQLITE["prune"]


def _text(between: str, zone: str) -> dict[str, str]:
    """Return the words of a layout whose ends are text with milliseconds."""
    return {
        "end": f"strftime('%Y-%m-%d{between}%H:%M:%S.000{zone}', %(end)s, 'unixepoch')",
        "now": f"strftime('%Y-%m-%d{between}%H:%M:%f{zone}', %(now)s, 'unixepoch')",
        "seconds": "CAST(strftime('%s', substr({ends}, 1, 19)) AS INTEGER) "
        "+ CAST('0' || substr({ends}, 20, 4) AS REAL)",
    }


#: The last moment that text of four digits for the year can name, in epoch seconds.
_YEAR_9999 = 253_402_300_799.0

_NUMBERS = {"end": "%(end)s * 1000", "now": "%(now)s * 1000.0", "seconds": "{ends} / 1000.0"}

#: How SQLAlchemy is told a moment of the layouts of `sqlite/layout.py`, whose other words these are.
_ENDS = {
    "connect-sqlite3": {**_NUMBERS, "end": "%(end)s * 1000.0"},
    "better-sqlite3-session-store": _text("T", "Z"),
    "connect-session-knex": _text("T", "Z"),
    "connect-session-sequelize": _text(" ", " +00:00"),
    "connect-typeorm": _NUMBERS,
    "prisma-session-store": {
        **_text("T", "+00:00"),
        "seconds": "CASE WHEN typeof({ends}) IN ('integer', 'real') THEN {ends} / 1000.0 ELSE "
        + _text("T", "+00:00")["seconds"]
        + " END",
    },
}

#: What the two spell in different ways.
_SPELT = {
    "delete": "DELETE FROM {table}",
    "destroy": "UPDATE {table} SET destroyedAt = strftime('%Y-%m-%d %H:%M:%S', %(now)s, 'unixepoch')",
}


def default_table(dialect: str, layout: str | None) -> str:
    """Return the name of the table if none is given."""
    if dialect == "postgresql":
        return postgresql_table.LAYOUTS.get(layout or "connect-pg-simple", {}).get("table", "session")
    known = sqlite_layout.LAYOUTS if dialect == "sqlite" else mysql_table.LAYOUTS
    found = known.get(layout or "")
    return "sessions" if found is None else found.table


#: The beginnings of SQLite's texts.
_SQLITE_CODES = Codes(
    no_table=frozenset({"no such table"}),
    exists=frozenset(),
    again=frozenset(),
    taken=frozenset(),
    unfit=frozenset({"string or blob too big"}),
    demoted=frozenset(),
    foreign=frozenset(
        {"no such column", "has no column named", "NOT NULL constraint failed", "CHECK constraint failed"}
    ),
    refused=frozenset({"attempt to write a readonly database", "database or disk is full", "access permission denied"}),
)


class Prepared(NamedTuple):
    """What a store needs to know of a table."""

    statements: Mapping[str, str]
    #: What makes the table.
    schema: tuple[str, ...]
    codes: Codes
    #: The longest id that stands in its column as it is.
    longest: int
    #: The last moment that it can hold; None: any.
    last_moment: float | None = None


def prepare(
    dialect: str,
    layout: str | None,
    table: str | None,
    schema: str | None,
    zone: str | None,
    *,
    indexes: bool = False,
) -> Prepared:
    """Return what there is to know of a table. Raises InvalidOption for what there is not in the dialect.

    ``indexes``: it is the table of the index.
    """
    if dialect != "postgresql" and schema is not None:
        raise InvalidOption("schema", f"{dialect} has none", "Leave it out.")
    if dialect == "postgresql":
        place = (layout or "connect-pg-simple", table, schema, zone)
        found, definition = postgresql_table.prepare(*place, edit=_named, indexes=indexes)
        return Prepared(found, definition, postgresql_table.CODES, postgresql_table.LONGEST_ID)
    if dialect in ("mysql", "mariadb"):
        layout = layout or "express-mysql-session"
        statements, one, last_moment, longest = mysql_table.fill_in(layout, table, indexes=indexes)
        definition = (_named(one.replace("%", "%%")),)
        return Prepared(_all_named(statements), definition, mysql_table.CODES, longest, last_moment)
    if dialect != "sqlite":
        raise InvalidOption("engine", f"its dialect is {dialect}", "PostgreSQL, MySQL, MariaDB and SQLite are known.")
    return _for_sqlite(layout or "connect-sqlite3", table)


def _for_sqlite(name: str, table: str | None) -> Prepared:
    if name not in sqlite_layout.LAYOUTS:
        known = ", ".join(map(repr, sqlite_layout.LAYOUTS))
        raise InvalidOption("layout", f"{name!r} is unknown", f"Use one of: {known}.")
    layout = sqlite_layout.LAYOUTS[name]
    _, schema = sqlite_layout.fill_in(layout, table or layout.table)
    given = layout.words
    words = {
        **sqlite_layout.USUAL,
        **given,
        **_ENDS[name],
        "ends": given["end"],
        "delete": _SPELT["destroy"] if "delete" in given else _SPELT["delete"],
        "values": given.get("values", "").replace("CAST(?1 AS TEXT)", "%(sid)s"),
        "table": f'"{table or layout.table}"',
    }
    statements = {verb: sqlite_layout.filled(statement, words) for verb, statement in _SQLITE.items()}
    # What is left of percent signs belongs to strftime.
    percents = re.compile(r"%(?!\()")
    return Prepared(
        {verb: _named(percents.sub("%%", text)) for verb, text in statements.items()},
        tuple(_named(statement) for statement in schema),
        _SQLITE_CODES,
        255,
        _YEAR_9999 if "strftime" in words["end"] else None,
    )


def _all_named(statements: Mapping[str, str]) -> dict[str, str]:
    return {verb: _named(statement) for verb, statement in statements.items()}


def _named(statement: str) -> str:
    """Return ``statement`` with the parameters as SQLAlchemy writes them."""
    return re.sub(r"%\((\w+)\)s", r":\1", statement.replace(":", r"\:")).replace("%%", "%")
