"""Tell how this site is served, as far as the command line and the environment say, and warn if memory will not do."""

from __future__ import annotations

import os
import sys
import warnings

__all__ = ["ProcessLocalWarning", "in_production", "warn_of_processes", "workers"]

_STAGES = ("APP_ENV", "ENV", "ENVIRONMENT", "PYTHON_ENV", "FLASK_ENV", "NODE_ENV")


class ProcessLocalWarning(UserWarning):
    """Says that several processes serve one site, and each would remember other sessions."""


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


_warned = False


def warn_of_processes() -> None:
    """Warn whoever called our caller, once, if there are several processes, or this is production."""
    global _warned
    if _warned:
        return
    _warned = True
    count = workers()
    if count > 1:
        problem = f"there are {count} worker processes, and each remembers only the sessions that it made"
    elif in_production():
        problem = "this is production, and a restart forgets all sessions"
    else:
        return
    warnings.warn(
        f"sessions are kept in memory, but {problem}. Use store='sqlite:///sessions.db' or a server",
        ProcessLocalWarning,
        stacklevel=3,
    )
