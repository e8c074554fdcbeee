"""A length of time, as people read it."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["UNITS", "length"]

#: Units of time, in seconds.
UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}


def length(seconds: float) -> str:
    """Return a length of time in its largest unit, rounded down.

    >>> length(59), length(3700), length(200_000), length(4e9)
    ('59s', '1h', '2d', '126y')
    """
    if not math.isfinite(seconds):
        return "ever"
    if seconds >= 2 * 31_536_000:
        return f"{seconds // 31_536_000:.0f}y"
    for unit in ("d", "h", "m"):
        if seconds >= UNITS[unit]:
            return f"{seconds // UNITS[unit]:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"
