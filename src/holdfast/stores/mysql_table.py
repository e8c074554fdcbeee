# The table is express-mysql-session's: sessions(session_id varchar(128), expires int unsigned, data mediumtext), and
# what MySQL does by habit is ruled out. Its collations take `a` and `a ` for the same, so payloads are compared as
# bytes. It counts a row that was written as it stood as not affected, so the flag FOUND_ROWS asks for what was found.
# It cuts what is too long, so the mode is strict. And it answers to a statement that is larger than one may be by
# hanging up, which looks like an outage; so those are measured before.
"""The table of the MySQL store, and the statements for it: those of Node's express-mysql-session, and safer ones."""

from __future__ import annotations

import re

from holdfast.errors import InvalidOption

__all__ = ["AGAIN", "DUPLICATE", "EXISTS", "LAST_MOMENT", "NO_TABLE", "REFUSED", "fill_in"]

#: The end of an unsigned int. It is a day in February 2106.
LAST_MOMENT = 2.0**32 - 1

_WORDS = {
    "text": "coalesce(data, '')",
    "bytes": "CAST(CONVERT(coalesce(data, '') USING utf8mb4) AS BINARY)",
    "live": "expires > %(now)s",
}

#: What `fill_in` makes into statements with the parameters sid, payload, expected, end, now, last and limit.
STATEMENTS = {
    "load": "SELECT {text}, expires FROM {table} WHERE session_id = %(sid)s AND {live}",
    "create": "INSERT INTO {table} (session_id, expires, data) VALUES (%(sid)s, %(end)s, %(payload)s)",
    "renew": """
        UPDATE {table} SET expires = %(end)s, data = %(payload)s
        WHERE session_id = %(sid)s AND expires <= %(now)s""",
    "replace": """
        UPDATE {table} SET expires = %(end)s, data = %(payload)s
        WHERE session_id = %(sid)s AND {live} AND {bytes} = CAST(CONVERT(%(expected)s USING utf8mb4) AS BINARY)""",
    "touch": "UPDATE {table} SET expires = %(end)s WHERE session_id = %(sid)s AND {live}",
    "delete": "DELETE FROM {table} WHERE session_id = %(sid)s AND {live}",
    "page": """
        SELECT session_id, {text}, expires FROM {table}
        WHERE session_id > %(last)s AND {live} ORDER BY session_id LIMIT %(limit)s""",
    "count": "SELECT count(*) FROM {table} WHERE {live}",
    "clear": "DELETE FROM {table} ORDER BY session_id LIMIT %(limit)s",
    "prune": "DELETE FROM {table} WHERE expires <= %(now)s ORDER BY expires LIMIT %(limit)s",
    "begin sweep": "SELECT GET_LOCK('holdfast {lock}', 0)",
    "end sweep": "SELECT RELEASE_LOCK('holdfast {lock}')",
}

#: Node's, and an index: without one, to remove what has expired is to read all.
SCHEMA = """
    CREATE TABLE IF NOT EXISTS {table} (
        session_id varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        expires int(11) unsigned NOT NULL,
        data mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
        PRIMARY KEY (session_id),
        KEY expires (expires)
    ) ENGINE=InnoDB"""

# Numbers of errors. https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
NO_TABLE = {1146}
EXISTS = {1050, 1061}
DUPLICATE = {1062}
AGAIN = {1213, 1020}
REFUSED = {1153, 1264, 1301, 1366, 1406, 3854, 3988}


def fill_in(table: str) -> tuple[dict[str, str], str]:
    """Return the statements and the schema for one table. Raises InvalidOption for what cannot be its name."""
    if not 0 < len(table) <= 64 or "\0" in table or table.endswith(" ") or max(table) > "\uffff":
        raise InvalidOption("table", f"{table!r} is no name", "Use 1 to 64 letters.")
    name = "`" + table.replace("`", "``").replace("%", "%%") + "`"
    words = {**_WORDS, "table": name, "lock": re.sub("[^A-Za-z0-9_-]", "", table)[:50]}
    statements = {verb: statement.format(**words) for verb, statement in STATEMENTS.items()}
    return statements, SCHEMA.format(table=name.replace("%%", "%"))
