# A log-in is refused if its request began before the mark of a revocation. Clocks of servers differ, so the comparison
# of two moments errs on the side of refusing. What this process has done itself it can tell exactly: it numbers its
# revocations, and each request notes the number at its beginning. So a log-in that comes a moment after a revocation
# is refused only where another server made that.
"""Which revocations this process has made, and whether a request began before or after one."""

from __future__ import annotations

from contextvars import ContextVar
from itertools import islice
from threading import Lock

from sessile._engine.index import key_of
from sessile._records.record import INDEXES, USER
from sessile._session.state import State

__all__ = ["REQUEST", "Revocations", "begins"]

#: How many revocations are remembered. They matter for as long as clocks may differ.
MOST = 1000

#: The session of the request that is being served, in integrations.
REQUEST: ContextVar[State | None] = ContextVar("sessile request", default=None)


class Revocations:
    """Numbers the revocations of this process."""

    def __init__(self) -> None:
        #: How many there have been.
        self.number = 0
        self._made: dict[str, int] = {}
        self._lock = Lock()

    def note(self, mark: str) -> None:
        """Note that the revocation ``mark`` has been written just now."""
        with self._lock:
            self.number += 1
            self._made[mark] = self.number
            for old in list(islice(self._made, max(0, len(self._made) - MOST))):
                del self._made[old]

    def is_before(self, mark: str, state: State) -> bool:
        """Return True if ``mark`` is known to have been written before the request of ``state`` began."""
        number = self._made.get(mark)
        return number is not None and number <= state.order


def begins(state: State, key: str) -> bool:
    """Return True if it is this request that makes the session belong to the page ``key``."""
    if state.proof is not None and key == key_of(USER, state.system.get(USER) or ""):
        return True
    values = state.system.get(INDEXES)
    if not isinstance(values, dict):
        return False
    return any(key == key_of(name, values[name]) for name in state.stated if name in values)
