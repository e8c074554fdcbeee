"""Refuse calls to a server that does not answer, until one of them finds out that it does again."""

from __future__ import annotations

import threading
import time

from sessile.errors import StoreUnavailable

__all__ = ["FAILURES", "Breaker"]

#: After how many calls in a row that got no answer the server counts as gone. One may be an accident.
FAILURES = 3


class Breaker:
    """Refuses calls while the server does not answer, but for one at a time that finds out whether it does again.

    Of such a call nothing may ever be heard again, if its event loop is stopped: after ``patience`` seconds another
    one may find out. ``name`` is what the error calls the server.

    A server that refuses has answered: only silence and broken connections count.
    """

    def __init__(self, patience: float, name: str = "the server") -> None:
        self._patience = patience
        self._name = name
        self._lock = threading.Lock()
        self._failures = 0
        self._taken_until = 0.0

    def enter(self) -> bool:
        """Let a call through, or raise StoreUnavailable at once. Return whether it is the one that finds out."""
        if self._failures < FAILURES:
            return False
        with self._lock:
            now = time.monotonic()
            if now < self._taken_until:
                raise StoreUnavailable(f"{self._name} does not answer; another request finds out when it does again")
            self._taken_until = now + self._patience
        return True

    def leave(self, answered: bool, finds_out: bool) -> None:
        """Note how a call ended that was let through, and what ``enter`` said of it."""
        if answered and not self._failures and not finds_out:
            return
        with self._lock:
            self._failures = 0 if answered else self._failures + 1
            # Any answer ends the outage, whoever got it: nobody is left to find out for the next one.
            if finds_out or answered:
                self._taken_until = 0.0
