"""Warn at the line of the program that led to it, not at a line of ours."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn_outside"]


def warn_outside(message: str, category: type[Warning]) -> None:
    """Issue a warning for the nearest line that is not in this package."""
    level = 1
    while str(sys._getframe(level).f_globals.get("__name__")).startswith("sessile."):
        level += 1
    warnings.warn(message, category, stacklevel=level + 1)
