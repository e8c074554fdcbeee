# The browser refreshes the bound cookie while other requests still bring the one before. A random value in the record
# would make them race. A MAC with an end does not: every token is good until its own end, and all of them end with the
# binding.
#
# The MAC covers the binding's identifier, not the id of the session. A session whose id is renewed keeps its binding,
# so the token in the browser must stay good.
"""The value of the bound cookie: it says until when the device has proved itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sessile._wire import base64url
from sessile._wire.device.mac import FieldsMac

__all__ = ["BoundTokens"]

#: One way to write each: no sign, no leading zero, no underscore, which int() would all take.
_TOKEN = re.compile(rb"v1\.([1-9][0-9]{0,11})\.([A-Za-z0-9_-]{43})")


class BoundTokens:
    """Makes and checks bound tokens: ``v1.<end>.<mac>``, where the end is in seconds since 1970."""

    __slots__ = ("_mac",)

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._mac = FieldsMac(secrets, "device bound")

    def make(self, identifier: str, thumbprint: str, end: int) -> str:
        """Return the token of the binding ``identifier`` to the key of this ``thumbprint``, good until ``end``."""
        written = str(end)
        mac = self._mac.make(identifier.encode(), thumbprint.encode(), written.encode())
        return f"v1.{written}.{base64url.encode(mac).decode('ascii')}"

    def proves(self, token: bytes, identifier: str, thumbprint: str, now: float) -> bool:
        """Return True if ``token`` is this binding's and not over. No input raises.

        The end is the token's own, so a copied cookie ends when it should, whatever the browser does with Max-Age.
        """
        match = _TOKEN.fullmatch(token)
        if match is None:
            return False
        try:
            mac = base64url.decode(match[2])
        except ValueError:
            return False
        return self._mac.fits(mac, identifier.encode(), thumbprint.encode(), match[1]) and now < int(match[1])
