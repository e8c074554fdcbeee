# Columns hold text, and so does Node: the sid as it is, and the JSON of the session, byte for byte. What is not such
# text is kept in an envelope (envelope.py).
"""What stands in a row of an SQL database, and what that is as a record."""

from __future__ import annotations

import re
from contextlib import suppress

import msgspec

from sessile.stores._shared.envelope import digest, is_wrapped, parse_leniently, unwrap, wrap
from sessile.stores.base import Record

__all__ = ["Keys"]

#: What stands in the place of an id that cannot stand there itself.
_DIGEST = re.compile("%[0-9a-f]{64}")

_any_json = msgspec.json.Decoder(msgspec.Raw)


class Keys:
    """Says what stands in a column of ids that holds up to ``longest`` characters, and in the payload beside it."""

    def __init__(self, longest: int) -> None:
        self._longest = longest

    def key_of(self, sid: str) -> str:
        """Return what stands in the column of ids for ``sid``: no two sids have the same.

        That is the sid itself wherever Node could have put it there, whoever made it: an e-mail address, a JWT. Not so
        what a column trims or refuses: blanks at either end, control characters, half a surrogate pair.
        """
        plain = 0 < len(sid) <= self._longest and sid.isprintable() and sid == sid.strip()
        return sid if plain and not _DIGEST.fullmatch(sid) else f"%{digest(sid)}"

    def text_of(self, sid: str, payload: bytes) -> str:
        """Return what stands in the column of payloads: always JSON."""
        if self.key_of(sid) == sid and not is_wrapped(payload):
            with suppress(UnicodeDecodeError):
                text = payload.decode()
                if _is_json(payload, text):
                    return text
        return wrap(sid, payload).decode()

    def parse(self, key: str, text: str) -> tuple[str, bytes]:
        """Return the sid and the payload of a row."""
        content = text.encode("utf-8", "surrogatepass")
        wrapped = unwrap(content)
        return wrapped if wrapped and self.key_of(wrapped[0]) == key else (key, content)

    def record_of(self, key: str, text: str, end: float) -> tuple[str, Record]:
        """Return the sid and the record of a row that ends at ``end``, in epoch seconds."""
        sid, payload = self.parse(key, text)
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
