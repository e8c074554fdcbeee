# Columns hold text, and so does Node: the sid as it is, and the JSON of the session, byte for byte. What is not such
# text is kept in an envelope (envelope.py).
"""What stands in a row of an SQL database, and what that is as a record."""

from __future__ import annotations

import re
from contextlib import suppress

import msgspec

from holdfast.stores.base import Record
from holdfast.stores.envelope import digest, is_wrapped, parse_leniently, unwrap, wrap

__all__ = ["key_of", "parse", "record_of", "text_of"]

#: Printable ASCII that no collation trims, and that fits into a column of 128 characters.
_PLAIN = re.compile("[!-$&-~][!-~]{0,127}")

_any_json = msgspec.json.Decoder(msgspec.Raw)


def key_of(sid: str) -> str:
    """Return what stands in the column of ids for ``sid``: no two sids have the same."""
    return sid if _PLAIN.fullmatch(sid) else f"%{digest(sid)}"


def text_of(sid: str, payload: bytes) -> str:
    """Return what stands in the column of payloads: always JSON."""
    if key_of(sid) == sid and not is_wrapped(payload):
        with suppress(UnicodeDecodeError):
            text = payload.decode()
            if _is_json(payload, text):
                return text
    return wrap(sid, payload).decode()


def parse(key: str, text: str) -> tuple[str, bytes]:
    """Return the sid and the payload of a row."""
    content = text.encode("utf-8", "surrogatepass")
    wrapped = unwrap(content)
    return wrapped if wrapped and key_of(wrapped[0]) == key else (key, content)


def record_of(key: str, text: str, end: float) -> tuple[str, Record]:
    """Return the sid and the record of a row that ends at ``end``, in epoch seconds."""
    sid, payload = parse(key, text)
    return sid, Record(payload, float(end))


def _is_json(payload: bytes, text: str) -> bool:
    try:
        _any_json.decode(payload)
        return True
    except (msgspec.MsgspecError, RecursionError):
        try:
            parse_leniently(text)
            return True
        except ValueError:
            return False
