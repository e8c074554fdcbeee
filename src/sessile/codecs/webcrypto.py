# What connect-mongo's createWebCryptoAdapter makes of a session, in base64:
#
#     nonce (12) | ciphertext | tag (16)
#
# AES-256-GCM, without additional data. The key is PBKDF2-SHA256 of the secret and a salt that is the same for all
# records, so it is derived once: a tenth of a second or two when the program starts.
"""Read and write the records of connect-mongo that its createWebCryptoAdapter encrypts."""

from __future__ import annotations

import hashlib
import os
from base64 import b64decode, b64encode
from typing import Any

from sessile.errors import InvalidOption, MissingExtra

__all__ = ["WebCrypto"]

_NONCE, _TAG = 12, 16


class WebCrypto:
    """Shares encrypted sessions with connect-mongo 6 whose ``cryptoAdapter`` is ``createWebCryptoAdapter({secret})``.

    ``secret``, ``salt`` and ``iterations`` are its options of these names, with its defaults; the others are to have
    theirs (AES-GCM, base64). A record is sealed for no id in particular: who can write to the collection can put one
    visitor's session in the place of another's. Where Node need not read, ``Encrypted`` prevents that, and its key does
    not wear out after 2**32 records. Needs the extra ``encryption``.

    >>> codec = WebCrypto("the secret of Node's adapter")
    >>> codec.decode(codec.encode(b'{"n":1}', "an id"), "an id")
    b'{"n":1}'
    """

    def __init__(
        self,
        secret: str | bytes,
        *,
        salt: str | bytes = "connect-mongo:webcrypto-default-salt",
        iterations: int = 310_000,
    ) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise MissingExtra("The codec WebCrypto", "encryption") from error
        if not isinstance(secret, (str, bytes)) or not secret:
            raise InvalidOption("secret", "it is no text, or empty", "Give the one of Node's createWebCryptoAdapter.")
        if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
            raise InvalidOption("iterations", f"{iterations!r} is no number from 1 on", "The default is 310000.")
        key = hashlib.pbkdf2_hmac("sha256", _bytes(secret), _bytes(salt), iterations, 32)
        self._cipher: Any = AESGCM(key)

    def encode(self, payload: bytes, sid: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return b64encode(nonce + self._cipher.encrypt(nonce, payload, None))

    def decode(self, stored: bytes, sid: str) -> bytes | None:
        try:
            sealed = b64decode(stored, validate=True)
            if len(sealed) < _NONCE + _TAG:
                return None
            opened: bytes = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except Exception:
            return None  # It is not base64, or not of this key; nothing else can be wrong with it.
        return opened if opened[:1] == b"{" else None


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
