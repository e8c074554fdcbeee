# An event is a fact about a session that somebody may want to count, log or act on. It carries no id, no token and
# no data: `session` is a keyed hash, good for telling that two lines speak of one session and for nothing else.
"""What happened to a session: log lines, and a hook for everything else."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable
from enum import Enum

import msgspec

__all__ = ["Event", "Events", "Happening"]

logger = logging.getLogger("holdfast")


class Happening(Enum):
    """Everything that can happen, with the level at which it is logged."""

    CREATED = "created", logging.DEBUG
    SAVED = "saved", logging.DEBUG
    MERGED = "merged", logging.DEBUG
    COLLIDED = "collided", logging.DEBUG
    ROTATED = "rotated", logging.DEBUG
    DESTROYED = "destroyed", logging.DEBUG
    EXPIRED = "expired", logging.DEBUG
    REVOKED = "revoked", logging.INFO
    UNKNOWN_ID = "unknown_id", logging.DEBUG
    BAD_SIGNATURE = "bad_signature", logging.DEBUG
    REPLAYED = "replayed", logging.WARNING
    AMBIGUOUS = "ambiguous_cookies", logging.WARNING
    CORRUPT = "corrupt_record", logging.WARNING
    UNFIT = "unfit_value", logging.WARNING
    DROPPED = "changes_dropped", logging.INFO
    COOKIE_TOO_LATE = "cookie_too_late", logging.WARNING
    INSECURE = "insecure_transport", logging.WARNING
    STORE_UNAVAILABLE = "store_unavailable", logging.ERROR

    def __init__(self, label: str, level: int) -> None:
        self.label = label
        self.level = level


class Event(msgspec.Struct, frozen=True):
    """One thing that happened. ``Sessions(on_event=...)`` is called with it."""

    #: What happened: one of the labels of ``Happening``, such as ``"merged"``.
    name: str
    #: A keyed hash of the session's id, or "" where no session is concerned. Worthless to a thief.
    session: str
    #: What it means, in a sentence for a log.
    detail: str


class Events:
    """Counts what happens, and tells the log and the user's hook."""

    __slots__ = ("_counts", "_hook", "_key", "_lock")

    def __init__(self, key: bytes, hook: Callable[[Event], None] | None) -> None:
        self._key = hashlib.sha256(b"holdfast events" + key).digest()
        self._hook = hook
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def counts(self) -> dict[str, int]:
        """Return how often each thing has happened in this process."""
        with self._lock:
            return dict(self._counts)

    def count(self, name: str) -> None:
        """Note that something happened that is worth a number, and no words."""
        with self._lock:
            self._counts[name] += 1

    def tell(self, happening: Happening, sid: str | None = None, detail: str = "") -> None:
        """Report that ``happening`` befell the session ``sid``. A hook that raises is logged, and changes nothing."""
        self.count(happening.label)
        heard = logger.isEnabledFor(happening.level)
        if not heard and self._hook is None:
            return
        event = Event(happening.label, self._alias(sid), detail)
        if heard:
            logger.log(happening.level, "%s session=%s %s", event.name, event.session or "-", event.detail)
        if self._hook is not None:
            try:
                self._hook(event)
            except Exception:
                logger.exception("the on_event hook failed")

    def _alias(self, sid: str | None) -> str:
        if sid is None:
            return ""
        return hashlib.blake2b(sid.encode("utf-8", "replace"), key=self._key, digest_size=6).hexdigest()
