# A write that compares is tried again when somebody else was first: at once, for that may be an accident, and then
# after ever longer pauses. Somebody made progress each time, so this ends; MAX_TRIES is the patience of one request,
# and guards against a broken store.
"""How often, and after what pauses, a write is tried again that others were faster than."""

from __future__ import annotations

from random import random

from holdfast.dual import Pause, Steps

__all__ = ["MAX_TRIES", "pause_before"]

MAX_TRIES = 60
#: How often a write is tried again at once. Then it waits a little, and ever longer up to LONGEST_PAUSE seconds.
QUICK_TRIES = 4
LONGEST_PAUSE = 0.05


def pause_before(tries: int) -> Steps[None]:
    """Wait before another try, the first being 0: for a time that no two requests have in common."""
    if tries >= QUICK_TRIES:
        yield Pause(random() * min(LONGEST_PAUSE, 0.001 * 2 ** min(tries - QUICK_TRIES, 10)))  # noqa: S311
