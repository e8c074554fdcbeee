# Stores of Node's keep sessions in MySQL, in tables that differ in names and types:
#
#   express-mysql-session      sessions(session_id varchar(128), expires int unsigned, data mediumtext)
#   connect-session-knex       sessions(sid varchar(255), sess json, expired datetime), the time in UTC
#   connect-session-sequelize  Sessions(sid varchar(36), expires datetime, data text, createdAt, updatedAt), in UTC
#   connect-typeorm            session(expiredAt bigint, id varchar(255), json text, destroyedAt datetime(6))
#   prisma-session-store       Session(id and sid varchar(191), data mediumtext, expiresAt datetime(3)), in UTC
#
# Where a package has json or text, longtext or mediumtext is made here: MySQL's json keeps no text, but what it means,
# MariaDB's refuses half a surrogate pair and more than 31 levels, and text ends at 64 KB. Node takes them all. A row of
# connect-typeorm that has a `destroyedAt` is dead.
#
# What MySQL does by habit is ruled out. Its collations take `a` and `a ` for the same, so payloads and ids are compared
# as bytes. It counts a row that was written as it stood as not affected, so the flag FOUND_ROWS asks for what was
# found. It cuts what is too long, so the mode is strict. And it answers to a statement that is larger than one may be
# by hanging up, which looks like an outage; so those are measured before.
"""The tables of the MySQL store, and the statements for them: those of stores of Node's, and safer ones."""

from __future__ import annotations

import re
from typing import NamedTuple

from sessile.errors import InvalidOption
from sessile.stores._shared.codes import Codes

__all__ = ["CODES", "LAYOUTS", "Layout", "fill_in"]


class Layout(NamedTuple):
    """A table, and how it says when a session ends."""

    #: The last moment that it can hold, in epoch seconds.
    last_moment: float
    #: The longest id that stands in the column as it is.
    longest: int
    #: Parts of the statements: the columns, a moment as it stands in the column of ends, and that column in seconds.
    #: See ``_USUAL``.
    words: dict[str, str]
    schema: str
    #: What the package calls its table.
    table: str = "sessions"


# FROM_UNIXTIME would depend on the time zone of the connection, and end in 2038.
_EPOCH = "TIMESTAMP'1970-01-01 00:00:00'"

_TEXT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

#: The longest key in the table of an index, where a package's own ids are shorter.
_LONGEST_OF_INDEX = 128

#: The last second of the year 9999, in epoch seconds.
_YEAR_9999 = 253_402_300_799.0

#: Words of a layout whose ends are dates in UTC.
_DATETIME = {
    "seconds": f"TIMESTAMPDIFF(SECOND, {_EPOCH}, {{ends}})",
    "end": f"TIMESTAMPADD(SECOND, %(end)s, {_EPOCH})",
    "now": f"TIMESTAMPADD(SECOND, %(now)s, {_EPOCH})",
}

LAYOUTS = {
    "express-mysql-session": Layout(
        2.0**32 - 1,  # The end of an unsigned int. It is a day in February 2106.
        128,
        {
            "sid": "session_id",
            "ends": "expires",
            "sess": "data",
            "seconds": "expires",
            "end": "%(end)s",
            "now": "%(now)s",
        },
        # Node's, and an index: without one, to remove what has expired is to read all.
        f"""
        CREATE TABLE IF NOT EXISTS {{table}} (
            session_id varchar(128) {_TEXT} NOT NULL,
            expires int(11) unsigned NOT NULL,
            data mediumtext {_TEXT},
            PRIMARY KEY (session_id),
            KEY expires (expires)
        ) ENGINE=InnoDB""",
    ),
    "connect-session-knex": Layout(
        _YEAR_9999,
        255,
        {**_DATETIME, "sid": "sid", "ends": "expired", "sess": "sess"},
        # Node's but for json, and for a collation that tells `a` from `A`.
        f"""
        CREATE TABLE IF NOT EXISTS {{table}} (
            sid varchar(255) {_TEXT} NOT NULL,
            sess longtext {_TEXT} NOT NULL,
            expired datetime NOT NULL,
            PRIMARY KEY (sid),
            KEY sessions_expired_index (expired)
        ) ENGINE=InnoDB""",
    ),
    "connect-session-sequelize": Layout(
        _YEAR_9999,
        # The column holds 36 where Node has made it, and refuses what is longer, a digest too.
        _LONGEST_OF_INDEX,
        {
            **_DATETIME,
            "sid": "sid",
            "ends": "expires",
            "sess": "data",
            "more": ", createdAt, updatedAt",
            "values": ", {now}, {now}",
            "touched": ", updatedAt = {now}",
        },
        # Node's but for the collation, and for text, which ends at 64 KB.
        f"""
        CREATE TABLE IF NOT EXISTS {{table}} (
            sid varchar({{length}}) {_TEXT} NOT NULL,
            expires datetime DEFAULT NULL,
            data mediumtext {_TEXT},
            createdAt datetime NOT NULL,
            updatedAt datetime NOT NULL,
            PRIMARY KEY (sid),
            KEY sessions_expires_index (expires)
        ) ENGINE=InnoDB""",
        "Sessions",
    ),
    "connect-typeorm": Layout(
        8.64e12,
        255,
        {
            "sid": "id",
            "ends": "expiredAt",
            "sess": "json",
            "seconds": "expiredAt / 1000",
            "end": "%(end)s * 1000",
            "now": "%(now)s * 1000",
            "alive": " AND destroyedAt IS NULL",
            "dead": "({ends} <= {now} OR destroyedAt IS NOT NULL)",
            "renewed": ", destroyedAt = NULL",
            "delete": f"UPDATE {{table}} SET destroyedAt = TIMESTAMPADD(SECOND, %(now)s, {_EPOCH})",
        },
        f"""
        CREATE TABLE IF NOT EXISTS {{table}} (
            expiredAt bigint NOT NULL,
            id varchar(255) {_TEXT} NOT NULL,
            json mediumtext {_TEXT} NOT NULL,
            destroyedAt datetime(6) DEFAULT NULL,
            PRIMARY KEY (id),
            KEY session_expiredAt_index (expiredAt)
        ) ENGINE=InnoDB""",
        "session",
    ),
    "prisma-session-store": Layout(
        _YEAR_9999,
        191,
        {
            **_DATETIME,
            "sid": "sid",
            "ends": "expiresAt",
            "sess": "data",
            "more": ", id",
            "values": ", %(sid)s",
        },
        # No index on the end: Prisma takes what its schema does not name for a mistake, and offers to remove all.
        f"""
        CREATE TABLE IF NOT EXISTS {{table}} (
            id varchar(191) {_TEXT} NOT NULL,
            sid varchar(191) {_TEXT} NOT NULL,
            data mediumtext {_TEXT} NOT NULL,
            expiresAt datetime(3) NOT NULL,
            PRIMARY KEY (id),
            UNIQUE KEY Session_sid_key (sid)
        ) ENGINE=InnoDB""",
        "Session",
    ),
}

#: What a layout does not say: columns of a new row beside the three, and their values; what a renewed row gets, and one
#: that is changed; what makes a row dead, whatever its end; and how one is ended.
_USUAL = {
    "more": "",
    "values": "",
    "renewed": "",
    "touched": "",
    "alive": "",
    "dead": "{ends} <= {now}",
    "delete": "DELETE FROM {table}",
}

_AS_BYTES = "CAST(CONVERT({} USING utf8mb4) AS BINARY)"

_WORDS = {
    "text": "coalesce({sess}, '')",
    "bytes": "CAST(CONVERT(coalesce({sess}, '') USING utf8mb4) AS BINARY)",
    "live": "{ends} > {now}{alive}",
    # The first half finds the row by its index, in whatever collation; the second takes no `a` for `A`, nor for `ä`.
    "found": f"{{sid}} = %(sid)s AND {_AS_BYTES.format('{sid}')} = {_AS_BYTES.format('%(sid)s')}",
}

# With the parameters sid, payload, expected, end, now, last and limit.
_STATEMENTS = {
    "load": "SELECT {text}, {seconds} FROM {table} WHERE {found} AND {live}",
    "create": "INSERT INTO {table} ({sid}, {ends}, {sess}{more}) VALUES (%(sid)s, {end}, %(payload)s{values})",
    "renew": """
        UPDATE {table} SET {ends} = {end}, {sess} = %(payload)s{touched}{renewed}
        WHERE {found} AND {dead}""",
    "replace": """
        UPDATE {table} SET {ends} = {end}, {sess} = %(payload)s{touched}
        WHERE {found} AND {live} AND {bytes} = CAST(CONVERT(%(expected)s USING utf8mb4) AS BINARY)""",
    "touch": "UPDATE {table} SET {ends} = {end}{touched} WHERE {found} AND {live}",
    "delete": "{delete} WHERE {found} AND {live}",
    "page": """
        SELECT {sid}, {text}, {seconds} FROM {table}
        WHERE {sid} > %(last)s AND {live} ORDER BY {sid} LIMIT %(limit)s""",
    "count": "SELECT count(*) FROM {table} WHERE {live}",
    "clear": "DELETE FROM {table} ORDER BY {sid} LIMIT %(limit)s",
    "prune": "DELETE FROM {table} WHERE {ends} <= {now} ORDER BY {ends} LIMIT %(limit)s",
    "begin sweep": "SELECT GET_LOCK('sessile {lock}', 0)",
    "end sweep": "SELECT RELEASE_LOCK('sessile {lock}')",
}

# Numbers of errors. https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
CODES = Codes(
    no_table=frozenset({1146}),
    exists=frozenset({1050, 1061}),
    again=frozenset({1213, 1020}),
    taken=frozenset({1062}),
    unfit=frozenset({1153, 1264, 1301, 1366, 1406, 3140, 3854, 3988, 4025}),
    # Read-only, by an option or a transaction; a node of Galera's that is not ready.
    demoted=frozenset({1047, 1290, 1792, 1836}),
    # No such column, or one of the table's own that wants a value.
    foreign=frozenset({1048, 1054, 1265, 1288, 1292, 1364, 1451, 1452, 1471}),
    # No right, no such user or database; no room; too many connections.
    refused=frozenset(
        {1044, 1045, 1049, 1130, 1142, 1143, 1227, 1370, 1410, 1698}
        | {1021, 1030, 1037, 1038, 1041, 1114, 3032}
        | {1040, 1129, 1203, 1226}
    ),
    quoting=frozenset({1062, 1265, 1292, 1366, 1451, 1452}),
)


def fill_in(layout: str, table: str | None, *, indexes: bool = False) -> tuple[dict[str, str], str, float, int]:
    """Return the statements and the schema for one table, the last moment that it can hold, and the longest id.

    ``table``: None, as the package calls it. ``indexes``: it is the table of the index, whose keys are longer than some
    package's ids. Raises InvalidOption for what cannot be its name.
    """
    if layout not in LAYOUTS:
        raise InvalidOption("layout", f"{layout!r} is unknown", f"Use one of: {', '.join(map(repr, LAYOUTS))}.")
    found = LAYOUTS[layout]
    table = found.table if table is None else table
    if not 0 < len(table) <= 64 or "\0" in table or table.endswith(" ") or max(table) > "\uffff":
        raise InvalidOption("table", f"{table!r} is no name", "Use 1 to 64 letters.")
    name = "`" + table.replace("`", "``").replace("%", "%%") + "`"
    words = {**_USUAL, **_WORDS, **found.words, "table": "{table}", "lock": "{lock}"}
    names = {"table": name, "lock": re.sub("[^A-Za-z0-9_-]", "", table)[:50]}
    statements = {verb: _expanded(statement, words).format(**names) for verb, statement in _STATEMENTS.items()}
    schema = found.schema.format(table=name.replace("%%", "%"), length=_LONGEST_OF_INDEX if indexes else 36)
    return statements, schema, found.last_moment, found.longest


def _expanded(template: str, words: dict[str, str]) -> str:
    """Return ``template`` with words in the place of their names, and of the names in those words."""
    for _ in range(4):
        template = template.format(**words)
    return template
