# Two stores of Node's keep sessions in PostgreSQL, in tables that differ in one column: when a session ends.
#
#   connect-pg-simple      session(sid varchar, sess json, expire timestamp(6))
#   connect-session-knex   sessions(sid varchar(255), sess json, expired timestamptz)
#
# A json column keeps the text that it was given, byte for byte; so `sess::text` is what is compared.
#
# `expire` has no time zone: Node's store leaves it to the connection's. Here the statements name the zone, and no
# setting of a connection, a role or a pooler in between matters. If the server's default is another one, then Node
# writes other times than we read, and sessions end hours too early or too late: that is worth a warning. `expired` has
# one, and all this is no matter.
#
# `replace` is one statement that locks the row, looks at it as it is then, and changes it if it is what was expected.
# An UPDATE that looks by itself does not tell what it has found, and a SELECT beside it would see the row as it was
# when the statement began, which after waiting for somebody else's change is just what is no longer true.
"""The tables of the PostgreSQL store, and the statements for them: those of stores of Node's, and safer ones."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from hashlib import sha256
from typing import TypeVar

from holdfast.errors import InvalidOption

__all__ = ["LAYOUTS", "LONGEST_NAME", "SCHEMA", "STATEMENTS", "fill_in", "warn_of_zone"]

K = TypeVar("K")

_WORDS = {
    "text": "CAST(stored.sess AS text)",
    "epoch": "CAST(extract(epoch FROM stored.{column}{zoned}) AS float8)",
    "end": "(to_timestamp(CAST(%(end)s AS float8)){zoned})",
    "live": "stored.{column} > (to_timestamp(CAST(%(now)s AS float8)){zoned})",
    "dead": "stored.{column} <= (to_timestamp(CAST(%(now)s AS float8)){zoned})",
}

#: By the package of Node: what the table is called unless somebody says otherwise, its columns of ids and ends, how
#: moments become ends, and the name of the index.
LAYOUTS = {
    "connect-pg-simple": {
        "table": "session",
        "sid": 'varchar COLLATE "default"',
        "column": "expire",
        "type": "timestamp(6)",
        "zoned": " AT TIME ZONE {zone}",
        "index": "IDX_{table}_expire",
    },
    "connect-session-knex": {
        "table": "sessions",
        "sid": "varchar(255)",
        "column": "expired",
        "type": "timestamptz",
        "zoned": "",
        "index": "{table}_expired_index",
    },
}

_PRUNE = """
    DELETE FROM {table} WHERE sid = ANY (ARRAY(
        SELECT stored.sid FROM {table} AS stored WHERE {dead} LIMIT %(limit)s FOR UPDATE SKIP LOCKED))"""

#: What `fill_in` makes into statements with the parameters sid, payload, expected, end, now, last and limit.
STATEMENTS = {
    "load": "SELECT {text}, {epoch} FROM {table} AS stored WHERE stored.sid = %(sid)s AND {live}",
    "create": """
        INSERT INTO {table} AS stored (sid, sess, {column}) VALUES (%(sid)s, CAST(%(payload)s AS json), {end})
        ON CONFLICT (sid) DO UPDATE SET sess = excluded.sess, {column} = excluded.{column} WHERE NOT {live}""",
    "replace": """
        WITH found AS (
            SELECT stored.sid, {text} AS current FROM {table} AS stored
            WHERE stored.sid = %(sid)s AND {live} FOR UPDATE
        ), replaced AS (
            UPDATE {table} AS stored SET sess = CAST(%(payload)s AS json), {column} = {end} FROM found
            WHERE stored.sid = found.sid AND found.current = %(expected)s RETURNING 1
        )
        SELECT current, EXISTS (SELECT FROM replaced) FROM found""",
    "touch": "UPDATE {table} AS stored SET {column} = {end} WHERE stored.sid = %(sid)s AND {live}",
    "delete": "DELETE FROM {table} AS stored WHERE stored.sid = %(sid)s AND {live}",
    "page": """
        SELECT stored.sid, {text}, {epoch} FROM {table} AS stored
        WHERE stored.sid > %(last)s AND {live} ORDER BY stored.sid LIMIT %(limit)s""",
    "count": "SELECT count(*) FROM {table} AS stored WHERE {live}",
    "clear": "DELETE FROM {table} WHERE sid = ANY (ARRAY(SELECT sid FROM {table} LIMIT %(limit)s))",
    "prune": _PRUNE,
    # Nothing, if another process is at it.
    "sweep": _PRUNE.replace("{dead}", "(SELECT pg_try_advisory_xact_lock({lock})) AND {dead}"),
}

#: One transaction. IF NOT EXISTS alone does not help two who look at the same time.
SCHEMA = (
    "SELECT pg_advisory_xact_lock({lock})",
    "CREATE TABLE IF NOT EXISTS {table} (sid {sid} NOT NULL, sess json NOT NULL, {column} {type} NOT NULL, "
    "PRIMARY KEY (sid))",
    "CREATE INDEX IF NOT EXISTS {index} ON {table} ({column})",
)

#: What the time zone is called in which a day begins at 00:00 UTC.
_UTC = re.compile("(Etc/)?(UTC|UCT|GMT([+-]?0)?|Zulu|Universal|Greenwich)", re.IGNORECASE)

#: The longest name of a table whose index has a name too: PostgreSQL cuts names after 63 bytes.
LONGEST_NAME = 50


def fill_in(
    templates: Mapping[K, str], layout: str, table: str | None, schema: str | None, zone: str | None
) -> dict[K, str]:
    """Return ``templates`` for one table and time zone. Raises InvalidOption for what cannot be their name."""
    if layout not in LAYOUTS:
        raise InvalidOption("layout", f"{layout!r} is unknown", f"Use one of: {', '.join(map(repr, LAYOUTS))}.")
    words = LAYOUTS[layout]
    table = words["table"] if table is None else table
    for option, name in (("table", table), ("schema", schema)):
        if name is not None and not (0 < len(name.encode("utf-8", "replace")) <= LONGEST_NAME and "\0" not in name):
            raise InvalidOption(option, f"{name!r} is no name", f"Use 1 to {LONGEST_NAME} letters.")
    if zone is not None and not words["zoned"]:
        raise InvalidOption("time_zone", f"the ends of {layout} are in no time zone of a connection", "Leave it out.")
    if zone is not None and not re.fullmatch("[A-Za-z0-9_+/-]+", zone):
        raise InvalidOption("time_zone", f"{zone!r} is no time zone", 'Use a name such as "UTC" or "Europe/Berlin".')
    place = _quoted(table) if schema is None else f"{_quoted(schema)}.{_quoted(table)}"
    words = {
        **words,
        "table": place,
        "index": _quoted(words["index"].format(table=table)),
        "lock": str(_number_of(place)),
        "zoned": words["zoned"].format(zone=f"'{zone or 'UTC'}'"),
    }
    words |= {name: word.format(**words) for name, word in _WORDS.items()}
    return {verb: template.format(**words) for verb, template in templates.items()}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _number_of(place: str) -> int:
    return int.from_bytes(sha256(f"holdfast {place}".encode()).digest()[:8], signed=True)


def warn_of_zone(zone: str) -> None:
    """Warn of a server in another time zone than UTC."""
    if not _UTC.fullmatch(zone):
        warnings.warn(
            f"The server's time zone is {zone}, and Node's connect-pg-simple stores times in it, where holdfast stores "
            "UTC. If Node shares the table: ALTER DATABASE ... SET timezone TO 'UTC', or give the store "
            f'time_zone="{zone}". If not: time_zone="UTC".',
            stacklevel=2,
        )
