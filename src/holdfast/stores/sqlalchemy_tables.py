"""The tables of the SQLAlchemy store, and the statements for them: by dialect, those of the store for that database."""

from __future__ import annotations

import re

from holdfast.errors import InvalidOption
from holdfast.stores import mysql_table, postgresql_table
from holdfast.stores.sqlite_layout import check_name

__all__ = ["default_table", "statements_for"]

#: connect-sqlite3's table, as in `SqliteStore`: ends in milliseconds, as REAL.
_SQLITE = {
    "load": "SELECT coalesce(sess, ''), expired / 1000.0 FROM {table} WHERE sid = %(sid)s AND {live}",
    "create": """
        INSERT INTO {table} (sid, expired, sess) VALUES (%(sid)s, %(end)s * 1000.0, %(payload)s)
        ON CONFLICT (sid) DO UPDATE SET expired = excluded.expired, sess = excluded.sess WHERE ({live}) IS NOT TRUE""",
    "replace": """
        UPDATE {table} SET expired = %(end)s * 1000.0, sess = %(payload)s
        WHERE sid = %(sid)s AND {live} AND CAST(coalesce(sess, '') AS BLOB) = CAST(%(expected)s AS BLOB)""",
    "touch": "UPDATE {table} SET expired = %(end)s * 1000.0 WHERE sid = %(sid)s AND {live}",
    "delete": "DELETE FROM {table} WHERE sid = %(sid)s AND {live}",
    "page": """
        SELECT sid, coalesce(sess, ''), expired / 1000.0 FROM {table}
        WHERE sid > %(last)s AND typeof(sid) = 'text' AND +{live} ORDER BY sid LIMIT %(limit)s""",
    "count": "SELECT count(*) FROM {table} WHERE {live}",
    "clear": "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} LIMIT %(limit)s)",
    "prune": """
        DELETE FROM {table} WHERE rowid IN (
            SELECT rowid FROM {table} WHERE expired <= %(now)s * 1000.0 LIMIT %(limit)s)""",
}
_SQLITE["sweep"] = _SQLITE["prune"]
_SQLITE_LIVE = "expired > %(now)s * 1000.0 AND expired < ''"
_SQLITE_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS {table} (sid PRIMARY KEY, expired, sess)",
    "CREATE INDEX IF NOT EXISTS {index} ON {table} (expired)",
)


def default_table(dialect: str, layout: str | None) -> str:
    """Return the name of the table if none is given."""
    if dialect != "postgresql":
        return "sessions"
    return postgresql_table.LAYOUTS.get(layout or "connect-pg-simple", {}).get("table", "session")


def statements_for(
    dialect: str, layout: str | None, table: str | None, schema: str | None, zone: str | None
) -> tuple[dict[str, str], tuple[str, ...], float | None]:
    """Return the statements, those that make the table, and the last moment that it can hold; None: any.

    Raises InvalidOption for what there is not in the dialect.
    """
    last_moment = None
    if dialect != "postgresql" and schema is not None:
        raise InvalidOption("schema", f"{dialect} has none", "Leave it out.")
    if dialect == "postgresql":
        place = (layout or "connect-pg-simple", table, schema, zone)
        statements = postgresql_table.fill_in(postgresql_table.STATEMENTS, *place)
        definition = tuple(postgresql_table.fill_in(dict(enumerate(postgresql_table.SCHEMA)), *place).values())
    elif dialect in ("mysql", "mariadb"):
        statements, one, last_moment = mysql_table.fill_in(layout or "express-mysql-session", table or "sessions")
        definition = (one.replace("%", "%%"),)
    elif dialect == "sqlite":
        if layout not in (None, "connect-sqlite3"):
            raise InvalidOption("layout", f"{layout!r} is none for SQLite here", "SqliteStore has the others.")
        name = table or "sessions"
        check_name(name)
        words = {"table": f'"{name}"', "index": f'"{name}_expired"', "live": _SQLITE_LIVE}
        statements = {verb: statement.format(**words) for verb, statement in _SQLITE.items()}
        definition = tuple(statement.format(**words) for statement in _SQLITE_SCHEMA)
    else:
        raise InvalidOption("engine", f"its dialect is {dialect}", "PostgreSQL, MySQL, MariaDB and SQLite are known.")
    return (
        {verb: _named(statement) for verb, statement in statements.items()},
        tuple(map(_named, definition)),
        last_moment,
    )


def _named(statement: str) -> str:
    """Return ``statement`` with the parameters as SQLAlchemy writes them."""
    return re.sub(r"%\((\w+)\)s", r":\1", statement.replace(":", r"\:")).replace("%%", "%")
