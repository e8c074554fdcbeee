"""Tell how this site is served, as far as the command line and the environment say."""

from __future__ import annotations

import os
import sys

__all__ = ["in_production", "workers"]

_STAGES = ("APP_ENV", "ENV", "ENVIRONMENT", "PYTHON_ENV", "FLASK_ENV", "NODE_ENV")


def workers() -> int:
    """Return how many worker processes were asked for: ``--workers 4``, ``-w4``, ``WEB_CONCURRENCY=4``. 1 if none."""
    counts = [os.environ.get("WEB_CONCURRENCY", "")]
    for position, word in enumerate(sys.argv):
        option, equals, value = word.partition("=")
        if option in ("--workers", "-w"):
            counts.append(value if equals else "".join(sys.argv[position + 1 : position + 2]))
        elif option.startswith("-w"):
            counts.append(option.removeprefix("-w"))
    return max(int(count) if count.isdecimal() else 1 for count in counts)


def in_production() -> bool:
    """Tell whether one of the usual variables of the environment says ``production`` or ``prod``."""
    return any(os.environ.get(name, "").lower() in ("production", "prod") for name in _STAGES)
