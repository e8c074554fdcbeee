# What client-sessions keeps in a cookie, with its default algorithms:
#
#   <iv>.<ciphertext>.<created>.<duration>.<mac>
#
# iv, ciphertext and mac are base64url without padding, the other two milliseconds. The plaintext is `name=JSON`, so
# that one cookie cannot stand in the place of another. Both keys are HMAC-SHA256 of a word under the secret.
#
#   ciphertext = AES-256-CBC(key, iv, plaintext)       mac = HMAC-SHA256(mac key, iv . ciphertext . created . duration)
"""Seal and open what client-sessions keeps in a cookie."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Sequence
from hmac import compare_digest
from typing import NamedTuple

from sessile._wire.base64url import decode, encode
from sessile._wire.cbc import decrypt, encrypt

__all__ = ["ClientSeals", "Unsealed"]

_IV = 16

#: JavaScript's last moment has 16 digits.
_DIGITS = 16


class Unsealed(NamedTuple):
    """What was sealed."""

    plaintext: bytes
    #: When its life began, and how long that is, in milliseconds.
    created: int
    duration: int
    #: Whether the first secret sealed it. client-sessions itself knows one.
    current: bool


class ClientSeals:
    """Seals the cookie ``name`` with the first of ``secrets`` and opens it with any."""

    def __init__(self, name: str, secrets: Sequence[bytes]) -> None:
        self._head = name.encode("ascii") + b"="
        self._keys = [
            (hmac.digest(secret, b"cookiesession-encryption", "sha256"), hmac.digest(secret, _FOR_MAC, "sha256"))
            for secret in secrets
        ]

    def seal(self, plaintext: bytes, created: int, duration: int, random: Callable[[int], bytes] = os.urandom) -> str:
        """Return ``plaintext`` sealed. ``random`` returns so many random bytes."""
        key, mac_key = self._keys[0]
        iv = random(_IV)
        ciphertext = encrypt(key, iv, self._head + plaintext)
        mac = _mac(mac_key, iv, ciphertext, created, duration)
        return (b"%b.%b.%d.%d.%b" % (encode(iv), encode(ciphertext), created, duration, encode(mac))).decode("ascii")

    def unseal(self, sealed: bytes) -> Unsealed | None:
        """Return what was sealed, whether or not it has ended, or None if none of the secrets sealed it.

        No input raises, and work is linear in its length.
        """
        parts = sealed.split(b".", 5)
        if len(parts) != 5 or not all(part.isdigit() and len(part) <= _DIGITS for part in parts[2:4]):
            return None
        try:
            iv, ciphertext, claimed = (decode(part) for part in (parts[0], parts[1], parts[4]))
        except ValueError:
            return None
        created, duration = int(parts[2]), int(parts[3])
        for position, (key, mac_key) in enumerate(self._keys):
            if compare_digest(_mac(mac_key, iv, ciphertext, created, duration), claimed):
                try:
                    text = decrypt(key, iv, ciphertext)
                except ValueError:
                    return None
                if not text.startswith(self._head):
                    return None
                return Unsealed(text[len(self._head) :], created, duration, position == 0)
        return None


_FOR_MAC = b"cookiesession-signature"


def _mac(key: bytes, iv: bytes, ciphertext: bytes, created: int, duration: int) -> bytes:
    return hmac.digest(key, b"%b.%b.%d.%d" % (iv, ciphertext, created, duration), "sha256")
