# Stores of Node's keep sessions in PostgreSQL, in tables that differ in names and types:
#
#   connect-pg-simple          session(sid varchar, sess json, expire timestamp(6))
#   connect-session-knex       sessions(sid varchar(255), sess json, expired timestamptz)
#   connect-session-sequelize  "Sessions"(sid varchar(36), expires timestamptz, data text, "createdAt", "updatedAt")
#   connect-typeorm            session("expiredAt" bigint, id varchar(255), json text, "destroyedAt" timestamp)
#   prisma-session-store       "Session"(id text, sid text, data text, "expiresAt" timestamp(3)), the time in UTC
#
# A row of connect-typeorm that has a `destroyedAt` is dead.
#
# A json column keeps the text that it was given, byte for byte; so `sess::text` is what is compared.
#
# `expire` has no time zone: Node's store leaves it to the connection's. Here the statements name the zone, and no
# setting of a connection, a role or a pooler in between matters. If the server's default is another one, then Node
# writes other times than we read, and sessions end hours too early or too late: that is worth a warning. `expired` has
# one, and all this is no matter. An ORM may have made `expire` as timestamptz too, which to Node is the same. So the
# store looks, once, at the column, and takes the statements for its type.
#
# Where a zone sets its clocks back, an hour comes twice, and a column without a zone cannot say which of the two it
# means. PostgreSQL and so Node take it for the second one. An end in the first one is marked: it gets as many
# microseconds as the clocks are set back by minutes, which is nothing to Node.
#
# `replace` is one statement that locks the row, looks at it as it is then, and changes it if it is what was expected.
# An UPDATE that looks by itself does not tell what it has found, and a SELECT beside it would see the row as it was
# when the statement began, which after waiting for somebody else's change is just what is no longer true.
"""The tables of the PostgreSQL store, and the statements for them: those of stores of Node's, and safer ones."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256

from sessile.errors import InvalidOption
from sessile.stores._shared.codes import Codes

__all__ = [
    "CODES",
    "LAYOUTS",
    "LONGEST_ID",
    "LONGEST_NAME",
    "Statements",
    "prepare",
    "refusal_to_connect",
    "warn_of_zone",
]

_NOW, _END = "to_timestamp(CAST(%(now)s AS float8))", "to_timestamp(CAST(%(end)s AS float8))"

#: For a column that says which moment it means.
_MOMENTS = {
    "epoch": "CAST(extract(epoch FROM stored.{column}) AS float8)",
    "end": f"({_END})",
    "live": f"stored.{{column}} > ({_NOW}){{alive}}",
    "dead": f"stored.{{column}} <= ({_NOW})",
}

#: For one without a time zone, in UTC.
_UTC_CLOCK = {
    "epoch": "CAST(extract(epoch FROM stored.{column}) AS float8)",
    "end": f"({_END} AT TIME ZONE 'UTC')",
    "live": f"stored.{{column}} > ({_NOW} AT TIME ZONE 'UTC'){{alive}}",
    "dead": f"stored.{{column}} <= ({_NOW} AT TIME ZONE 'UTC')",
}

_MARK = "mod(CAST(extract(microseconds FROM stored.{column}) AS bigint), 1000000)"
_MOMENT = (
    f"((stored.{{column}} AT TIME ZONE {{zone}}) - CASE WHEN {_MARK} BETWEEN 1 AND 180 "
    f"THEN {_MARK} * interval '1 minute 1 microsecond' ELSE interval '0' END)"
)
_TWICE = f"extract(epoch FROM ({_END} AT TIME ZONE {{zone}} AT TIME ZONE {{zone}}) - {_END})"

#: And in a zone that may set its clocks back. The second half of `dead` is for the index.
_WALL_CLOCK = {
    "epoch": f"CAST(extract(epoch FROM {_MOMENT}) AS float8)",
    "end": f"(({_END} AT TIME ZONE {{zone}}) + {_TWICE} / 60 * interval '1 microsecond')",
    "live": f"{_MOMENT} > {_NOW}{{alive}}",
    "dead": f"{_MOMENT} <= {_NOW} AND stored.{{column}} <= ({_NOW} AT TIME ZONE {{zone}}) + interval '3 hours'",
}

#: For a number of milliseconds.
_MILLISECONDS = {
    "epoch": "(CAST(stored.{column} AS float8) / 1000)",
    "end": "CAST(CAST(%(end)s AS float8) * 1000 AS bigint)",
    "live": "stored.{column} > CAST(CAST(%(now)s AS float8) * 1000 AS bigint){alive}",
    "dead": "stored.{column} <= CAST(CAST(%(now)s AS float8) * 1000 AS bigint)",
}

#: What a layout does not say.
_USUAL = {
    "text": "CAST(stored.{sess} AS text)",
    "now": f"({_NOW})",
    "key": "sid",
    "sess": "sess",
    "json": "json",
    # Columns of a new row beside the three, and their values; what a renewed row gets, and one that is changed; what
    # makes a row dead, whatever its end; and how one is ended.
    "more": "",
    "values": "",
    "renewed": "",
    "touched": "",
    "alive": "",
    "ends": "DELETE FROM {table} AS stored",
    "definition": "sid {sid} NOT NULL, sess json NOT NULL, {column} {type} NOT NULL, PRIMARY KEY (sid)",
    "indexes": "CREATE INDEX IF NOT EXISTS {index} ON {table} ({column})",
}

#: By the package of Node: what the table is called unless somebody says otherwise, its columns of ids and ends, and the
#: name of the index. The rest is as in `_USUAL`.
LAYOUTS = {
    "connect-pg-simple": {
        "table": "session",
        "sid": 'varchar COLLATE "default"',
        "column": "expire",
        "type": "timestamp(6)",
        "index": "IDX_{table}_expire",
    },
    "connect-session-knex": {
        "table": "sessions",
        "sid": "varchar(255)",
        "column": "expired",
        "type": "timestamptz",
        "index": "{table}_expired_index",
    },
    "connect-session-sequelize": {
        "table": "Sessions",
        "sid": "varchar(36)",
        "column": "expires",
        "type": "timestamptz",
        "index": "{table}_expires_index",
        "sess": "data",
        "json": "text",
        "more": ', "createdAt", "updatedAt"',
        "values": ", {now}, {now}",
        "renewed": ', "createdAt" = excluded."createdAt", "updatedAt" = excluded."updatedAt"',
        "touched": ', "updatedAt" = {now}',
        "definition": "sid {sid} NOT NULL, {column} {type}, data text, "
        '"createdAt" timestamptz NOT NULL, "updatedAt" timestamptz NOT NULL, PRIMARY KEY (sid)',
    },
    "connect-typeorm": {
        "table": "session",
        "sid": "varchar(255)",
        "column": '"expiredAt"',
        "type": "bigint",
        "index": "{table}_expiredAt_index",
        "key": "id",
        "sess": "json",
        "json": "text",
        "renewed": ', "destroyedAt" = NULL',
        "alive": ' AND stored."destroyedAt" IS NULL',
        "ends": f"""UPDATE {{table}} AS stored SET "destroyedAt" = {_NOW} AT TIME ZONE 'UTC'""",
        "definition": '{column} bigint NOT NULL, id {sid} NOT NULL, json text NOT NULL, "destroyedAt" timestamp, '
        "PRIMARY KEY (id)",
    },
    "prisma-session-store": {
        "table": "Session",
        "sid": "text",
        "column": '"expiresAt"',
        "type": "timestamp(3)",
        "index": "{table}_sid_key",
        "sess": "data",
        "json": "text",
        "more": ", id",
        "values": ", %(sid)s",
        "definition": "id text NOT NULL, sid {sid} NOT NULL, data text NOT NULL, {column} {type} NOT NULL, "
        "PRIMARY KEY (id)",
        # No other: Prisma takes what its schema does not name for a mistake, and offers to remove all.
        "indexes": "CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {table} (sid)",
    },
}

#: The layout whose times are in the zone of a connection.
_ZONED = "connect-pg-simple"

_PRUNE = """
    DELETE FROM {table} WHERE {key} = ANY (ARRAY(
        SELECT stored.{key} FROM {table} AS stored WHERE {dead} LIMIT %(limit)s FOR UPDATE SKIP LOCKED))"""

#: With the parameters sid, payload, expected, end, now, last and limit.
_STATEMENTS = {
    "load": "SELECT {text}, {epoch} FROM {table} AS stored WHERE stored.{key} = %(sid)s AND {live}",
    "create": """
        INSERT INTO {table} AS stored ({key}, {sess}, {column}{more})
        VALUES (%(sid)s, CAST(%(payload)s AS {json}), {end}{values})
        ON CONFLICT ({key}) DO UPDATE SET {sess} = excluded.{sess}, {column} = excluded.{column}{renewed}
        WHERE ({live}) IS NOT TRUE""",
    "replace": """
        WITH found AS (
            SELECT stored.{key} AS key, {text} AS current FROM {table} AS stored
            WHERE stored.{key} = %(sid)s AND {live} FOR UPDATE
        ), replaced AS (
            UPDATE {table} AS stored SET {sess} = CAST(%(payload)s AS {json}), {column} = {end}{touched} FROM found
            WHERE stored.{key} = found.key AND found.current = %(expected)s RETURNING 1
        )
        SELECT current, EXISTS (SELECT FROM replaced) FROM found""",
    "touch": "UPDATE {table} AS stored SET {column} = {end}{touched} WHERE stored.{key} = %(sid)s AND {live}",
    "delete": "{ends} WHERE stored.{key} = %(sid)s AND {live}",
    "page": """
        SELECT stored.{key}, {text}, {epoch} FROM {table} AS stored
        WHERE stored.{key} > %(last)s AND {live} ORDER BY stored.{key} LIMIT %(limit)s""",
    "count": "SELECT count(*) FROM {table} AS stored WHERE {live}",
    "clear": "DELETE FROM {table} WHERE {key} = ANY (ARRAY(SELECT {key} FROM {table} LIMIT %(limit)s))",
    "prune": _PRUNE,
    # Nothing, if another process is at it.
    "sweep": _PRUNE.replace("{dead}", "(SELECT pg_try_advisory_xact_lock({lock})) AND {dead}"),
}

#: One transaction. IF NOT EXISTS alone does not help two who look at the same time.
_SCHEMA = (
    "SELECT pg_advisory_xact_lock({lock})",
    "CREATE TABLE IF NOT EXISTS {table} ({definition})",
    "{indexes}",
)

#: Tells the type of the column of ends.
_LOOK = """
    SELECT format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = to_regclass({place}) AND attname = '{column}' AND NOT attisdropped"""

#: What PostgreSQL calls the types for which there are statements.
_OF_MOMENTS, _OF_CLOCKS = "timestamp with time zone", "timestamp without time zone"

#: What the time zone is called in which a day begins at 00:00 UTC.
_UTC = re.compile("(Etc/)?(UTC|UCT|GMT([+-]?0)?|Zulu|Universal|Greenwich)", re.IGNORECASE)

#: The longest name of a table whose index has a name too: PostgreSQL cuts names after 63 bytes.
LONGEST_NAME = 50

#: The longest id that stands in the column as it is.
LONGEST_ID = 255

# SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
CODES = Codes(
    no_table=frozenset({"42P01"}),
    exists=frozenset({"23505", "42P07", "42710"}),
    again=frozenset({"40001", "40P01"}),
    taken=frozenset(),
    unfit=frozenset({"22", "54"}),
    demoted=frozenset({"25006"}),
    # No such column, of another type, without a primary key, or with constraints of somebody else's.
    foreign=frozenset({"42703", "42804", "42846", "42883", "42P10", "42809", "23"}),
    # No right, no room, no such database; and what is said before there is a connection, which has no SQLSTATE.
    refused=frozenset({"42", "53", "28", "3D", "3F", "FATAL"}),
    quoting=frozenset({"22", "23"}),
)


#: What a server says that lets nobody in, after what libpq has tried: `... failed: FATAL:  role "a" does not exist`.
#: The first word is in the server's language.
_FATAL = re.compile(r"failed: \w+:  ([^\n]*)")

#: A server that says this is not up, or not any more.
_NOT_UP = re.compile("the database system is|is starting up|shutting down|not (yet )?accepting connections")


class Statements(Mapping[str, str]):
    """The statements for one table, by the type of its column of ends. Shared by all copies of a store."""

    def __init__(self, by_type: Mapping[str, Mapping[str, str]], type_: str, look: str, *, in_utc: bool) -> None:
        self._by_type = by_type
        self._type = type_
        self._in_utc = in_utc
        #: Tells the type of the column.
        self.look = look
        #: Whether the type is known.
        self.known = False

    def note(self, type_: str) -> None:
        """Note the type of the column. Of another type than those two it is not a table of sessions."""
        self.known = True
        if type_ in self._by_type:
            self._type = type_

    @property
    def of_clocks(self) -> bool:
        """Whether the column has no time zone, and Node's store may mean another one than UTC."""
        return self._type == _OF_CLOCKS and not self._in_utc

    def __getitem__(self, verb: str) -> str:
        return self._by_type[self._type][verb]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_type[self._type])

    def __len__(self) -> int:
        return len(self._by_type[self._type])


def prepare(
    layout: str,
    table: str | None,
    schema: str | None,
    zone: str | None,
    edit: Callable[[str], str] = str,
    *,
    indexes: bool = False,
) -> tuple[Statements, tuple[str, ...]]:
    """Return the statements for one table and time zone, and those that make it, each changed by ``edit``.

    ``indexes``: it is the table of the index, whose keys are longer than some package's ids. Raises InvalidOption for
    what cannot be their name.
    """
    if layout not in LAYOUTS:
        raise InvalidOption("layout", f"{layout!r} is unknown", f"Use one of: {', '.join(map(repr, LAYOUTS))}.")
    words = {**_USUAL, **LAYOUTS[layout]}
    if indexes and words["sid"] == "varchar(36)":
        words["sid"] = "varchar(255)"
    names = _names(layout, words, table, schema, zone)

    def statements_by(clock: Mapping[str, str]) -> dict[str, str]:
        return {verb: edit(_fill_in(template, {**words, **clock}, names)) for verb, template in _STATEMENTS.items()}

    if words["type"] == "bigint":
        milliseconds = statements_by(_MILLISECONDS)
        by_type = {_OF_MOMENTS: milliseconds, _OF_CLOCKS: milliseconds}
    else:
        clock = _WALL_CLOCK if zone is not None and not _UTC.fullmatch(zone) else _UTC_CLOCK
        by_type = {_OF_MOMENTS: statements_by(_MOMENTS), _OF_CLOCKS: statements_by(clock)}
    type_ = _OF_MOMENTS if words["type"] == "timestamptz" else _OF_CLOCKS
    place = "'" + names["table"].replace("'", "''") + "'"
    look = edit(_LOOK.format(place=place, column=words["column"].strip('"')))
    in_utc = layout in ("connect-typeorm", "prisma-session-store")
    definition = tuple(edit(_fill_in(statement, words, names)) for statement in _SCHEMA)
    return Statements(by_type, type_, look, in_utc=in_utc), definition


def _names(
    layout: str, words: Mapping[str, str], table: str | None, schema: str | None, zone: str | None
) -> dict[str, str]:
    """Return what the user has named, and what follows from it, as it stands in a statement."""
    table = words["table"] if table is None else table
    for option, name in (("table", table), ("schema", schema)):
        if name is not None and not (0 < len(name.encode("utf-8", "replace")) <= LONGEST_NAME and "\0" not in name):
            raise InvalidOption(option, f"{name!r} is no name", f"Use 1 to {LONGEST_NAME} letters.")
    if zone is not None and layout != _ZONED:
        raise InvalidOption("time_zone", f"the ends of {layout} are in no time zone of a connection", "Leave it out.")
    if zone is not None and not re.fullmatch("[A-Za-z0-9_+/-]+", zone):
        raise InvalidOption("time_zone", f"{zone!r} is no time zone", 'Use a name such as "UTC" or "Europe/Berlin".')
    place = _quoted(table) if schema is None else f"{_quoted(schema)}.{_quoted(table)}"
    index = _quoted(words["index"].format(table=table))
    return {"table": place, "index": index, "lock": str(_number_of(place)), "zone": f"'{zone or 'UTC'}'"}


def _fill_in(template: str, words: Mapping[str, str], names: Mapping[str, str]) -> str:
    """Return ``template`` with words in the place of their names, and of the names in those words.

    ``names`` go in last, and once: what the user has named may have braces in it.
    """
    open_ends = {name: f"{{{name}}}" for name in names}
    for _ in range(4):
        template = template.format(**{**words, **open_ends})
    return template.format(**names)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _number_of(place: str) -> int:
    return int.from_bytes(sha256(f"sessile {place}".encode()).digest()[:8], signed=True)


def refusal_to_connect(text: str) -> str | None:
    """Return why a server lets nobody in, by the text of a driver of libpq's; None if it does not say that."""
    fatal = _FATAL.search(text)
    return fatal[1] if fatal and not _NOT_UP.search(fatal[1]) else None


def warn_of_zone(zone: str) -> None:
    """Warn of a server in another time zone than UTC."""
    if not _UTC.fullmatch(zone):
        warnings.warn(
            f"The server's time zone is {zone}, and Node's connect-pg-simple stores times in it, where sessile stores "
            "UTC. If Node shares the table: ALTER DATABASE ... SET timezone TO 'UTC', or give the store "
            f'time_zone="{zone}". If not: time_zone="UTC".',
            stacklevel=2,
        )
