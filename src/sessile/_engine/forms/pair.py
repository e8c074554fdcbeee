# The middleware of Koa and cookie-session both leave signing to the package `cookies`: the value goes into one cookie,
# and keygrip's signature of `name=value` into another, `name.sig`.
"""Cookies that are signed by keygrip, in a second cookie beside the first."""

from __future__ import annotations

from base64 import b64decode, b64encode

from sessile import cookies
from sessile._engine.forms.foreign import ForeignCookie, data_of
from sessile._engine.transport import set_cookie
from sessile._records.record import JSON, Contents, encode
from sessile._wire.keygrip import Keygrip

__all__ = ["SignedPair", "packed", "unpacked"]


class SignedPair(ForeignCookie):
    """Carries the value in the cookie ``name``, and its signature in ``name.sig``."""

    def __init__(self, name: str, keys: list[bytes]) -> None:
        super().__init__(name)
        self._keygrip = Keygrip(name, keys)

    def _signer(self, value: bytes, header: bytes) -> int | None:
        """Return which key, counted from 0, signed ``value`` in this Cookie header; None: none."""
        return self._keygrip.verify(value, cookies.candidates(header, self._keygrip.beside.encode("ascii")))

    def _lines(self, value: str, stored: dict[str, JSON], now: float | None) -> tuple[str, ...]:
        return (
            set_cookie(self._name, value, stored, now),
            set_cookie(self._keygrip.beside, self._keygrip.sign(value.encode("ascii")), stored, now),
        )


def packed(contents: Contents) -> str:
    """Return what stands in the cookie for ``contents``: its JSON in base64."""
    return b64encode(encode(contents)).decode("ascii")


def unpacked(value: bytes) -> Contents | None:
    """Return what ``value`` stands for, or None if it is not a session."""
    try:
        return data_of(b64decode(value))
    except ValueError:
        return None
