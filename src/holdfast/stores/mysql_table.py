# Two stores of Node's keep sessions in MySQL:
#
#   express-mysql-session   sessions(session_id varchar(128), expires int unsigned, data mediumtext)
#   connect-session-knex    sessions(sid varchar(255), sess json, expired datetime), the time in UTC
#
# The second gets longtext for json when it is made here: MySQL's json keeps no text, but what it means, and MariaDB's
# refuses half a surrogate pair, and more than 31 levels. Node takes both.
#
# What MySQL does by habit is ruled out. Its collations take `a` and `a ` for the same, so payloads are compared as
# bytes. It counts a row that was written as it stood as not affected, so the flag FOUND_ROWS asks for what was found.
# It cuts what is too long, so the mode is strict. And it answers to a statement that is larger than one may be by
# hanging up, which looks like an outage; so those are measured before.
"""The tables of the MySQL store, and the statements for them: those of stores of Node's, and safer ones."""

from __future__ import annotations

import re
from typing import NamedTuple

from holdfast.errors import InvalidOption

__all__ = ["AGAIN", "DUPLICATE", "EXISTS", "LAYOUTS", "NO_TABLE", "REFUSED", "Layout", "fill_in"]


class Layout(NamedTuple):
    """A table, and how it says when a session ends."""

    #: The last moment that it can hold, in epoch seconds.
    last_moment: float
    #: Parts of the statements: the columns, a moment as it stands in the column of ends, and that column in seconds.
    words: dict[str, str]
    schema: str


# FROM_UNIXTIME would depend on the time zone of the connection, and end in 2038.
_EPOCH = "TIMESTAMP'1970-01-01 00:00:00'"

_TEXT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

LAYOUTS = {
    "express-mysql-session": Layout(
        2.0**32 - 1,  # The end of an unsigned int. It is a day in February 2106.
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
        253_402_300_799.0,  # The last second of the year 9999.
        {
            "sid": "sid",
            "ends": "expired",
            "sess": "sess",
            "seconds": f"TIMESTAMPDIFF(SECOND, {_EPOCH}, expired)",
            "end": f"TIMESTAMPADD(SECOND, %(end)s, {_EPOCH})",
            "now": f"TIMESTAMPADD(SECOND, %(now)s, {_EPOCH})",
        },
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
}

_WORDS = {
    "text": "coalesce({sess}, '')",
    "bytes": "CAST(CONVERT(coalesce({sess}, '') USING utf8mb4) AS BINARY)",
    "live": "{ends} > {now}",
}

# With the parameters sid, payload, expected, end, now, last and limit.
_STATEMENTS = {
    "load": "SELECT {text}, {seconds} FROM {table} WHERE {sid} = %(sid)s AND {live}",
    "create": "INSERT INTO {table} ({sid}, {ends}, {sess}) VALUES (%(sid)s, {end}, %(payload)s)",
    "renew": """
        UPDATE {table} SET {ends} = {end}, {sess} = %(payload)s
        WHERE {sid} = %(sid)s AND {ends} <= {now}""",
    "replace": """
        UPDATE {table} SET {ends} = {end}, {sess} = %(payload)s
        WHERE {sid} = %(sid)s AND {live} AND {bytes} = CAST(CONVERT(%(expected)s USING utf8mb4) AS BINARY)""",
    "touch": "UPDATE {table} SET {ends} = {end} WHERE {sid} = %(sid)s AND {live}",
    "delete": "DELETE FROM {table} WHERE {sid} = %(sid)s AND {live}",
    "page": """
        SELECT {sid}, {text}, {seconds} FROM {table}
        WHERE {sid} > %(last)s AND {live} ORDER BY {sid} LIMIT %(limit)s""",
    "count": "SELECT count(*) FROM {table} WHERE {live}",
    "clear": "DELETE FROM {table} ORDER BY {sid} LIMIT %(limit)s",
    "prune": "DELETE FROM {table} WHERE {ends} <= {now} ORDER BY {ends} LIMIT %(limit)s",
    "begin sweep": "SELECT GET_LOCK('holdfast {lock}', 0)",
    "end sweep": "SELECT RELEASE_LOCK('holdfast {lock}')",
}

# Numbers of errors. https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
NO_TABLE = {1146}
EXISTS = {1050, 1061}
DUPLICATE = {1062}
AGAIN = {1213, 1020}
REFUSED = {1153, 1264, 1301, 1366, 1406, 3140, 3854, 3988, 4025}


def fill_in(layout: str, table: str) -> tuple[dict[str, str], str, float]:
    """Return the statements and the schema for one table, and the last moment that it can hold.

    Raises InvalidOption for what cannot be its name.
    """
    if layout not in LAYOUTS:
        raise InvalidOption("layout", f"{layout!r} is unknown", f"Use one of: {', '.join(map(repr, LAYOUTS))}.")
    if not 0 < len(table) <= 64 or "\0" in table or table.endswith(" ") or max(table) > "\uffff":
        raise InvalidOption("table", f"{table!r} is no name", "Use 1 to 64 letters.")
    last_moment, words, schema = LAYOUTS[layout]
    name = "`" + table.replace("`", "``").replace("%", "%%") + "`"
    words = {**words, "table": name, "lock": re.sub("[^A-Za-z0-9_-]", "", table)[:50]}
    words |= {part: word.format(**words) for part, word in _WORDS.items()}
    statements = {verb: statement.format(**words) for verb, statement in _STATEMENTS.items()}
    return statements, schema.format(table=name.replace("%%", "%")), last_moment
