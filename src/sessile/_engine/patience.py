# A write that compares is tried again when somebody else was first: a few times at once, each time with what is there
# by then, and after a pause a few times more; for after a pause the first try only finds out what is there. Somebody
# made progress each time, so this ends; MAX_TRIES is the patience of one request, and guards against a broken store.
"""How often, and after what pauses, a write is tried again that others were faster than."""

from __future__ import annotations

from random import random

from sessile.dual import Pause, Steps

__all__ = ["MAX_TRIES", "QUICK_TRIES", "pause_before"]

MAX_TRIES = 100
#: How often a write is tried between two pauses, which grow up to LONGEST_PAUSE seconds.
QUICK_TRIES = 4
LONGEST_PAUSE = 0.05


def pause_before(tries: int) -> Steps[None]:
    """Wait before another try, the first being 0, if it is time: for as long as no two requests have in common."""
    if tries and tries % QUICK_TRIES == 0:
        yield Pause(random() * min(LONGEST_PAUSE, 0.001 * 2 ** min(tries // QUICK_TRIES, 10)))  # noqa: S311
