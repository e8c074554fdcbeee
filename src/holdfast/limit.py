# Whoever can cause a line in a log can fill the disk with it. So of what strangers can cause, a few lines are written
# in each stretch of time, and then one that says how many there would have been. Names are the program's, never a
# client's, so what is kept here has a bound.
"""A limit to how often things of one name may be said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Limit"]

T = TypeVar("T", bound=Hashable)


class Limit(Generic[T]):
    """Lets ``most`` things of one name pass in ``seconds``, which begin with the first, and counts the others.

    ``clock`` is one that never goes back. Thread-safe.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        #: By name: when its time is over, how many have passed, and how many have not.
        self._windows: dict[T, tuple[float, int, int]] = {}
        self._lock = threading.Lock()

    def passes(self, name: T) -> bool:
        """Tell whether one more may pass."""
        with self._lock:
            end, passed, held = self._windows.get(name) or (self._clock() + self._seconds, 0, 0)
            there_is_room = passed < self._most
            self._windows[name] = (end, passed + 1, held) if there_is_room else (end, passed, held + 1)
        return there_is_room

    def held(self) -> list[tuple[T, int]]:
        """Return the names whose time is over, and how many of each did not pass, where any did not. Tells it once."""
        now = self._clock()
        with self._lock:
            over = [(name, held) for name, (end, _, held) in self._windows.items() if end <= now]
            for name, _ in over:
                del self._windows[name]
        return [(name, held) for name, held in over if held]
