"""Check the options that many stores have: lengths of time, and numbers of things."""

from __future__ import annotations

import math
from typing import Any

from sessile.errors import InvalidOption

__all__ = ["seconds", "seconds_or_none", "whole_number"]


def seconds(option: str, value: Any, default: float, *, least: float = math.ulp(0.0), most: float = math.inf) -> float:
    """Return ``value``, a number of seconds from ``least``, which is above 0 if none is given, up to ``most``.

    Raises InvalidOption, which names the ``option`` and its ``default``.
    """
    if not _is_seconds(value, least, most):
        limit = "" if most == math.inf else f" up to {most:.15g}"
        remedy = f"Give a number. The default is {default:g}."
        raise InvalidOption(option, f"{value!r} is no number of seconds{limit}", remedy)
    return float(value)


def seconds_or_none(option: str, value: Any, default: float) -> float | None:
    """Return ``value``, a number of seconds from 0 on, or None. Raises InvalidOption, as above."""
    if value is not None and not _is_seconds(value, 0.0, math.inf):
        remedy = f'Give a number, or None, which is "none" in a URL. The default is {default:g}.'
        raise InvalidOption(option, f"{value!r} is no number of seconds", remedy)
    return value


def whole_number(option: str, value: Any, default: int, *, least: int = 1) -> int:
    """Return ``value``, a whole number from ``least`` on. Raises InvalidOption, as above."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        remedy = f"Give a whole number. The default is {default}."
        raise InvalidOption(option, f"{value!r} is no number from {least} on", remedy)
    return value


def _is_seconds(value: Any, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
