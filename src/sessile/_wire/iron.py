# The seal of hapi's iron, version 2, as iron-webcrypto makes it for iron-session, h3 and nuxt-auth-utils:
#
#   Fe26.2*<password id>*<salt>*<iv>*<ciphertext>*<end>*<salt of the mac>*<mac>
#
# The id says which password sealed it; iron-session counts them from 1, h3 leaves it empty. A salt is 64 hexadecimal
# digits, used as text. iv, ciphertext and mac are base64url without padding. The end is in milliseconds, and empty if
# there is none. Both keys are PBKDF2-HMAC-SHA1 of the password and a salt, with one round: iron asks for passwords of
# 32 characters instead of many rounds. No number in a seal says how much work there is to do.
#
#   ciphertext = AES-256-CBC(key, iv, JSON)        mac = HMAC-SHA256(mac key, everything before the last two stars)
#
# iron-session writes "~2" behind it. That mark is outside of the mac, so nothing may depend on it.
"""Seal and open what iron-session and h3 keep in a cookie: ``Fe26.2``."""

from __future__ import annotations

import hashlib
import hmac
import math
import os
from collections.abc import Callable, Sequence
from hmac import compare_digest
from typing import NamedTuple

from sessile._wire.base64url import decode, encode
from sessile._wire.cbc import decrypt, encrypt

__all__ = ["IronSeals", "Unsealed"]

_PREFIX = b"Fe26.2"
_PARTS = 8
_IV = 16
_SALT = 32

#: The end of a seal has no more digits than this: JavaScript's last moment has 16.
_DIGITS = 16


class Unsealed(NamedTuple):
    """What was sealed."""

    plaintext: bytes
    #: When it ends, in epoch seconds; infinity if it does not.
    expires_at: float
    #: Whether the first password sealed it, under its present id. If not, it should be sealed anew.
    current: bool


class IronSeals:
    """Seals with the first password and opens with any.

    ``passwords`` are pairs of an id and a password, the one that seals first. An id is made of letters, digits and
    underscores, or empty.
    """

    def __init__(self, passwords: Sequence[tuple[str, bytes]]) -> None:
        self._passwords = [(name.encode("ascii"), password) for name, password in passwords]

    def seal(self, plaintext: bytes, expires_at: float, random: Callable[[int], bytes] = os.urandom) -> str:
        """Return ``plaintext`` sealed until ``expires_at``, in epoch seconds; infinity: for ever.

        ``random`` returns so many random bytes: the first salt, the iv and the second salt, in this order.
        """
        name, password = self._passwords[0]
        salt, iv = random(_SALT).hex().encode("ascii"), random(_IV)
        ciphertext = encrypt(_key(password, salt), iv, plaintext)
        end = b"%d" % round(expires_at * 1000) if math.isfinite(expires_at) else b""
        signed = b"*".join((_PREFIX, name, salt, encode(iv), encode(ciphertext), end))
        mac_salt = random(_SALT).hex().encode("ascii")
        return b"*".join((signed, mac_salt, _mac(password, mac_salt, signed))).decode("ascii")

    def unseal(self, sealed: bytes) -> Unsealed | None:
        """Return what was sealed, whether or not it has ended, or None if none of the passwords sealed it.

        No input raises, and work is linear in its length.
        """
        parts = sealed.split(b"*", _PARTS)
        if len(parts) != _PARTS or parts[0] != _PREFIX:
            return None
        _, name, salt, iv, ciphertext, end, mac_salt, mac = parts
        signed = sealed[: len(sealed) - len(mac_salt) - len(mac) - 2]
        for position, (known, password) in enumerate(self._passwords):
            if compare_digest(_mac(password, mac_salt, signed), mac):
                expires_at = _end(end)
                plaintext = _decrypt(password, salt, iv, ciphertext)
                if expires_at is None or plaintext is None:
                    return None
                return Unsealed(plaintext, expires_at, position == 0 and name == known)
        return None


def _key(password: bytes, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha1", password, salt, 1, 32)


def _mac(password: bytes, salt: bytes, signed: bytes) -> bytes:
    return encode(hmac.digest(_key(password, salt), signed, "sha256"))


def _decrypt(password: bytes, salt: bytes, iv: bytes, ciphertext: bytes) -> bytes | None:
    try:
        return decrypt(_key(password, salt), decode(iv), decode(ciphertext))
    except ValueError:
        return None


def _end(text: bytes) -> float | None:
    if not text:
        return math.inf
    return int(text) / 1000 if text.isdigit() and len(text) <= _DIGITS else None
