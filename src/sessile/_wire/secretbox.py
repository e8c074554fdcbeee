# What @fastify/secure-session keeps in a cookie is libsodium's secretbox (XSalsa20-Poly1305), and its nonce:
#
#   <base64 of tag and ciphertext>;<base64 of the nonce>
#
# percent-encoded in the cookie. A key has 32 bytes. Where the application gives a `secret` instead, the key is Argon2id
# of it, with libsodium's moderate limits: 256 MB and most of a second, once, when the process starts.
"""Seal and open what @fastify/secure-session keeps in a cookie."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import NamedTuple

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

__all__ = ["KEY_BYTES", "SecretBoxes", "Unsealed", "derive"]

KEY_BYTES = SecretBox.KEY_SIZE

#: The salt of a secret for which the application gives none.
_SALT = b64decode("mq9hDxBVDbspDR6nLfFT1g==")


class Unsealed(NamedTuple):
    """What was sealed."""

    plaintext: bytes
    #: Whether the first key sealed it. If not, it should be sealed anew: that key is on its way out.
    current: bool


class SecretBoxes:
    """Seals with the first of ``keys`` and opens with any."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._boxes = [SecretBox(key) for key in keys]

    def seal(self, plaintext: bytes, random: Callable[[int], bytes] = os.urandom) -> str:
        """Return ``plaintext`` sealed, not yet percent-encoded. ``random`` returns so many random bytes."""
        nonce = random(SecretBox.NONCE_SIZE)
        ciphertext = self._boxes[0].encrypt(plaintext, nonce).ciphertext
        return f"{b64encode(ciphertext).decode('ascii')};{b64encode(nonce).decode('ascii')}"

    def unseal(self, sealed: bytes) -> Unsealed | None:
        """Return what was sealed, or None if none of the keys sealed it. No input raises; work is linear."""
        first, _, second = sealed.partition(b";")
        try:
            ciphertext, nonce = b64decode(first, validate=True), b64decode(second, validate=True)
        except ValueError:
            return None
        if len(nonce) != SecretBox.NONCE_SIZE or len(ciphertext) < SecretBox.MACBYTES:
            return None
        for position, box in enumerate(self._boxes):
            try:
                return Unsealed(box.decrypt(ciphertext, nonce), position == 0)
            except CryptoError:
                continue
        return None


def derive(secret: bytes, salt: bytes | None = None) -> bytes:
    """Return the key that @fastify/secure-session derives from its option ``secret``, and its ``salt`` of 16 bytes."""
    limits = argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE
    return argon2id.kdf(KEY_BYTES, secret, _SALT if salt is None else salt, *limits)
