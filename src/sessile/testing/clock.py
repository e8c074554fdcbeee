"""A clock that moves only when it is told to."""

from __future__ import annotations

__all__ = ["FrozenClock"]


class FrozenClock:
    """Stands still. Give it as ``clock=`` to ``Sessions`` and to stores, and no test has to sleep.

    >>> clock = FrozenClock(1_700_000_000)
    >>> clock.advance(60)
    >>> clock()
    1700000060.0
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = float(now)

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``."""
        self.now += seconds
