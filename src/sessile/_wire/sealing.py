# What a browser keeps is sealed when it must not be read there: AES-256-GCM, in the form XAES-256-GCM (C2SP), which
# takes a key for each message from a nonce of 24 random bytes. Plain GCM has 12, and its key is worn out after 2**32
# messages (NIST SP 800-38D 8.3): a busy site that renews its cookies sends more.
#
#   sealed = key id (4 bytes) | nonce (24) | ciphertext | tag (16)
#
# Keys come from the secrets by HKDF-SHA256 (RFC 5869), one for each purpose, so nothing sealed for one can be used for
# another; and the context, such as the name of a cookie, is authenticated with the message.
"""Encrypt what a browser keeps, so that it can be neither read nor changed there."""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sessile._wire.signing import Signer

__all__ = ["SealedTokens", "Sealer", "Unsealed"]

_KEY_ID = 4
_NONCE = 24


class Unsealed(NamedTuple):
    """What was sealed."""

    plaintext: bytes
    #: Whether the first secret sealed it. If not, it should be sealed anew: the secret is on its way out.
    current: bool


class Sealer:
    """Seals with the first secret and opens with any, so a secret is rotated by putting a new one in front.

    ``purpose`` is what the seals are for: what was sealed for one purpose does not open for another.
    """

    __slots__ = ("_ids", "_keys")

    def __init__(self, secrets: Sequence[bytes], purpose: str) -> None:
        derived = [_derive(secret, purpose) for secret in secrets]
        self._ids = [key_id for key_id, _ in derived]
        self._keys = [key for _, key in derived]

    def seal(self, plaintext: bytes, context: bytes) -> str:
        """Return ``plaintext`` encrypted, as base64url without padding. ``context`` must be the same at opening."""
        nonce = os.urandom(_NONCE)
        sealed = self._ids[0] + nonce + xaes(self._keys[0], nonce).encrypt(nonce[12:], plaintext, context)
        return urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")

    def unseal(self, sealed: bytes, context: bytes) -> Unsealed | None:
        """Return what was sealed, or None if it was not sealed by us in this context. No input raises."""
        try:
            # The decoder drops what is no base64, and so would let many texts stand for one.
            raw = urlsafe_b64decode(sealed + b"=" * (-len(sealed) % 4))
            if urlsafe_b64encode(raw).rstrip(b"=") != sealed:
                return None
        except (NotBase64, ValueError):
            return None
        key_id, nonce, ciphertext = raw[:_KEY_ID], raw[_KEY_ID : _KEY_ID + _NONCE], raw[_KEY_ID + _NONCE :]
        for position, known in enumerate(self._ids):
            if known == key_id and len(nonce) == _NONCE:
                try:
                    plaintext = xaes(self._keys[position], nonce).decrypt(nonce[12:], ciphertext, context)
                except (InvalidTag, ValueError):
                    continue
                return Unsealed(plaintext, position == 0)
        return None


def _derive(secret: bytes, purpose: str) -> tuple[bytes, bytes]:
    derived = HKDF(SHA256(), length=_KEY_ID + 32, salt=None, info=b"sessile " + purpose.encode()).derive(secret)
    return derived[:_KEY_ID], derived[_KEY_ID:]


def xaes(key: bytes, nonce: bytes) -> AESGCM:
    """Return the cipher for one message: XAES-256-GCM (c2sp.org/XAES-256-GCM), to be used with ``nonce[12:]``."""
    block = Cipher(AES256(key), ECB()).encryptor()  # noqa: S305  One block at a time, as CMAC (SP 800-38B) has it.
    whole = int.from_bytes(block.update(bytes(16)), "big")
    subkey = (whole << 1) & (2**128 - 1) ^ (0x87 if whole >> 127 else 0)
    blocks = (
        int.from_bytes(b"\x00" + counter + b"X\x00" + nonce[:12], "big") ^ subkey for counter in (b"\x01", b"\x02")
    )
    return AESGCM(block.update(b"".join(each.to_bytes(16, "big") for each in blocks)))


class SealedTokens:
    """Makes tokens in which the id cannot be read: ``e.<sealed>``. Reads signed ones as well, if there is a ``signer``.

    So a site can change from one to the other, and back while nothing has been sealed, without logging anybody out.
    A token is bound to ``name``, the cookie's or header's.
    """

    __slots__ = ("_context", "_sealer", "_signer")

    def __init__(self, signer: Signer | None, sealer: Sealer, name: str) -> None:
        self._signer = signer
        self._sealer = sealer
        self._context = name.encode()

    def token(self, sid: str) -> str:
        """Return the token for ``sid``; another one each time."""
        return "e." + self._sealer.seal(sid.encode(), self._context)

    def read_token(self, raw: bytes) -> str | None:
        """Return the sid that a token carries, or None if it is not one that we made. No input raises."""
        if not raw.startswith(b"e."):
            return None if self._signer is None else self._signer.read_token(raw)
        unsealed = self._sealer.unseal(raw[2:], self._context)
        return None if unsealed is None else unsealed.plaintext.decode()
