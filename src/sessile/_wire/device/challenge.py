# No table of challenges: a challenge carries its moment and a MAC.
#
#   challenge = base64url( moment (8 bytes, microseconds) | nonce (16) | HMAC-SHA256 (32) )
#
# What makes it single use is not here: a record keeps the moment of the last challenge that was answered, and takes
# later ones only. Microseconds are fine enough for that.
"""Challenges that a device signs: made and recognised without being kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

from sessile._wire import base64url
from sessile._wire.device.mac import FieldsMac

__all__ = ["LIFE", "Challenges", "Purpose"]

Purpose = Literal["register", "refresh"]

#: Seconds for which a challenge can be answered. A browser keeps the one for the next refresh until then at most; after
#: that, it is told a new one, which costs a round trip.
LIFE = 300
#: Seconds by which the clocks of two servers may differ.
_SKEW = 5
_MOMENT, _NONCE, _MAC = 8, 16, 32
_MICROSECONDS = 1_000_000


class Challenges:
    """Makes challenges, and recognises its own. ``life``: the seconds for which one can be answered."""

    __slots__ = ("_life", "_mac")

    def __init__(self, secrets: Sequence[bytes], *, life: float = LIFE) -> None:
        self._mac = FieldsMac(secrets, "device challenge")
        self._life = life

    def make(self, purpose: Purpose, subject: str, now: float) -> str:
        """Return a new challenge. ``subject``: what it is for, such as the binding's identifier."""
        head = int(now * _MICROSECONDS).to_bytes(_MOMENT, "big") + os.urandom(_NONCE)
        mac = self._mac.make(purpose.encode(), subject.encode(), head)
        return base64url.encode(head + mac).decode("ascii")

    def read(self, purpose: Purpose, subject: str, challenge: str, now: float) -> int | None:
        """Return the moment of a challenge in microseconds, or None if it is not ours, not for this, or over.

        No input raises.
        """
        try:
            raw = base64url.decode(challenge.encode("ascii"))
        except ValueError:
            return None
        head, mac = raw[:-_MAC], raw[-_MAC:]
        if len(raw) != _MOMENT + _NONCE + _MAC or not self._mac.fits(mac, purpose.encode(), subject.encode(), head):
            return None
        moment = int.from_bytes(head[:_MOMENT], "big")
        age = now - moment / _MICROSECONDS
        return moment if -_SKEW <= age < self._life else None
