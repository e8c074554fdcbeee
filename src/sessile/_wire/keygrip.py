# keygrip signs `name=value` of a cookie, and the signature goes into another one, `name.sig`. SHA-1 is its default, and
# what cookie-session and Koa leave it at: HMAC-SHA1 is unbroken, but nothing new should be made with it.
"""Sign a cookie as keygrip of Node does, beside it."""

from __future__ import annotations

from collections.abc import Sequence
from hmac import compare_digest

from sessile._wire.signing import keygrip_sign

__all__ = ["Keygrip"]


class Keygrip:
    """Signs the cookie ``name`` with the first of ``keys``, and accepts any."""

    def __init__(self, name: str, keys: Sequence[bytes]) -> None:
        #: The name of the cookie with the signature.
        self.beside = f"{name}.sig"
        self._name = name.encode("ascii")
        self._keys = list(keys)

    def sign(self, value: bytes) -> str:
        """Return the signature of ``value``."""
        return keygrip_sign(self._name + b"=" + value, self._keys[0])

    def token(self, sid: str) -> str:
        """Return ``sid`` with its signature, for where both have to stand in one text."""
        return f"{sid}.{self.sign(sid.encode('utf-8', 'surrogatepass'))}"

    def read_token(self, raw: bytes) -> str | None:
        """Return the id that ``token`` was given, or None if we did not sign it. No input raises."""
        sid, dot, signature = raw.rpartition(b".")
        return sid.decode("utf-8", "replace") if dot and self.verify(sid, [signature]) is not None else None

    def verify(self, value: bytes, signatures: Sequence[bytes]) -> int | None:
        """Return which key, counted from 0, made one of ``signatures`` of ``value``; None: none did."""
        for position, key in enumerate(self._keys):
            made = keygrip_sign(self._name + b"=" + value, key).encode("ascii")
            if any(compare_digest(made, signature) for signature in signatures):
                return position
        return None
