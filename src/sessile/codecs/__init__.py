# A payload is JSON, whatever stands in the store. A codec says what stands there; several may be given: the first
# writes, all read. So a site changes from one to another while it runs, and each record when it is next written.
"""What stands in the store: JSON, msgpack, or something that nobody can read without the key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from sessile._wire.secret import refuse_weak
from sessile.errors import InvalidOption, MissingExtra

__all__ = ["Codec", "Encrypted", "Json", "Msgpack"]


class Codec(Protocol):
    """Turns the payload of a record, which is JSON, into what stands in the store, and back."""

    def encode(self, payload: bytes, sid: str) -> bytes:
        """Return what stands in the store for ``payload`` under ``sid``."""

    def decode(self, stored: bytes, sid: str) -> bytes | None:
        """Return the payload that ``stored`` stands for, or None if it is not of this form. No input raises."""


class Json:
    """Stores the JSON itself: what express-session writes, and what everybody can read who can read the store."""

    def encode(self, payload: bytes, sid: str) -> bytes:
        return payload

    def decode(self, stored: bytes, sid: str) -> bytes | None:
        return stored if stored[:1] == b"{" else None


class Msgpack:
    """Stores msgpack: some fifth smaller than JSON, for stores that are paid by the byte. Node cannot read it.

    What msgpack cannot hold as JSON does, integers beyond 64 bits for one, is stored as JSON; so read both.
    """

    def encode(self, payload: bytes, sid: str) -> bytes:
        try:
            packed = msgspec.msgpack.encode(msgspec.json.decode(payload))
            return packed if self.decode(packed, sid) == payload else payload
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            return payload

    def decode(self, stored: bytes, sid: str) -> bytes | None:
        if not stored or not (0x80 <= stored[0] <= 0x8F or stored[0] in (0xDE, 0xDF)):
            return None
        try:
            return msgspec.json.encode(msgspec.msgpack.decode(stored))
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
            return None


#: A JSON string: columns that take nothing but JSON take it, and who has forgotten the codec finds no session in it.
_SEALED = b'"sealed:'


class Encrypted:
    """Stores records that nobody can read or change without ``secret``: AES-256-GCM, bound to the session's id.

    ``secret`` is one or several, ``str`` or ``bytes``, 32 bytes or more: the first seals, all open; not the secret that
    signs tokens, or whoever has it has both. Each sealed record names its key, so a key can be retired when nothing is
    left that it sealed. A record that was moved to another id, or was not sealed by us, is no session. ``codec`` makes
    what is sealed. Needs the extra ``encryption``.

    >>> codec = Encrypted("a key of its own, that is long enough")
    >>> codec.decode(codec.encode(b'{"n":1}', "an id"), "an id")
    b'{"n":1}'
    >>> codec.decode(codec.encode(b'{"n":1}', "an id"), "another id") is None
    True
    """

    def __init__(self, secret: str | bytes | Sequence[str | bytes], *, codec: Codec | None = None) -> None:
        try:
            from sessile._wire.sealing import Sealer
        except ImportError as error:
            raise MissingExtra("The codec Encrypted", "encryption") from error
        given = [secret] if isinstance(secret, (str, bytes)) else list(secret)
        keys = [each.encode() if isinstance(each, str) else bytes(each) for each in given]
        if not keys or min(map(len, keys)) < _KEY_BYTES:
            raise InvalidOption(
                "secret",
                f"a key of a codec has fewer than {_KEY_BYTES} bytes, or there is none",
                "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )
        refuse_weak(keys, "Encrypted")
        self._sealer = Sealer(keys, "record")
        self._codec = codec or Json()

    def encode(self, payload: bytes, sid: str) -> bytes:
        sealed = self._sealer.seal(self._codec.encode(payload, sid), _context(sid))
        return b'%b%b"' % (_SEALED, sealed.encode("ascii"))

    def decode(self, stored: bytes, sid: str) -> bytes | None:
        if not stored.startswith(_SEALED) or not stored.endswith(b'"'):
            return None
        unsealed = self._sealer.unseal(stored[len(_SEALED) : -1], _context(sid))
        return None if unsealed is None else self._codec.decode(unsealed.plaintext, sid)


#: AES-256 takes no more, and less is guessed sooner.
_KEY_BYTES = 32


def _context(sid: str) -> bytes:
    return sid.encode("utf-8", "surrogatepass")
