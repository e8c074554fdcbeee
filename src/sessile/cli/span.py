"""Lengths of time, as people write and read them."""

from __future__ import annotations

import re

import typer

from sessile.console.checks.length import UNITS, length

__all__ = ["DURATION", "ago", "duration", "length", "until"]

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
    return float(sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+)([wdhms])", text)))


def ago(at: float | None, now: float) -> str:
    """Return how long ``at`` is past."""
    if at is None:
        return "-"
    return "now" if now - at < 1 else f"{length(now - at)} ago"


def until(at: float | None, now: float) -> str:
    """Return in how long ``at`` will be, rounded.

    >>> until(14 * 86_400, 1), until(3600, 0), until(None, 0)
    ('in 14d', 'in 1h', '-')
    """
    if at is None:
        return "-"
    left = at - now  # Of a session of 14 days that has just begun, a second is gone already.
    unit = next((each for each in (UNITS["d"], UNITS["h"], UNITS["m"]) if left >= each - 1), 1)
    return "now" if left < 1 else f"in {length(left + unit / 2)}"
