# connect-mongo keeps a session as its JSON text, or with `stringify: false` as a BSON object. The text is the payload.
# Between an object and a payload these rules hold, so that what goes in comes back byte for byte:
#
#   1. An object is the JSON that JavaScript would write for it. A date is its ISO text, NaN is null, 1.0 is 1; a type
#      that JSON does not know is some text.
#   2. JSON becomes what Node's driver makes of it: an integer is an int32 where it fits, else the double that reads so
#      in JavaScript, and only where there is none an int64. The end of the cookie is a date, all other text is text.
#   3. A payload that rules 1 and 2 would not bring back byte for byte is kept as text, and bytes that are not text are
#      kept as bytes. That is no session of Node's or ours but for one with a lone surrogate, with keys that MongoDB may
#      refuse, or nested deeper than it allows.
#   4. In an object that is changed, what is the same as JSON keeps its BSON value: Node's dates stay dates.
#
# Whatever form a document has, it is read; `stringify` decides only what is written.
"""What stands in a document of connect-mongo, and what that is as a record."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any, TypeAlias

import bson
import msgspec
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64

from sessile._records.record import COOKIE, javascript_number, stringify
from sessile.errors import SessionError
from sessile.stores.base import Record

__all__ = ["LAST_MOMENT", "OPTIONS", "checked", "end_of", "id_of", "payload_of", "record_of", "sid_of", "value_of"]

Document: TypeAlias = dict[str, Any]

#: No date is refused while it is read, and no text that is not UTF-8.
OPTIONS: CodecOptions[Document] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="surrogateescape"
)

#: JavaScript's last moment, in milliseconds (ECMA-262 21.4.1.1): the year 275760. A record without an end has this one.
LAST_MOMENT = 8_640_000_000_000_000

#: The largest payload, in bytes: the statement of `replace` holds two, and MongoDB takes 16 MiB.
LARGEST = 8_000_000

#: MongoDB takes 100 levels, and the document itself is one.
_MAX_DEPTH = 95

#: Four hundred years have always as many days.
_CYCLE = 146_097 * 86_400_000
_YEAR_2000 = datetime(2000, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def id_of(sid: str) -> str | bytes:
    """Return the ``_id`` of a sid: itself, but for text that is not UTF-8."""
    try:
        sid.encode()
    except UnicodeEncodeError:
        return sid.encode("utf-8", "surrogatepass")
    return sid


def sid_of(identity: object) -> str | None:
    """Return the sid of an ``_id``, or None if it is none of ours or Node's."""
    if isinstance(identity, bytes):
        try:
            identity = identity.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return None
    return identity if isinstance(identity, str) else None


def record_of(document: Document) -> Record | None:
    """Return the record that ``document`` holds, expired or not. None if it holds none."""
    payload = payload_of(document.get("session"))
    end = document.get("expires", DatetimeMS(LAST_MOMENT))
    return Record(payload, int(end) / 1000) if payload is not None and isinstance(end, DatetimeMS) else None


def payload_of(value: object) -> bytes | None:
    """Return the payload that stands in a document as ``value``. None if that is no session."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        try:
            return stringify(_json(value)).encode()
        except (SessionError, RecursionError, UnicodeEncodeError):
            return None
    return value if isinstance(value, bytes) else None


def value_of(payload: bytes, stringified: bool, old: object = None) -> str | bytes | Document:
    """Return what to keep for ``payload``: text, or an object where that brings it back.

    ``old``: what is kept now. Values in it that are the same as JSON stay what they are.
    """
    if not stringified:
        try:
            whole = msgspec.json.decode(payload)
            value = _bson(whole, old if isinstance(old, dict) else None)
            cookie = whole.get(COOKIE) if isinstance(whole, dict) else None
            if isinstance(cookie, dict) and type(value[COOKIE].get("expires")) is str:
                value[COOKIE]["expires"] = _date(value[COOKIE]["expires"])
            if isinstance(value, dict) and payload_of(value) == payload:
                return value
        except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
            pass
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload


def checked(value: object, size: int) -> object:
    """Return ``value``, made of a payload of ``size`` bytes. Raises SessionError if MongoDB cannot keep it."""
    # A number takes two bytes of JSON, and up to twelve of BSON.
    size = len(bson.encode({"": value})) if size > LARGEST // 8 else 0
    if size > LARGEST:
        raise SessionError(f"the session takes {size} bytes, and MongoDB can keep {LARGEST}. Keep less in it")
    return value


def end_of(moment: float, *, up: bool) -> DatetimeMS:
    """Return a moment, in epoch seconds, as a date that MongoDB and Node know. ``up``: a life is not rounded down."""
    end = max(-LAST_MOMENT, min(moment * 1000, LAST_MOMENT))
    # (A float of this size is off by less than a hundredth.)
    return DatetimeMS(math.ceil(round(end, 2)) if up else math.floor(end))


def _json(value: Any) -> Any:
    """Return a BSON value as JavaScript would write it."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, dict):
        return {key: _json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_json(member) for member in value]
    if isinstance(value, DatetimeMS):
        return _iso(int(value))
    return b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _bson(value: Any, old: Any, depth: int = 0) -> Any:
    """Return a JSON value as BSON. Raises ValueError for what MongoDB may refuse."""
    if isinstance(value, dict):
        if depth > _MAX_DEPTH or any(key.startswith("$") or "\0" in key for key in value):
            raise ValueError
        members = old if isinstance(old, dict) else {}
        return {key: _bson(member, members.get(key), depth + 1) for key, member in value.items()}
    if isinstance(value, list):
        if depth > _MAX_DEPTH:
            raise ValueError
        items = old if isinstance(old, list) else []
        return [_bson(item, known, depth + 1) for item, known in zip_longest(value, items[: len(value)])]
    if old is not None and not isinstance(old, (dict, list)) and stringify(_json(old)) == stringify(value):
        return old
    return _integer(value) if type(value) is int and not -(2**31) <= value < 2**31 else value


def _integer(value: int) -> float | Int64:
    if javascript_number(float(value)) == str(value):
        return float(value)
    if not -(2**63) <= value < 2**63:
        raise ValueError
    return Int64(value)


def _iso(moment: int) -> str | None:
    """Return milliseconds since 1970 as ``Date.prototype.toJSON`` does (ECMA-262 21.4.4.37)."""
    if abs(moment) > LAST_MOMENT:
        return None
    cycles, rest = divmod(moment - int(_YEAR_2000.timestamp()) * 1000, _CYCLE)
    date = _YEAR_2000 + timedelta(milliseconds=rest)
    year = date.year + 400 * cycles
    text = f"{year:04d}" if 0 <= year <= 9999 else f"{'-' if year < 0 else '+'}{abs(year):06d}"
    return f"{text}-{date:%m-%dT%H:%M:%S}.{moment % 1000:03d}Z"


def _date(text: str) -> DatetimeMS | str:
    """Return the date that ``text`` is, or the text if it is none."""
    if not _ISO.fullmatch(text):
        return text
    moment = datetime.fromisoformat(text)  # ValueError for a 30th of February.
    return DatetimeMS(moment)
