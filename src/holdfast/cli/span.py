"""Lengths of time, as people write and read them."""

from __future__ import annotations

import math
import re

import typer

__all__ = ["DURATION", "ago", "duration", "length", "until"]

_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_TEXT = re.compile(r"(?:\d+(?:\.\d+)?[wdhms])+")

#: How ``--help`` calls what ``duration`` reads.
DURATION = "30m|12h|2d"


def duration(text: str) -> float:
    """Return the seconds that ``text`` stands for.

    >>> duration("30m"), duration("1d12h")
    (1800.0, 129600.0)
    """
    if not _TEXT.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no length of time. Write such as 30m, 12h, 2d or 1w.")
    return float(sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)([wdhms])", text)))


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
        if seconds >= _UNITS[unit]:
            return f"{seconds // _UNITS[unit]:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"


def ago(at: float | None, now: float) -> str:
    """Return how long ``at`` is past."""
    if at is None:
        return "-"
    return "now" if now - at < 1 else f"{length(now - at)} ago"


def until(at: float | None, now: float) -> str:
    """Return in how long ``at`` will be."""
    if at is None:
        return "-"
    return "now" if at - now < 1 else f"in {length(at - now)}"
