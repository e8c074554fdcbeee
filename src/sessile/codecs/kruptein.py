# What kruptein 3 makes of a session, in base64: a DER SEQUENCE of six OCTET STRINGs,
#
#     ciphertext (base64 text) | hmac (base64 text) | iv (12) | salt (128) | tag (16) | additional data (base64 text)
#
# The key is PBKDF2-SHA512 of the secret and the salt: 15,000 rounds and an hmac of the ciphertext in version 3.0
# (connect-mongo 6), 20,000 rounds and an hmac of ciphertext, salt and iv in 3.1 (connect-memcached 3).
#
# Version 2 (session-file-store 1.5) makes the same six of it, in a JSON object: text stands there as its bytes in
# Latin-1, and bytes as Node's Buffer has them in JSON. The key is scrypt's.
#
#     {"hmac":"...","ct":"...","iv":{"type":"Buffer","data":[...]},"salt":{...},"aad":"...","at":{...}}
#
# A key takes ten milliseconds, and fifty with scrypt. So a site should not stay here: with a codec of ours in front,
# what is written next is sealed by that.
"""Read the records that connect-mongo, connect-memcached and session-file-store have encrypted with kruptein."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode
from functools import lru_cache
from typing import Any

from sessile.errors import MissingExtra, SessionError

__all__ = ["Kruptein"]

_VERSIONS = ((15_000, False), (20_000, True))
#: Instead of a number of rounds.
_SCRYPT = 0


class Kruptein:
    """Reads what kruptein 2 or 3 has encrypted with ``secret``; cannot write. Give it behind the codec that writes.

    ``Sessions(..., codec=[Encrypted(key), Kruptein(secret_of_node)])`` takes over the sessions of a Node site, one by
    one, as they are written. Needs the extra ``encryption``.
    """

    only_reads = True

    def __init__(self, secret: str) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise MissingExtra("The codec Kruptein", "encryption") from error
        self._cipher: Any = AESGCM
        # A record is read several times before it is written, and its key is dear.
        self._key = lru_cache(256)(
            lambda salt, rounds: (
                hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, rounds, 32)
                if rounds
                else hashlib.scrypt(secret.encode(), salt=salt, n=16384, r=8, p=1, dklen=32)
            )
        )

    def encode(self, payload: bytes, sid: str) -> bytes:
        raise SessionError("the codec Kruptein only reads: give another one in front of it")

    def decode(self, stored: bytes, sid: str) -> bytes | None:
        if stored[:1] not in (b'"', b"M", b"{"):
            return None
        try:
            # Some stores hold the text itself, others a JSON string.
            text = json.loads(stored).encode() if stored[:1] == b'"' else stored
            if text.startswith(b"{"):
                return self._open_object(json.loads(text))
            parts = _octet_strings(b64decode(text, validate=True))
            return None if parts is None else self._open(*parts)
        except Exception:
            return None  # Of all that may be wrong with it, nothing matters.

    def _open(self, text: bytes, mac: bytes, iv: bytes, salt: bytes, tag: bytes, more: bytes) -> bytes | None:
        for rounds, whole in _VERSIONS:
            key = self._key(salt, rounds)
            signed = text.decode() + _as_node_does(salt) + _as_node_does(iv) if whole else text.decode()
            if hmac.compare_digest(hmac.digest(key, signed.encode(), "sha512"), b64decode(mac)):
                opened = self._cipher(key).decrypt(iv, b64decode(text) + tag, b64decode(more))
                return _unwrapped(opened)
        return None

    def _open_object(self, parts: dict[str, Any]) -> bytes | None:
        iv, salt, tag = (bytes([*parts[name]["data"]]) for name in ("iv", "salt", "at"))
        text, mac, more = (parts[name].encode("latin-1") for name in ("ct", "hmac", "aad"))
        key = self._key(salt, _SCRYPT)
        if not hmac.compare_digest(hmac.digest(key, parts["ct"].encode(), "sha512"), mac):
            return None
        opened = _unwrapped(self._cipher(key).decrypt(iv, text + tag, more))
        return None if opened is None else _without_last_access(opened)


def _without_last_access(text: bytes) -> bytes:
    """Return a session without what session-file-store puts into it, as the file store does with those in clear."""
    session = json.loads(text)
    session.pop("__lastAccess", None)
    return json.dumps(session, separators=(",", ":")).encode()


def _as_node_does(raw: bytes) -> str:
    """Return bytes as Node's ``toString('utf8')``."""
    return raw.decode("utf-8", "replace")


def _unwrapped(text: bytes) -> bytes | None:
    """Return the JSON of an object that may have been made into a JSON string once more."""
    if text[:1] == b'"':
        text = json.loads(text).encode("utf-8", "surrogatepass")
    return text if text[:1] == b"{" else None


def _octet_strings(der: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes, bytes] | None:
    """Return the six OCTET STRINGs of a SEQUENCE (X.690 8.1.3), or None if it is something else."""
    tag, content, rest = _value(der)
    parts: list[bytes] = []
    while content and len(parts) < 7:
        kind, part, content = _value(content)
        parts.append(part)
        if kind != 0x04:
            return None
    return (
        (parts[0], parts[1], parts[2], parts[3], parts[4], parts[5])
        if (tag, rest, len(parts)) == (0x30, b"", 6)
        else None
    )


def _value(der: bytes) -> tuple[int, bytes, bytes]:
    """Return tag and content of the value that ``der`` begins with, and what follows it."""
    length, start = der[1], 2
    if length >= 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if start + length > len(der):
        raise ValueError("cut off")
    return der[0], der[start : start + length], der[start + length :]
