"""A MAC over several fields, with a key for one purpose."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hmac import compare_digest

__all__ = ["FieldsMac"]


class FieldsMac:
    """Makes MACs with the first secret and accepts those of any: so secrets are rotated as everywhere.

    ``purpose`` is what the MACs are for: one that was made for one purpose is wrong for another.
    """

    __slots__ = ("_macs",)

    def __init__(self, secrets: Sequence[bytes], purpose: str) -> None:
        if not secrets:
            raise ValueError("a MAC needs at least one secret")
        keys = [hmac.digest(secret, b"sessile " + purpose.encode(), "sha256") for secret in secrets]
        self._macs = [hmac.new(key, digestmod="sha256") for key in keys]

    def make(self, *fields: bytes) -> bytes:
        """Return the MAC of ``fields``, 32 bytes. Where one field ends and the next begins counts too."""
        return _mac(self._macs[0], _framed(fields))

    def fits(self, claimed: bytes, *fields: bytes) -> bool:
        """Return True if ``claimed`` is the MAC of ``fields``; in constant time."""
        message = _framed(fields)
        return any(compare_digest(_mac(prepared, message), claimed) for prepared in self._macs)


def _framed(fields: Sequence[bytes]) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def _mac(prepared: hmac.HMAC, message: bytes) -> bytes:
    mac = prepared.copy()
    mac.update(message)
    return mac.digest()
